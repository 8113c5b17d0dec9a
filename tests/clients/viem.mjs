// viem against a network: what is sent to one validator is read from another.
//
//   node viem.mjs RPC_URL OTHER_RPC_URL

import { BaseError, ContractFunctionRevertedError, parseEther, parseEventLogs } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { Counter } from './artefact.mjs';
import { eventually, fact, refused } from './check.mjs';
import { contracts } from './viem/contracts.mjs';
import { delegation } from './viem/delegation.mjs';
import { multicall } from './viem/multicall.mjs';
import { Network } from './viem/network.mjs';
import { proof } from './viem/proof.mjs';
import { watch } from './viem/watch.mjs';

const [url, otherUrl = url] = process.argv.slice(2);
if (!url) {
  console.error('usage: node viem.mjs RPC_URL OTHER_RPC_URL');
  process.exit(2);
}
const { abi } = Counter;
const network = await Network.of(url, otherUrl);
const { account, client, other, wallet } = network;
const settled = (name, hash) => network.settled(name, hash);

await transfer();
const counter = await deployment();
await calls(counter);
await reverts(counter);
await logs(counter);
await rejections();
const { token, probe } = await contracts(network);
await multicall(network, token, probe);
await watch(network, probe);
await delegation(network, probe);
await proof(network, token);
process.exit(0);

async function transfer() {
  const to = privateKeyToAccount(generatePrivateKey()).address;
  const hash = await wallet.sendTransaction({ to, value: parseEther('1.5') });
  const receipt = await settled('a transfer', hash);
  fact('a transfer costs 21000 gas', receipt.gasUsed === 21_000n, receipt.gasUsed);
  const balance = await other.getBalance({ address: to });
  fact('the other validator shows the new balance', balance === parseEther('1.5'), balance);
  const transaction = await other.getTransaction({ hash });
  fact('the other validator shows the transaction', transaction.from.toLowerCase() === account.address.toLowerCase() && transaction.value === parseEther('1.5'), transaction);
  const block = await other.getBlock({ blockHash: receipt.blockHash, includeTransactions: true });
  fact('the block holds the transaction', block.transactions[receipt.transactionIndex].hash === hash, block.transactions);
  const finalized = await eventually('the block is final', async () => {
    const latest = await other.getBlock({ blockTag: 'finalized' });
    return latest.number >= receipt.blockNumber && latest;
  });
  fact('what is decided is final', finalized.number >= receipt.blockNumber);
}

async function deployment() {
  const contractAddress = await network.deployed('a deployment', Counter, [7n]);
  const code = await other.getCode({ address: contractAddress });
  fact('the other validator has the code', code?.length > 2, code);
  return contractAddress;
}

async function calls(address) {
  const number = await other.readContract({ address, abi, functionName: 'number' });
  fact('a call reads what the constructor wrote', number === 7n, number);
  await settled('a contract call', await wallet.writeContract({ address, abi, functionName: 'set', args: [42n] }));
  const changed = await other.readContract({ address, abi, functionName: 'number' });
  fact('a call reads what a transaction wrote', changed === 42n, changed);
  const slot = await other.getStorageAt({ address, slot: '0x0' });
  fact('the slot holds it', BigInt(slot) === 42n, slot);
}

async function reverts(address) {
  for (const [name, functionName, args, expected] of [
    ['a failed requirement shows its reason', 'set', [42n], (error) => error.reason === 'counter: nothing changes'],
    ['a custom error shows its name and values', 'set', [1001n], (error) => error.data?.errorName === 'TooLarge' && error.data.args[0] === 1001n],
    ['a panic is told apart', 'divide', [0n], (error) => error.data?.errorName === 'Panic' && error.data.args[0] === 0x12n],
  ]) {
    const error = await refused(name, () => other.simulateContract({ account, address, abi, functionName, args }));
    const reverted = error instanceof BaseError && error.walk((cause) => cause instanceof ContractFunctionRevertedError);
    fact(name, reverted && expected(reverted), error.message);
  }
  const estimate = await refused('gas of a call that reverts', () => client.estimateContractGas({ account, address, abi, functionName: 'set', args: [42n] }));
  fact('estimating the gas of a call that reverts shows the reason', estimate.message.includes('counter: nothing changes'), estimate.message);
  const hash = await wallet.writeContract({ address, abi, functionName: 'set', args: [42n], gas: 100_000n });
  const receipt = await client.waitForTransactionReceipt({ hash, timeout: 30_000 });
  fact('a transaction that reverts has a receipt that says so', receipt.status === 'reverted', receipt.status);
}

async function logs(address) {
  const found = await other.getContractEvents({ address, abi, eventName: 'Changed', fromBlock: 0n });
  const values = found.map((log) => [log.args.from, log.args.to]);
  fact('getLogs finds both changes in order', JSON.stringify(values.map((pair) => pair.map(Number))) === '[[0,7],[7,42]]', values);
  const filtered = await other.getContractEvents({ address, abi, eventName: 'Changed', args: { to: [41n, 42n] }, fromBlock: 0n });
  fact('getLogs filters by an indexed value', filtered.length === 1 && filtered[0].args.to === 42n, filtered);
  const byHash = await other.getLogs({ blockHash: filtered[0].blockHash, address });
  fact('getLogs finds them by block hash', byHash.length === 1 && byHash[0].logIndex === filtered[0].logIndex, byHash);
  const receipt = await other.getTransactionReceipt({ hash: filtered[0].transactionHash });
  const parsed = parseEventLogs({ abi, logs: receipt.logs });
  fact('the receipt holds the same log', parsed.length === 1 && parsed[0].args.to === 42n, parsed);
}

async function rejections() {
  const nonce = await client.getTransactionCount({ address: account.address });
  const stale = await refused('a used nonce', () => wallet.sendTransaction({ to: account.address, value: 1n, nonce: nonce - 1 }));
  fact('a used nonce is refused by name', stale.message.toLowerCase().includes('nonce'), stale.message);
  const poor = network.walletOf(privateKeyToAccount(generatePrivateKey()));
  const broke = await refused('a transfer without money', () => poor.sendTransaction({ to: account.address, value: 1n, gas: 21_000n }));
  fact('too little balance is refused by name', /insufficient funds/i.test(broke.message), broke.message);
  const unknown = await refused('an unknown method', () => client.request({ method: 'eth_noSuchMethod' }));
  fact('an unknown method is exactly -32601', unknown.code === -32601, unknown.code);
}
