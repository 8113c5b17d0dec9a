// Watchers: pushed over a WebSocket, and polled over HTTP, each on the validator that is not written to.

import { http } from 'viem';
import { eventually, fact } from '../check.mjs';

/** Blocks that a watcher of blocks is left to see. */
const BLOCKS = 3;

export async function watch(network, probe) {
  await watchers('WebSocket', network, network.reader(network.socket()), probe, { poll: false });
  await watchers('HTTP', network, network.reader(http(network.otherUrl)), probe, { poll: true });
  await socketOnly(network, probe);
}

async function watchers(name, network, reader, probe, { poll }) {
  const blocks = watched((seen, onError) => reader.watchBlocks({ poll, emitMissed: true, onBlock: (block) => seen(block), onError }));
  const numbers = watched((seen, onError) => reader.watchBlockNumber({ poll, emitMissed: true, onBlockNumber: (number) => seen(number), onError }));
  const pending = watched((seen, onError) => reader.watchPendingTransactions({ poll, onTransactions: (hashes) => hashes.map(seen), onError }));
  const all = watched((seen, onError) => reader.watchEvent({ poll, address: probe.address, onLogs: (logs) => logs.map(seen), onError }));
  const args = { key: [21n, 23n] };
  const some = watched((seen, onError) => reader.watchContractEvent({ poll, ...probe, eventName: 'Noted', args, onLogs: (logs) => logs.map(seen), onError }));
  // A watcher says nothing when it is ready; all are once blocks come.
  await eventually(`${name}: watchers begin`, () => blocks.seen.length > 0 && numbers.seen.length > 0);
  if (poll) await network.other.request({ method: 'web3_clientVersion' });

  const hashes = [];
  for (const key of [21n, 22n, 23n]) {
    const hash = await network.wallet.writeContract({ ...probe, functionName: 'note', args: [key, name, key * 2n, 'watched'] });
    await network.settled(`${name}: a watched transaction`, hash);
    hashes.push(hash);
  }
  await eventually(`${name}: every log is seen`, () => all.seen.length >= 9);
  fact(`${name}: each log once, in order`, all.seen.map((log) => hashes.indexOf(log.transactionHash)).join() === '0,0,0,1,1,1,2,2,2', all.seen);
  await eventually(`${name}: logs are seen by indexed values`, () => some.seen.length >= 2);
  fact(`${name}: logs are chosen and read`, some.seen.map((log) => log.args.value).join() === '42,46', some.seen);
  await eventually(`${name}: waiting transactions are seen`, () => hashes.every((hash) => pending.seen.includes(hash)));
  await eventually(`${name}: blocks are seen`, () => blocks.seen.length > BLOCKS && numbers.seen.length > BLOCKS);
  fact(`${name}: no block is left out`, inSequence(blocks.seen.map((block) => block.number)) && inSequence(numbers.seen), blocks.seen.map((block) => block.number));
  const last = blocks.seen.at(-1);
  const block = await network.other.getBlock({ blockNumber: last.number });
  fact(`${name}: a block seen is the block of its number`, block.hash === last.hash && block.parentHash === last.parentHash, [block, last]);

  for (const watcher of [blocks, numbers, pending, all, some]) {
    watcher.stop();
    fact(`${name}: a watcher met no error`, watcher.errors.length === 0, watcher.errors.map(String));
  }
  await silence(name, network, blocks);
}

/** What one watcher was told. */
function watched(begin) {
  const watcher = { seen: [], errors: [] };
  watcher.stop = begin((one) => watcher.seen.push(one), (error) => watcher.errors.push(error));
  return watcher;
}

const inSequence = (numbers) => numbers.every((number, index) => index === 0 || number === numbers[index - 1] + 1n);

/** Nothing comes from a watcher that was stopped, while the chain goes on. */
async function silence(name, network, stopped) {
  // What was under way when it was stopped may still arrive with the next block.
  const first = await network.other.getBlockNumber({ cacheTime: 0 });
  const reaches = (height) => eventually(`block ${height}`, async () => (await network.other.getBlockNumber({ cacheTime: 0 })) >= height);
  await reaches(first + 1n);
  const told = stopped.seen.length;
  await reaches(first + 3n);
  fact(`${name}: a watcher that was stopped is told nothing more`, stopped.seen.length === told, stopped.seen.length - told);
}

/** Everything else goes over the same socket: reads, transactions, waiting, refusals. */
async function socketOnly(network, probe) {
  const reader = network.reader(network.socket());
  const wallet = network.walletOf(network.account, network.socket());
  const hash = await wallet.writeContract({ ...probe, functionName: 'note', args: [31n, 'socket', 32n, ''] });
  const receipt = await reader.waitForTransactionReceipt({ hash });
  fact('WebSocket: a transaction is sent and waited for', receipt.status === 'success', receipt);
  const there = await eventually('WebSocket: it is on the validator behind HTTP', () => network.client.getTransactionReceipt({ hash }));
  fact('WebSocket: it is in the same block there', there.blockHash === receipt.blockHash, there);
  const values = await Promise.all(Array.from({ length: 50 }, () => reader.readContract({ ...probe, functionName: 'notes', args: [31n] })));
  fact('WebSocket: fifty calls at once are all answered', values.every((value) => value === 32n), values);
  const error = await reader.request({ method: 'eth_noSuchMethod' }).catch((error) => error);
  fact('WebSocket: an unknown method is exactly -32601', error.code === -32601, error);
}
