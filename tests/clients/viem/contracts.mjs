// A token, and a contract of every kind of log, revert and storage: written through one validator, simulated and read on the other.

import { BaseError, ContractFunctionRevertedError, encodeFunctionData, keccak256, parseEventLogs, toHex } from 'viem';
import { Probe, Token } from '../artefact.mjs';
import { eventually, fact, refused, WAIT_LIMIT_MS } from '../check.mjs';

export const SUPPLY = 10n ** 24n;
const RECIPIENT = '0x00000000000000000000000000000000000000a1';

export async function contracts(network) {
  const token = { abi: Token.abi, address: await network.deployed('a token', Token, [SUPPLY]) };
  const probe = { abi: Probe.abi, address: await network.deployed('a contract of every kind', Probe) };
  await transfer(network, token);
  await logs(network, probe);
  await gas(network, probe);
  await reverts(network, probe);
  await transient(network, probe);
  await accessLists(network, probe);
  return { token, probe };
}

async function transfer(network, token) {
  const { account, other, wallet } = network;
  const { request, result } = await other.simulateContract({ account, ...token, functionName: 'transfer', args: [RECIPIENT, 1000n] });
  fact('a simulated transfer returns true', result === true, result);
  await network.settled('a token transfer', await wallet.writeContract(request));
  const owners = [RECIPIENT, account.address];
  const balances = await Promise.all(owners.map((owner) => other.readContract({ ...token, functionName: 'balanceOf', args: [owner] })));
  fact('the other validator shows both balances', balances[0] === 1000n && balances[1] === SUPPLY - 1000n, balances);
}

async function logs(network, probe) {
  const { account, other, wallet } = network;
  const args = [7n, 'tag', 42n, 'a text'];
  const receipt = await network.settled('a transaction with three logs', await wallet.writeContract({ ...probe, functionName: 'note', args, value: 5n }));
  fact('the logs of a receipt are numbered', receipt.logs.map((log) => log.logIndex).join() === '0,1,2', receipt.logs);
  const [noted] = parseEventLogs({ ...probe, eventName: 'Noted', logs: receipt.logs });
  fact('an indexed string is its hash', noted.args.tag === keccak256(toHex('tag')), noted.args);
  fact('what is not indexed is in the data', noted.args.value === 42n && noted.args.text === 'a text', noted.args);
  const nameless = receipt.logs[2];
  fact('an anonymous log has only its indexed values as topics', nameless.topics.length === 1 && BigInt(nameless.topics[0]) === 7n, nameless);

  const found = await other.getContractEvents({ ...probe, eventName: 'Noted', args: { by: account.address, key: [6n, 7n] }, blockHash: receipt.blockHash });
  fact('logs are found by two indexed values', found.length === 1 && found[0].transactionHash === receipt.transactionHash, found);
  const none = await other.getContractEvents({ ...probe, eventName: 'Noted', args: { key: 8n }, fromBlock: 0n });
  fact('other values find nothing', none.length === 0, none);
  const all = await other.getLogs({ address: probe.address, fromBlock: receipt.blockNumber, toBlock: receipt.blockNumber });
  fact('all logs of a contract are found, the anonymous one too', all.length === 3 && all[2].topics.length === 1, all);
  fact('a contract keeps the money it was sent', (await other.getBalance({ address: probe.address })) === 5n);
}

async function gas(network, probe) {
  const { account, other, wallet } = network;
  const call = { ...probe, account, functionName: 'burn' };
  const [small, large] = await Promise.all([10n, 1000n].map((rounds) => other.estimateContractGas({ ...call, args: [rounds] })));
  fact('more work costs more gas', large > small + 990n * 50n, [small, large]);
  const { request, result } = await other.simulateContract({ ...call, args: [1000n] });
  const receipt = await network.settled('work', await wallet.writeContract({ ...request, gas: large }));
  fact('what was estimated is enough and not much more', receipt.gasUsed <= large && large < receipt.gasUsed + receipt.gasUsed / 10n, [receipt.gasUsed, large]);
  const burned = await other.readContract({ ...probe, functionName: 'burned' });
  fact('a simulation returns what the transaction then writes', burned === result, [burned, result]);

  const hash = await wallet.writeContract({ ...request, gas: large / 2n });
  const starved = await network.client.waitForTransactionReceipt({ hash, timeout: WAIT_LIMIT_MS });
  fact('a transaction out of gas reverts and uses all of it', starved.status === 'reverted' && starved.gasUsed === large / 2n, starved);
}

async function reverts(network, probe) {
  const { account, client, other, wallet } = network;
  for (const [name, functionName, args, isAsExpected] of [
    ['a reason', 'failWithReason', [9n, 'because'], (error) => error.reason === 'because'],
    ['a custom error', 'failWithError', [9n, 77n], ({ data }) => data?.errorName === 'Refused' && data.args[0] === account.address && data.args[1] === 77n],
    ['a panic', 'failWithPanic', [9n], ({ data }) => data?.errorName === 'Panic' && data.args[0] === 0x11n],
    ['nothing', 'failWithNothing', [9n], (error) => error.data === undefined && (error.raw ?? '0x') === '0x'],
  ]) {
    const error = await refused(`a revert with ${name}`, () => other.simulateContract({ account, ...probe, functionName, args }));
    const reverted = error instanceof BaseError && error.walk((cause) => cause instanceof ContractFunctionRevertedError);
    fact(`a revert with ${name} is understood`, reverted && isAsExpected(reverted), error.message);
  }
  const hash = await wallet.writeContract({ ...probe, functionName: 'failWithError', args: [9n, 77n], gas: 100_000n });
  await client.waitForTransactionReceipt({ hash, timeout: WAIT_LIMIT_MS });
  const receipt = await eventually('it is on the other validator', () => other.getTransactionReceipt({ hash }));
  fact('a transaction that reverts is in a block and says so', receipt.status === 'reverted' && receipt.logs.length === 0, receipt);
  const kept = await other.readContract({ ...probe, functionName: 'notes', args: [9n] });
  fact('nothing of it is kept', kept === 0n, kept);
}

async function transient(network, probe) {
  for (const value of [5n, 6n]) {
    const hash = await network.wallet.writeContract({ ...probe, functionName: 'remember', args: [value] });
    const { logs } = await network.settled('a transaction with transient storage', hash);
    const [{ args }] = parseEventLogs({ ...probe, eventName: 'Remembered', logs });
    fact('transient storage holds within a transaction, and no longer', args.before === 0n && args.inside === value, args);
  }
}

async function accessLists(network, probe) {
  const { account, other, wallet } = network;
  const call = { to: probe.address, data: encodeFunctionData({ ...probe, functionName: 'burn', args: [1n] }) };
  const { accessList, gasUsed } = await other.createAccessList({ account, ...call });
  const slots = accessList.find(({ address }) => address === probe.address.toLowerCase())?.storageKeys;
  fact('an access list names the slot that is written', slots?.length === 1 && BigInt(slots[0]) === 1n, accessList);
  const receipt = await network.settled('a transaction with an access list', await wallet.sendTransaction({ ...call, accessList, gasPrice: await other.getGasPrice() }));
  fact('it is of type 1 and uses what the list said', receipt.type === 'eip2930' && receipt.gasUsed === gasUsed, receipt);
  const transaction = await other.getTransaction({ hash: receipt.transactionHash });
  fact('the other validator shows its access list', transaction.accessList.length === 1 && transaction.accessList[0].storageKeys.length === 1, transaction);
}
