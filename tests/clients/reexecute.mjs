// An independent execution client executes an exported chain again, and refuses it when one byte differs.
//
//   node reexecute.mjs genesis.geth.json blocks.rlp HEAD_HASH
//
// The client is @ethereumjs/client, on loopback and without peers. It has executed a block when it can read the state behind the
// state root in that block's header.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fact } from './check.mjs';

/** Milliseconds until the client must answer: its start, and its execution of one block. */
const START_LIMIT_MS = 60_000;
const BLOCK_LIMIT_MS = 1_000;

const [genesis, exported, expected] = process.argv.slice(2);
if (!expected) {
  console.error('usage: node reexecute.mjs genesis.geth.json blocks.rlp HEAD_HASH');
  process.exit(2);
}
const directory = mkdtempSync(join(tmpdir(), 'reexecute-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

const chain = readFileSync(exported);
const blocks = split(chain);
fact('the export holds at least two blocks', blocks.length >= 2, blocks.length);

const head = await execute('whole', chain);
fact(`the independent client has the same head after ${blocks.length} blocks`, head.hash === expected && head.number === blocks.length, head);
fact('it executed every one of them', head.isExecuted, head.log);

// Every hash and every link stays right but the last block's own: only execution can tell.
const last = blocks.at(-1);
const wrongState = await execute('wrong-state', tampered(last.start + stateRootOffset(last.start)));
fact('a block whose state root differs in one byte is not executed', wrongState.hash !== expected && !wrongState.isExecuted, wrongState);
const wrongLink = await execute('wrong-middle', tampered(blocks[0].start + stateRootOffset(blocks[0].start)));
fact('a chain that differs in one byte early is not followed', wrongLink.hash !== expected && wrongLink.number < blocks.length, wrongLink);
process.exit(0);

/** Where each block of the file begins and ends. */
function split(bytes) {
  const found = [];
  for (let start = 0; start < bytes.length; ) {
    const end = start + list(bytes, start).total;
    found.push({ start, end });
    start = end;
  }
  return found;
}

/** Length of the RLP list at `at`: of its own header, and of all of it. */
function list(bytes, at) {
  const first = bytes[at];
  if (!(first >= 0xc0)) fact(`the export has a block at byte ${at}`, false, first);
  if (first < 0xf8) return { header: 1, total: 1 + first - 0xc0 };
  const width = first - 0xf7;
  return { header: 1 + width, total: 1 + width + bytes.readUIntBE(at + 1, width) };
}

/** First byte of the state root, counted from the begin of its block: after parent, ommers and beneficiary. */
function stateRootOffset(block) {
  const outer = list(chain, block).header;
  return outer + list(chain, block + outer).header + 33 + 33 + 21 + 1;
}

function tampered(at) {
  const bytes = Buffer.from(chain);
  bytes[at] ^= 1;
  return bytes;
}

/** Lets a fresh client execute `bytes`; what it takes for the head, and whether it has that block's state. */
async function execute(name, bytes) {
  const data = join(directory, name);
  const file = join(directory, `${name}.rlp`);
  writeFileSync(file, bytes);
  const [rpc, p2p] = await Promise.all([freePort(), freePort()]);
  const here = (path) => fileURLToPath(new URL(path, import.meta.url));
  const client = spawn(process.execPath, [
    '--import', here('loopback.mjs'), here('node_modules/@ethereumjs/client/dist/esm/bin/cli.js'),
    '--gethGenesis', resolve(genesis), '--dataDir', data, '--loadBlocksFromRlp', file, '--isSingleNode',
    '--rpc', '--rpcAddr', '127.0.0.1', '--rpcPort', String(rpc), '--port', String(p2p),
    '--discDns=false', '--discV4=false', '--bootnodes', '--maxPeers', '0', '--minPeers', '0', '--logFile', 'false',
  ], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [client.stdout, client.stderr]) stream.on('data', (text) => (log = (log + text).slice(-20_000)));
  const ended = new Promise((done) => client.once('exit', done));
  try {
    return await look(client, `http://127.0.0.1:${rpc}`, () => log);
  } finally {
    client.kill('SIGTERM');
    const impatience = setTimeout(() => client.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(impatience);
  }
}

/** A client that ends instead of answering has refused as well. */
async function look(client, url, log) {
  const deadline = Date.now() + START_LIMIT_MS + BLOCK_LIMIT_MS * blocks.length;
  while (Date.now() < deadline && client.exitCode === null) {
    const block = await call(url, 'eth_getBlockByNumber', ['latest', false]).catch(() => undefined);
    if (block?.result) {
      const { number, hash } = block.result;
      const balance = await call(url, 'eth_getBalance', [`0x${'00'.repeat(20)}`, 'latest']);
      return { number: Number(number), hash, isExecuted: balance.result !== undefined, log: log().slice(-2_000) };
    }
    await new Promise((done) => setTimeout(done, 200));
  }
  return { number: -1, hash: undefined, isExecuted: false, log: log().slice(-2_000) };
}

async function call(url, method, params) {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body, signal: AbortSignal.timeout(10_000) });
  return response.json();
}

function freePort() {
  return new Promise((done, failed) => {
    const server = createServer().once('error', failed);
    server.listen({ port: 0, host: '127.0.0.1' }, () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}
