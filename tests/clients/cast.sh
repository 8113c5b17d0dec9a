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
. ./cast-functions.sh
send() { cast send --rpc-url "$url" --private-key "$key" --json "$@"; }

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

probe=$(send --create "$(field bytecode <contracts/Probe.json)")
there "$(field transactionHash <<<"$probe")" >/dev/null
probe=$(field contractAddress <<<"$probe")
note='note(uint256,string,uint256,string)'
sent=$(send "$probe" "$note" 7 tag 42 'a text' --value 5)
receipt=$(there "$(field transactionHash <<<"$sent")")
hash=$(field blockHash <<<"$receipt") number=$(($(field blockNumber <<<"$receipt")))
is 'a receipt has all three logs' "$(field logs.length <<<"$receipt")" 3
is 'an anonymous log has one topic' "$(field logs.2.topics.length <<<"$receipt")" 1
is 'block by number and by hash are one' "$(cast block --rpc-url "$other" "$number" --field hash)" "$hash"
is 'a full block shows the transaction' "$(cast block --rpc-url "$other" --full --json "$number" | field transactions.0.hash)" "$(field transactionHash <<<"$sent")"
is 'the parent is the block before' "$(cast block --rpc-url "$other" "$number" --field parentHash)" "$(cast block --rpc-url "$other" "$((number - 1))" --field hash)"
is 'find-block finds a block of its time' "$(($(cast age --rpc-url "$other" "$number" >/dev/null && cast find-block --rpc-url "$other" "$(cast block --rpc-url "$other" "$number" --field timestamp)") == number))" 1
logs=$(cast logs --rpc-url "$other" --json --from-block "$number" --to-block "$number" --address "$probe")
is 'logs of one block are all found' "$(field length <<<"$logs")" 3
logs=$(cast logs --rpc-url "$other" --json --from-block 0 'Noted(address indexed, uint256 indexed, string indexed, uint256, string)' "$from" 7)
is 'logs are found by two indexed values' "$(field 0.transactionHash <<<"$logs")" "$(field transactionHash <<<"$sent")"
list=$(cast access-list --rpc-url "$other" --json --from "$from" "$probe" 'burn(uint256)' 1)
has 'an access list names the contract' "$(field accessList.0.address <<<"$list" | tr A-F a-f)" "$(tr A-F a-f <<<"$probe")"
is 'work is estimated by its size' "$(($(cast estimate --rpc-url "$other" --from "$from" "$probe" 'burn(uint256)' 1000) > $(cast estimate --rpc-url "$other" --from "$from" "$probe" 'burn(uint256)' 10) + 50000))" 1
is 'a raw call is answered' "$(cast rpc --rpc-url "$other" eth_getBlockTransactionCountByHash "$hash")" '"0x1"'
is 'a raw call over WebSocket is answered' "$(cast rpc --rpc-url "${other/http/ws}" eth_getBlockTransactionCountByHash "$hash")" '"0x1"'
has 'a method that is not there is said to be so' "$(refused cast rpc --rpc-url "$other" eth_noSuchMethod)" '-32601'
has 'a custom error is refused with its data' "$(refused cast call --rpc-url "$other" "$probe" 'failWithError(uint256,uint256)' 1 77)" "$(cast sig 'Refused(address,uint256)')"
has 'a legacy transaction is taken' "$(field type <<<"$(send --legacy "$to" --value 1)")" 0x0

# EIP-7702: an account delegates to the contract, and its own transaction runs the code.
account=$(cast wallet new --json)
own_key=$(field 0.private_key <<<"$account") own=$(field 0.address <<<"$account")
send "$own" --value 1ether >/dev/null
sent=$(cast send --rpc-url "$url" --private-key "$own_key" --auth "$probe" --json "$own" "$note" 1 mine 11 '')
is 'a delegation succeeds' "$(field status <<<"$sent")" 0x1
is 'it is of type 4' "$(field type <<<"$sent")" 0x4
there "$(field transactionHash <<<"$sent")" >/dev/null
is 'the code is the designation' "$(cast code --rpc-url "$other" "$own")" "0xef0100$(tr A-F a-f <<<"${probe#0x}")"
is 'the account itself has the storage' "$(cast call --rpc-url "$other" "$own" 'notes(uint256)(uint256)' 1)" 11
