// Many calls in one: a deployed Multicall3, one that exists only during the call, and JSON-RPC batches.

import { http, parseAbi } from 'viem';
// The contract as everybody knows it, the creation code that viem itself uses.
import { multicall3Bytecode } from '../node_modules/viem/_esm/constants/contracts.js';
import { fact } from '../check.mjs';
import { SUPPLY } from './contracts.mjs';

const AGGREGATE = parseAbi(['function getBlockNumber() view returns (uint256)', 'function getEthBalance(address) view returns (uint256)']);

export async function multicall(network, token, probe) {
  const address = await network.deployed('Multicall3', { abi: [], bytecode: multicall3Bytecode });
  const chain = { ...network.chain, contracts: { multicall3: { address } } };
  const other = network.reader(http(network.otherUrl), { chain });
  const contracts = [
    { ...token, functionName: 'totalSupply' },
    { ...token, functionName: 'symbol' },
    { ...probe, functionName: 'failWithReason', args: [1n, 'because'] },
    { address, abi: AGGREGATE, functionName: 'getBlockNumber' },
    { address, abi: AGGREGATE, functionName: 'getEthBalance', args: [probe.address] },
  ];
  check('a multicall', await other.multicall({ contracts }));
  const { multicall3: _, ...bare } = chain.contracts;
  check('a multicall by a contract that is not deployed', await network.reader(http(network.otherUrl), { chain: { ...chain, contracts: bare } }).multicall({ contracts, deployless: true }));
  await gathered(network, chain, token);
}

function check(name, [supply, symbol, failing, number, balance]) {
  fact(`${name} returns each result`, supply.result === SUPPLY && symbol.result === 'LOAD' && balance.result === 5n, [supply, symbol, balance]);
  fact(`${name} keeps a revert to itself`, failing.status === 'failure' && failing.error.message.includes('because'), failing.error?.message);
  fact(`${name} knows its block`, number.result > 0n, number);
}

/** Calls made at the same time are put into one request by viem itself, in both of its ways. */
async function gathered(network, chain, token) {
  const bodies = [];
  const counted = (options) => http(network.otherUrl, { ...options, onFetchRequest: (_, { body }) => void bodies.push(JSON.parse(body)) });
  const ask = (client) => Promise.all(['symbol', 'name', 'decimals', 'totalSupply'].map((functionName) => client.readContract({ ...token, functionName })));

  const batched = await ask(network.reader(counted({ batch: true })));
  fact('four calls are one JSON-RPC batch', bodies.length === 1 && bodies[0].length === 4, bodies);
  bodies.length = 0;
  const aggregated = await ask(network.reader(counted(), { chain, batch: { multicall: true } }));
  fact('four calls are one call of Multicall3', bodies.length === 1 && bodies[0].method === 'eth_call', bodies);
  const expected = ['LOAD', 'Axolotl Load', 18, SUPPLY].join();
  fact('both return the same', batched.join() === expected && aggregated.join() === expected, [batched, aggregated]);
}
