"""web3.py against a network: what is sent to one validator is read from another.

check.py RPC_URL OTHER_RPC_URL
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from eth_account import Account
from web3 import AsyncWeb3, HTTPProvider, Web3, WebSocketProvider
from web3.exceptions import ContractCustomError, ContractLogicError, ContractPanicError, TransactionNotFound, Web3RPCError
from web3.middleware import SignAndSendRawMiddlewareBuilder
from web3.utils.subscriptions import LogsSubscription, NewHeadsSubscription, PendingTxSubscription

WAIT_LIMIT_S = 30
SUPPLY = 10**24
DEVELOPMENT_MNEMONIC = "test test test test test test test test test test test junk"
# The fourth development account, so that other clients may use theirs at the same time.
ACCOUNT = "m/44'/60'/0'/0/3"

CONTRACTS = Path(__file__).resolve().parent.parent / "contracts"


def fact(name, holds, found=None):
    if not holds:
        sys.exit(f"FAILED  {name}: found {found!r}")
    print(f"ok      {name}", flush=True)


def eventually(name, look):
    """Asks again until `look` gives something."""
    end = time.monotonic() + WAIT_LIMIT_S
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    fact(f"{name} within {WAIT_LIMIT_S} s", False, found)


def refused(name, kind, attempt):
    """The error of `kind` that `attempt` ends with; a success or any other error is a failure."""
    try:
        fact(name, False, attempt())
    except kind as error:
        return error


class Network:
    """Two validators of one chain; the first is written to, the other is read from."""

    def __init__(self, url, other_url):
        Account.enable_unaudited_hdwallet_features()
        self.account = Account.from_mnemonic(os.environ.get("MNEMONIC", DEVELOPMENT_MNEMONIC), account_path=ACCOUNT)
        self.here, self.other = (Web3(HTTPProvider(at)) for at in (url, other_url))
        self.socket_url = other_url.replace("http", "ws", 1)
        self.here.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(self.account), layer=0)
        self.here.eth.default_account = self.account.address
        ids = [at.eth.chain_id for at in (self.here, self.other)]
        fact("both validators are on one chain", ids[0] == ids[1], ids)

    def settled(self, name, sent, status=1):
        """Waits for the receipt here, then for the same receipt on the other validator."""
        receipt = self.here.eth.wait_for_transaction_receipt(sent, timeout=WAIT_LIMIT_S, poll_latency=0.1)
        fact(f"{name} has status {status}", receipt["status"] == status, receipt)
        there = eventually(f"{name} is on the other validator", lambda: self.receipt_there(sent))
        fact(f"{name} is in the same block on the other validator", there["blockHash"] == receipt["blockHash"], there)
        return there

    def receipt_there(self, sent):
        try:
            return self.other.eth.get_transaction_receipt(sent)
        except TransactionNotFound:
            return None

    def deployed(self, name, contract, *arguments):
        """The contract on both validators."""
        artefact = json.loads((CONTRACTS / f"{contract}.json").read_text())
        factory = self.here.eth.contract(abi=artefact["abi"], bytecode=artefact["bytecode"])
        address = self.settled(name, factory.constructor(*arguments).transact())["contractAddress"]
        return [at.eth.contract(address, abi=artefact["abi"]) for at in (self.here, self.other)]


def transfer(network):
    here, other = network.here, network.other
    to = Account.create().address
    receipt = network.settled("a transfer", here.eth.send_transaction({"to": to, "value": Web3.to_wei(1.5, "ether")}))
    fact("it is an EIP-1559 transaction of 21000 gas", receipt["type"] == 2 and receipt["gasUsed"] == 21_000, receipt)
    fact("the other validator shows the new balance", other.eth.get_balance(to) == 15 * 10**17)
    block = other.eth.get_block(receipt["blockHash"], full_transactions=True)
    fact("the block holds it", any(each["hash"] == receipt["transactionHash"] for each in block["transactions"]), block)


def by_hash(network):
    """EIP-1898: the block parameter as an object. The state is asked of the newest block, until a newer one takes its place."""
    other, to = network.other, network.account.address
    ask = other.manager.request_blocking

    def balances():
        block = other.eth.get_block("latest")
        named = {"blockHash": block["hash"].to_0x_hex()}
        try:
            return [ask("eth_getBalance", [to, at]) for at in (named, {**named, "requireCanonical": True}, {"blockNumber": hex(block["number"])}, hex(block["number"]))]
        except Web3RPCError:
            return None

    found = eventually("EIP-1898: balances by hash and by number", balances)
    fact("EIP-1898: a balance is the same by hash and by number", len(set(found)) == 1 and int(found[0], 16) > 0, found)
    refused("a hash that no block has", Web3RPCError, lambda: ask("eth_getBalance", [to, {"blockHash": "0x" + "11" * 32}]))
    fact("EIP-1898: a hash that no block has is refused", True)


def typed_transactions(network):
    here, other = network.here, network.other
    to = Account.create().address
    price = other.eth.gas_price
    for name, kind, fields in [
        ("a legacy transaction", 0, {"gasPrice": price}),
        ("an EIP-2930 transaction", 1, {"gasPrice": price, "accessList": [{"address": to, "storageKeys": ["0x" + "00" * 32]}]}),
    ]:
        receipt = network.settled(name, here.eth.send_transaction({"to": to, "value": 1, **fields}))
        shown = other.eth.get_transaction(receipt["transactionHash"])
        fact(f"{name} is shown as such", receipt["type"] == shown["type"] == kind and len(shown.get("accessList", [])) == kind, shown)
    history = other.eth.fee_history(3, "latest", [10, 90])
    fact("the fee history has a tip for each percentile", all(len(tips) == 2 for tips in history["reward"]), history)
    stale = refused("a used nonce", Web3RPCError, lambda: here.eth.send_transaction({"to": to, "value": 1, "nonce": 0}))
    fact("a used nonce is refused by name", "nonce too low" in str(stale), stale)


def token(network):
    here, other = network.deployed("a token", "Token", SUPPLY)
    recipients = [Account.create().address for _ in range(3)]
    transfers = other.events.Transfer.create_filter(from_block="latest", argument_filters={"to": recipients[:2]})
    blocks = network.other.eth.filter("latest")
    pending = network.other.eth.filter("pending")
    hashes = [here.functions.transfer(to, 10 + index).transact() for index, to in enumerate(recipients)]
    receipts = [network.settled("a token transfer", sent) for sent in hashes]

    found = transfers.get_new_entries()
    fact("a filter finds the transfers to those it names", [each["args"]["value"] for each in found] == [10, 11], found)
    fact("it finds each once", transfers.get_new_entries() == [])
    fact("all entries of a filter stay", len(transfers.get_all_entries()) == 2)
    fact("a filter of blocks finds theirs", {each["blockHash"] for each in receipts} <= set(blocks.get_new_entries()))
    waiting = pending.get_new_entries()
    fact("a filter of waiting transactions finds them", set(hashes) <= set(waiting), waiting)
    for each in (transfers, blocks, pending):
        fact("a filter is removed", network.other.eth.uninstall_filter(each.filter_id))
    refused("a filter that was removed is polled", Web3RPCError, transfers.get_new_entries)
    fact("a filter that was removed is gone", True)

    topic = Web3.keccak(text="Transfer(address,address,uint256)")
    logs = network.other.eth.get_logs({"address": other.address, "fromBlock": 0, "topics": [topic]})
    fact("get_logs finds every transfer, the first by the constructor", len(logs) == 4, logs)
    of_block = other.events.Transfer().get_logs(block_hash=receipts[0]["blockHash"])
    fact("get_logs finds those of one block", any(each["transactionHash"] == hashes[0] for each in of_block), of_block)
    processed = other.events.Transfer().process_receipt(receipts[2])
    fact("a receipt is read", processed[0]["args"]["to"] == recipients[2] and processed[0]["args"]["value"] == 12, processed)
    fact("the other validator shows a balance", other.functions.balanceOf(recipients[2]).call() == 12)


def reverts(network, here, other):
    error = refused("a reason", ContractLogicError, other.functions.failWithReason(9, "because").call)
    fact("a revert with a reason is understood", "because" in str(error), error)
    error = refused("a custom error", ContractCustomError, other.functions.failWithError(9, 77).call)
    selector = Web3.keccak(text="Refused(address,uint256)")[:4].hex()
    fact("a revert with a custom error has its data", selector in str(error.data), error)
    error = refused("a panic", ContractPanicError, other.functions.failWithPanic(9).call)
    fact("a revert with a panic is understood", "0x11" in str(error).lower() or "overflow" in str(error).lower(), error)
    network.settled("a transaction that reverts", here.functions.failWithReason(9, "because").transact({"gas": 100_000}), status=0)
    fact("nothing of it is kept", other.functions.notes(9).call() == 0)


async def subscriptions(network, here, other):
    """Pushed over a WebSocket to the other validator, while transactions go to the first."""
    seen = {"heads": [], "logs": [], "pending": []}

    def into(name):
        async def handler(context):
            seen[name].append(context.result)

        return handler

    async with AsyncWeb3(WebSocketProvider(network.socket_url)) as socket:
        noted = other.events.Noted().topic
        await socket.subscription_manager.subscribe(
            [
                NewHeadsSubscription(handler=into("heads")),
                LogsSubscription(address=other.address, topics=[noted], handler=into("logs")),
                PendingTxSubscription(handler=into("pending")),
            ]
        )
        listening = asyncio.create_task(socket.subscription_manager.handle_subscriptions(run_forever=True))
        hashes = []
        for key in (31, 32):
            sent = await asyncio.to_thread(lambda key=key: here.functions.note(key, "tag", key * 2, "text").transact())
            await asyncio.to_thread(network.settled, "a watched transaction", sent)
            hashes.append(sent)
        deadline = time.monotonic() + WAIT_LIMIT_S
        while time.monotonic() < deadline and (len(seen["logs"]) < 2 or len(seen["heads"]) < 4 or not set(hashes) <= set(seen["pending"])):
            await asyncio.sleep(0.05)
        fact("WebSocket: each log comes once, in order", [each["transactionHash"] for each in seen["logs"]] == hashes, seen["logs"])
        numbers = [head["number"] for head in seen["heads"]]
        fact("WebSocket: heads come without a gap", len(numbers) >= 4 and numbers == list(range(numbers[0], numbers[0] + len(numbers))), numbers)
        fact("WebSocket: waiting transactions come", set(hashes) <= set(seen["pending"]), seen["pending"])
        fact("WebSocket: calls are answered beside them", await socket.eth.get_balance(network.account.address) > 0)
        await socket.subscription_manager.unsubscribe_all()
        listening.cancel()


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    network = Network(*sys.argv[1:])
    transfer(network)
    by_hash(network)
    typed_transactions(network)
    token(network)
    here, other = network.deployed("a contract of every kind", "Probe")
    reverts(network, here, other)
    asyncio.run(subscriptions(network, here, other))


if __name__ == "__main__":
    main()
