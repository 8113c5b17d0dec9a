#!/usr/bin/env bash
# web3.py against a network, in a virtual environment of its own.
#
#   web3py.sh RPC_URL OTHER_RPC_URL
set -euo pipefail
cd "$(dirname "$0")/web3py"
[ $# -eq 2 ] || { sed -n '2,4s/^# \{0,1\}//p' "../$(basename "$0")" >&2; exit 2; }

target=${CARGO_TARGET_DIR:-../../../target}
environment=$target/clients/web3py
# Installed anew only when what is pinned has changed.
if ! cmp -s requirements.txt "$environment/installed.txt"; then
  rm -rf "$environment"
  mkdir -p "$(dirname "$environment")"
  python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
  cp requirements.txt "$environment/installed.txt"
fi
exec "$environment/bin/python" check.py "$1" "$2"
