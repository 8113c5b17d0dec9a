#!/usr/bin/env bash
# forge against a network: it compiles without a network of its own, creates, and broadcasts a script.
#
#   forge.sh RPC_URL OTHER_RPC_URL
set -euo pipefail
cd "$(dirname "$0")"

url=${1:?usage: forge.sh RPC_URL OTHER_RPC_URL}
other=${2:-$url}
# The fifth development account, so that other clients may use theirs at the same time.
key=${PRIVATE_KEY:-0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a}
. ./cast-functions.sh
forge_cache=node_modules/.cache/forge
rm -rf "$forge_cache"

forge build --quiet
created=$(forge create contracts/Token.sol:Token --rpc-url "$url" --private-key "$key" --broadcast --json --constructor-args 1000)
token=$(field deployedTo <<<"$created")
there "$(field transactionHash <<<"$created")" >/dev/null
is 'forge create makes a token' "$(cast call --rpc-url "$other" "$token" 'totalSupply()(uint256)')" 1000
artefact=$(field bytecode <contracts/Token.json)
is 'forge compiles what is kept as artefact' "$(forge inspect contracts/Token.sol:Token bytecode)" "$artefact"

to=$(cast wallet new --json | field 0.address)
forge script forge/Deploy.s.sol:Deploy --sig 'run(address)' "$to" --rpc-url "$url" --private-key "$key" --broadcast --slow --non-interactive >"$forge_cache/script.log" 2>&1 ||
  { cat "$forge_cache/script.log" >&2; fail 'forge script' "$?"; }
run=$(echo "$forge_cache"/broadcast/Deploy.s.sol/*/run-latest.json)
is 'the script sends four transactions' "$(field receipts.length <"$run")" 4
for index in 0 1 2 3; do
  receipt=$(there "$(field "receipts.$index.transactionHash" <"$run")")
  is "transaction $index of the script succeeds" "$(field status <<<"$receipt")" 0x1
  is "transaction $index is in the same block on the other validator" "$(field blockHash <<<"$receipt")" "$(field "receipts.$index.blockHash" <"$run")"
done
is 'the token of the script has a new owner' "$(cast call --rpc-url "$other" "$(field receipts.0.contractAddress <"$run")" 'balanceOf(address)(uint256)' "$to")" 7
probe=$(field receipts.1.contractAddress <"$run")
is 'the contract of the script was called' "$(cast call --rpc-url "$other" "$probe" 'notes(uint256)(uint256)' 1)" 11
is 'and paid' "$(cast balance --rpc-url "$other" "$probe")" 3
