#!/usr/bin/env bash
# cast against a network: what is sent to one validator is read from another.
#
#   cast.sh RPC_URL OTHER_RPC_URL
set -euo pipefail
cd "$(dirname "$0")"

url=${1:?usage: cast.sh RPC_URL OTHER_RPC_URL}
other=${2:-$url}
# The second development account, so that another client may use the first at the same time.
key=${PRIVATE_KEY:-0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d}
wait_limit_s=30
export FOUNDRY_DISABLE_NIGHTLY_WARNING=1 NO_COLOR=1
# The binary itself: the package's wrapper ends with 0 whatever cast says.
binary=$(echo node_modules/@foundry-rs/cast-*/bin/cast)
cast() { "$binary" "$@"; }

fail() { echo "FAILED  $1: found '${2:-}'" >&2; exit 1; }
# is NAME FOUND EXPECTED
is() { if [ "$2" = "$3" ]; then echo "ok      $1"; else fail "$1 (want '$3')" "$2"; fi; }
# has NAME FOUND PART
has() { case "$2" in *"$3"*) echo "ok      $1" ;; *) fail "$1 (want '$3')" "$2" ;; esac; }
# field NAME < JSON
field() { node -e 'const value = JSON.parse(require("fs").readFileSync(0))[process.argv[1]]; console.log(value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : value)' "$1"; }
# there HASH: the receipt on the other validator, once it is there
there() {
  local end=$((SECONDS + wait_limit_s))
  until cast receipt --async --rpc-url "$other" --json "$1" 2>/dev/null; do
    [ $SECONDS -lt $end ] || fail "a receipt on the other validator within $wait_limit_s s" "$1"
    sleep 0.05
  done
}
send() { cast send --rpc-url "$url" --private-key "$key" --json "$@"; }
refused() { if out=$("$@" 2>&1); then fail "a refusal" "$out"; fi; echo "$out"; }

from=$(cast wallet address --private-key "$key")
is 'both validators are on one chain' "$(cast chain-id --rpc-url "$other")" "$(cast chain-id --rpc-url "$url")"

to=$(cast wallet new --json | node -e 'console.log(JSON.parse(require("fs").readFileSync(0))[0].address)')
sent=$(send "$to" --value 1.5ether)
is 'a transfer succeeds' "$(field status <<<"$sent")" 0x1
receipt=$(there "$(field transactionHash <<<"$sent")")
is 'a transfer is in the same block on the other validator' "$(field blockHash <<<"$receipt")" "$(field blockHash <<<"$sent")"
is 'the other validator shows the new balance' "$(cast balance --rpc-url "$other" "$to")" 1500000000000000000
is 'the other validator shows the block' "$(cast block --rpc-url "$other" "$(field blockHash <<<"$sent")" --field number)" "$(($(field blockNumber <<<"$sent")))"
is 'the other validator shows the transaction' "$(cast tx --rpc-url "$other" "$(field transactionHash <<<"$sent")" nonce)" "$(($(cast nonce --rpc-url "$other" "$from") - 1))"

bytecode=$(field bytecode <contract/Counter.json)
arguments=$(cast abi-encode 'constructor(uint256)' 7)
sent=$(send --create "$bytecode${arguments#0x}")
is 'a deployment succeeds' "$(field status <<<"$sent")" 0x1
there "$(field transactionHash <<<"$sent")" >/dev/null
counter=$(field contractAddress <<<"$sent")
is 'a call reads what the constructor wrote' "$(cast call --rpc-url "$other" "$counter" 'number()(uint256)')" 7
sent=$(send "$counter" 'set(uint256)' 42)
there "$(field transactionHash <<<"$sent")" >/dev/null
is 'a call reads what a transaction wrote' "$(cast call --rpc-url "$other" "$counter" 'number()(uint256)')" 42
is 'the slot holds it' "$(cast storage --rpc-url "$other" "$counter" 0)" 0x000000000000000000000000000000000000000000000000000000000000002a
has 'the other validator has the code' "$(cast code --rpc-url "$other" "$counter")" 0x60
is 'gas can be estimated' "$(( $(cast estimate --rpc-url "$other" --from "$from" "$counter" 'set(uint256)' 43) > 21000 ))" 1

has 'a failed requirement shows its reason' "$(refused cast call --rpc-url "$other" "$counter" 'set(uint256)' 42)" 'counter: nothing changes'
has 'a transaction that would revert shows the reason' "$(refused send "$counter" 'set(uint256)' 42)" 'counter: nothing changes'
has 'a panic is told apart' "$(refused cast call --rpc-url "$other" "$counter" 'divide(uint256)' 0)" 'division or modulo by zero'
has 'a used nonce is refused by name' "$(refused send "$to" --value 1 --nonce 0)" 'nonce too low'

logs=$(cast logs --rpc-url "$other" --json --from-block 0 --address "$counter" 'Changed(address indexed, uint256 indexed, uint256)')
is 'logs finds both changes' "$(field length <<<"$logs")" 2
logs=$(cast logs --rpc-url "$other" --json --from-block 0 --address "$counter" 'Changed(address indexed, uint256 indexed, uint256)' '' 42)
is 'logs filters by an indexed value' "$(field length <<<"$logs")" 1
is 'the log is that of the transaction' "$(node -e 'console.log(JSON.parse(process.argv[1])[0].transactionHash)' "$logs")" "$(field transactionHash <<<"$sent")"
