#!/usr/bin/env bash
# An independent execution client executes an exported chain again, and refuses it when one byte differs.
#
#   reexecute.sh genesis.geth.json blocks.rlp HEAD_HASH
set -euo pipefail
[ $# -eq 3 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
exec node "$(dirname "$0")/reexecute.mjs" "$(realpath "$1")" "$(realpath "$2")" "$3"
