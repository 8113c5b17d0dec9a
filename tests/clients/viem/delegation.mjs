// EIP-7702: accounts that let a contract's code act for them.

import { encodeFunctionData, parseEventLogs, zeroAddress } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { Probe } from '../artefact.mjs';
import { fact, refused } from '../check.mjs';

const RECIPIENTS = ['0x00000000000000000000000000000000000000b1', '0x00000000000000000000000000000000000000b2'];

export async function delegation(network, probe) {
  const account = await network.newcomer();
  await own(network, probe, account);
  await sponsored(network, probe);
  await ended(network, account);
}

/** An account delegates and uses the code in one transaction of its own. */
async function own(network, probe, account) {
  const wallet = network.walletOf(account);
  const authorization = await wallet.signAuthorization({ contractAddress: probe.address, executor: 'self' });
  const note = encodeFunctionData({ abi: Probe.abi, functionName: 'note', args: [1n, 'mine', 11n, ''] });
  const calls = [...RECIPIENTS.map((to, index) => ({ to, value: BigInt(index + 1), data: '0x' })), { to: account.address, value: 0n, data: note }];
  const request = { to: account.address, authorizationList: [authorization], data: encodeFunctionData({ abi: Probe.abi, functionName: 'execute', args: [calls] }) };
  const estimated = await network.other.estimateGas({ account, ...request });
  const receipt = await network.settled('a delegation by the account itself', await wallet.sendTransaction(request));
  fact('it is of type 4 and its gas was estimated', receipt.type === 'eip7702' && receipt.gasUsed <= estimated, [receipt.type, receipt.gasUsed, estimated]);
  const names = parseEventLogs({ abi: Probe.abi, logs: receipt.logs }).map((log) => log.eventName).join();
  fact('the account runs the code and logs as itself', names === 'Noted,Plain,Executed' && receipt.logs.every((log) => log.address === account.address.toLowerCase()), names);

  const code = await network.other.getCode({ address: account.address });
  fact('its code is the designation', code === `0xef0100${probe.address.slice(2).toLowerCase()}`, code);
  const delegated = await network.other.getDelegation({ address: account.address });
  fact('viem reads the delegation', delegated?.toLowerCase() === probe.address.toLowerCase(), delegated);
  const stored = await network.other.readContract({ abi: Probe.abi, address: account.address, functionName: 'notes', args: [1n] });
  const elsewhere = await network.other.readContract({ ...probe, functionName: 'notes', args: [1n] });
  fact('it writes to the storage of the account, not of the contract', stored === 11n && elsewhere === 0n, [stored, elsewhere]);
  const balances = await Promise.all(RECIPIENTS.map((address) => network.other.getBalance({ address })));
  fact('its calls moved money', balances.join() === '1,2', balances);
  const nonce = await network.other.getTransactionCount({ address: account.address });
  fact('transaction and authorization each used a nonce', nonce === 2, nonce);
  const transaction = await network.other.getTransaction({ hash: receipt.transactionHash });
  const [shown] = transaction.authorizationList;
  fact('the other validator shows the authorization', shown.address.toLowerCase() === probe.address.toLowerCase() && shown.nonce === 1 && shown.r === authorization.r, shown);

  const stranger = () => network.other.simulateContract({ abi: Probe.abi, address: account.address, account: network.account, functionName: 'execute', args: [[]] });
  const error = await refused('a stranger uses the account', stranger);
  fact('the code protects the account from others', error.message.includes('NotTheAccount'), error.message);
}

/** Somebody else pays for the delegation of an account without money. */
async function sponsored(network, probe) {
  const poor = privateKeyToAccount(generatePrivateKey());
  const authorization = await network.wallet.signAuthorization({ account: poor, contractAddress: probe.address });
  const data = encodeFunctionData({ abi: Probe.abi, functionName: 'note', args: [2n, 'paid', 22n, ''] });
  await network.settled('a delegation that somebody else pays for', await network.wallet.sendTransaction({ to: poor.address, value: 3n, authorizationList: [authorization], data }));
  const stored = await network.other.readContract({ abi: Probe.abi, address: poor.address, functionName: 'notes', args: [2n] });
  fact('the account without money has the storage', stored === 22n, stored);
  fact('and was sent some', (await network.other.getBalance({ address: poor.address })) === 3n);
  const receipt = await network.settled('a plain transfer to it', await network.wallet.sendTransaction({ to: poor.address, value: 4n }));
  fact('a plain transfer to it runs its code', receipt.logs.length === 1 && receipt.gasUsed > 21_000n, receipt);
}

async function ended(network, account) {
  const wallet = network.walletOf(account);
  const authorization = await wallet.signAuthorization({ contractAddress: zeroAddress, executor: 'self' });
  await network.settled('the end of a delegation', await wallet.sendTransaction({ to: zeroAddress, authorizationList: [authorization] }));
  const code = await network.other.getCode({ address: account.address });
  fact('the account has no code again', code === undefined, code);
}
