#!/usr/bin/env bash
# Unmodified Ethereum clients, and a fuzzer of its OpenAPI document, against a running network.
#
#   run.sh RPC_URL OTHER_RPC_URL [genesis.geth.json blocks.rlp HEAD_HASH]
#
# The first two are the RPC addresses of two validators of one network with the development accounts. The rest is the exported
# chain, which an independent client executes again.
set -euo pipefail
cd "$(dirname "$0")"

[ $# -eq 2 ] || [ $# -eq 5 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
# The paths are the caller's, and we have changed directory.
genesis=${3:+$(cd "$OLDPWD" && realpath "$3")}
blocks=${4:+$(cd "$OLDPWD" && realpath "$4")}

npm ci --silent
node viem.mjs "$1" "$2"
node ethers.mjs "$1" "$2"
./web3py.sh "$1" "$2"
./cast.sh "$1" "$2"
./forge.sh "$1" "$2"
./schemathesis.sh "$1"
[ $# -eq 2 ] || ./reexecute.sh "$genesis" "$blocks" "$5"
