// ethers against a network: what is sent to one validator is read from another.
//
//   node ethers.mjs RPC_URL OTHER_RPC_URL

import { Contract, ContractFactory, HDNodeWallet, JsonRpcProvider, NonceManager, Wallet, WebSocketProvider, ZeroAddress, id, isError, parseEther } from 'ethers';
import { Probe, Token } from './artefact.mjs';
import { eventually, fact, refused, WAIT_LIMIT_MS } from './check.mjs';

const [url, otherUrl = url] = process.argv.slice(2);
if (!url) {
  console.error('usage: node ethers.mjs RPC_URL OTHER_RPC_URL');
  process.exit(2);
}
const DEVELOPMENT_MNEMONIC = 'test test test test test test test test test test test junk';
/** The third development account, so that other clients may use theirs at the same time. */
const ACCOUNT = "m/44'/60'/0'/0/2";
const SUPPLY = 10n ** 24n;
const POLLING_INTERVAL_MS = 100;

const provider = new JsonRpcProvider(url, undefined, { pollingInterval: POLLING_INTERVAL_MS, cacheTimeout: -1 });
const other = new JsonRpcProvider(otherUrl, undefined, { pollingInterval: POLLING_INTERVAL_MS, cacheTimeout: -1 });
const wallet = HDNodeWallet.fromPhrase(process.env.MNEMONIC ?? DEVELOPMENT_MNEMONIC, undefined, ACCOUNT).connect(provider);

await batches();
await transactions();
const token = await deployed('a token', Token, SUPPLY);
const probe = await deployed('a contract of every kind', Probe);
await erc20();
await logs();
await reverts();
await polled();
await pushed();
await delegation();
process.exit(0);

/** Waits for the receipt here, then for the same receipt on the other validator. */
async function settled(name, transaction) {
  const receipt = await transaction.wait(1, WAIT_LIMIT_MS);
  fact(`${name} succeeds`, receipt.status === 1, receipt);
  const there = await eventually(`${name} is on the other validator`, () => other.getTransactionReceipt(transaction.hash));
  fact(`${name} is in the same block on the other validator`, there.blockHash === receipt.blockHash, there);
  return there;
}

async function deployed(name, { abi, bytecode }, ...args) {
  const contract = await new ContractFactory(abi, bytecode, wallet).deploy(...args);
  await contract.waitForDeployment();
  await settled(name, contract.deploymentTransaction());
  return contract;
}

async function batches() {
  const sent = [];
  const listen = ({ action, payload }) => action === 'sendRpcPayload' && sent.push(payload);
  const [here, there] = await Promise.all([provider.getNetwork(), other.getNetwork()]);
  fact('both validators are on one chain', here.chainId === there.chainId, [here, there]);
  await other.on('debug', listen);
  const addresses = Array.from({ length: 20 }, () => Wallet.createRandom().address);
  const answers = await Promise.all([other.getBlockNumber(), other.getFeeData(), ...addresses.map((address) => other.getBalance(address))]);
  await other.off('debug', listen);
  fact('calls made together are one batch', sent.some((payload) => Array.isArray(payload) && payload.length > 20), sent);
  fact('each call of a batch is answered', answers[0] >= 1 && answers[1].maxFeePerGas > 0n && answers.slice(2).every((balance) => balance === 0n), answers);
}

async function transactions() {
  const { gasPrice, maxFeePerGas, maxPriorityFeePerGas } = await provider.getFeeData();
  const accessList = [{ address: wallet.address, storageKeys: [`0x${'00'.repeat(32)}`] }];
  for (const [name, type, fees] of [
    ['a legacy transaction', 0, { gasPrice }],
    ['an EIP-2930 transaction', 1, { gasPrice, accessList }],
    ['an EIP-1559 transaction', 2, { maxFeePerGas, maxPriorityFeePerGas, accessList }],
  ]) {
    const to = Wallet.createRandom().address;
    const receipt = await settled(name, await wallet.sendTransaction({ type, to, value: parseEther('0.5'), ...fees }));
    fact(`${name} has its type and moves the money`, receipt.type === type && (await other.getBalance(to)) === parseEther('0.5'), receipt);
    const transaction = await other.getTransaction(receipt.hash);
    fact(`${name} is shown whole`, transaction.type === type && transaction.from === wallet.address && (transaction.accessList?.length ?? 0) === (type ? 1 : 0), transaction);
    const block = await other.getBlock(receipt.blockHash, true);
    fact(`${name} is in its block, whose hash is right`, block.prefetchedTransactions.some(({ hash }) => hash === receipt.hash), block);
    fact(`${name} pays the price of its receipt`, receipt.fee === receipt.gasPrice * receipt.gasUsed && receipt.gasPrice <= (maxFeePerGas ?? gasPrice), receipt);
  }
  const nonces = new NonceManager(wallet);
  const sent = await Promise.all([1n, 2n, 3n].map((value) => nonces.sendTransaction({ to: wallet.address, value })));
  const receipts = await Promise.all(sent.map((transaction) => transaction.wait(2, WAIT_LIMIT_MS)));
  fact('three transactions in flight are all confirmed twice', receipts.every((receipt) => receipt.status === 1), receipts);
  const stale = await refused('a used nonce', () => wallet.sendTransaction({ to: wallet.address, nonce: 0, gasLimit: 21_000 }));
  fact('a used nonce is refused by name', isError(stale, 'NONCE_EXPIRED'), stale.code);
  const broke = await refused('a transfer without money', () => Wallet.createRandom(provider).sendTransaction({ to: wallet.address, value: 1n, gasLimit: 21_000 }));
  fact('too little balance is refused by name', isError(broke, 'INSUFFICIENT_FUNDS'), broke.code);
}

async function erc20() {
  const to = Wallet.createRandom().address;
  fact('a static call returns what a transfer would', (await token.transfer.staticCall(to, 5n)) === true);
  await settled('a token transfer', await token.transfer(to, 5n));
  const there = token.connect(other);
  const balances = await Promise.all([there.balanceOf(to), there.balanceOf(wallet.address)]);
  fact('the other validator shows both balances', balances[0] === 5n && balances[1] === SUPPLY - 5n, balances);
  const found = await there.queryFilter(there.filters.Transfer(wallet.address, to));
  fact('the event is found by its indexed values', found.length === 1 && found[0].args.value === 5n, found);
}

async function logs() {
  const receipt = await settled('a transaction with three logs', await probe.note(7n, 'tag', 42n, 'a text', { value: 5n }));
  const noted = probe.interface.parseLog(receipt.logs[0]);
  fact('an indexed string is its hash', noted.args.tag.hash === id('tag') && noted.args.text === 'a text', noted);
  fact('an anonymous log has only its indexed values as topics', receipt.logs[2].topics.length === 1 && BigInt(receipt.logs[2].topics[0]) === 7n, receipt.logs);
  const found = await other.getLogs({ address: await probe.getAddress(), topics: [null, null, [receipt.logs[0].topics[2]]], blockHash: receipt.blockHash });
  fact('logs are found by block hash and a topic at its place', found.length === 1 && found[0].index === receipt.logs[0].index, found);
}

async function reverts() {
  const there = probe.connect(other);
  for (const [name, attempt, isAsExpected] of [
    ['a reason', () => there.failWithReason.staticCall(9n, 'because'), (error) => error.reason === 'because'],
    ['a custom error', () => there.failWithError.staticCall(9n, 77n), ({ revert }) => revert?.name === 'Refused' && revert.args.code === 77n],
    ['a panic', () => there.failWithPanic.staticCall(9n), ({ revert }) => revert?.name === 'Panic' && BigInt(revert.args[0]) === 0x11n],
    ['nothing', () => there.failWithNothing.staticCall(9n), (error) => error.data === '0x'],
  ]) {
    const error = await refused(`a revert with ${name}`, attempt);
    fact(`a revert with ${name} is understood`, isError(error, 'CALL_EXCEPTION') && isAsExpected(error), error);
  }
  const estimate = await refused('gas of a call that reverts', () => probe.failWithError(9n, 78n));
  fact('the estimate before sending names the error', estimate.action === 'estimateGas' && probe.interface.parseError(estimate.data)?.args.code === 78n, estimate);
  const sent = await probe.failWithReason(9n, 'because', { gasLimit: 100_000n });
  const error = await refused('waiting for a transaction that reverts', () => sent.wait(1, WAIT_LIMIT_MS));
  fact('waiting for a transaction that reverts tells so', isError(error, 'CALL_EXCEPTION') && error.receipt.status === 0, error);
}

/** Events over HTTP: ethers installs filters and polls them. */
async function polled() {
  await events('HTTP', other);
}

async function pushed() {
  const socket = new WebSocketProvider(otherUrl.replace(/^http/, 'ws'));
  await events('WebSocket', socket);
  const balances = await Promise.all(Array.from({ length: 50 }, () => socket.getBalance(wallet.address)));
  fact('WebSocket: fifty calls at once are all answered', balances.every((balance) => balance > 0n), balances);
  const signer = wallet.connect(socket);
  const receipt = await (await signer.sendTransaction({ to: wallet.address, value: 1n })).wait(1, WAIT_LIMIT_MS);
  const there = await eventually('WebSocket: the transaction is on the other validator', () => provider.getTransactionReceipt(receipt.hash));
  fact('WebSocket: a transaction is sent and waited for', there.blockHash === receipt.blockHash, there);
  await socket.destroy();
}

async function events(name, reader) {
  const there = token.connect(reader);
  const [transfers, blocks, pending, raw] = [[], [], [], []];
  const to = Wallet.createRandom().address;
  await there.on(there.filters.Transfer(null, to), (payload) => transfers.push({ value: payload.args.value, payload }));
  await reader.on('block', (number) => blocks.push(number));
  await reader.on('pending', (hash) => pending.push(hash));
  await reader.on({ address: await token.getAddress() }, (log) => raw.push(log));
  await eventually(`${name}: blocks come`, () => blocks.length > 0);

  const hashes = [];
  for (const value of [1n, 2n]) {
    const receipt = await settled(`${name}: a watched transfer`, await token.transfer(to, value));
    await settled(`${name}: a transfer to somebody else`, await token.transfer(Wallet.createRandom().address, value));
    hashes.push(receipt.hash);
  }
  await eventually(`${name}: contract.on hears of both transfers`, () => transfers.length >= 2);
  fact(`${name}: contract.on hears of each once, in order`, transfers.map(({ payload }) => payload.log.transactionHash).join() === hashes.join() && transfers[1].value === 2n, transfers.length);
  await eventually(`${name}: a filter by address hears of all four`, () => raw.length >= 4);
  await eventually(`${name}: waiting transactions are seen`, () => hashes.every((hash) => pending.includes(hash)));
  await eventually(`${name}: four blocks are seen`, () => blocks.length >= 4);
  fact(`${name}: no block is left out`, blocks.every((number, index) => index === 0 || number === blocks[index - 1] + 1), blocks);
  fact(`${name}: no log comes twice`, raw.length === 4, raw.length);
  await there.removeAllListeners();
  await reader.removeAllListeners();
}

async function delegation() {
  const account = Wallet.createRandom(provider);
  await settled('money for a new account', await wallet.sendTransaction({ to: account.address, value: parseEther('1') }));
  const address = await probe.getAddress();
  // The transaction itself takes the first nonce.
  const authorization = await account.authorize({ address, nonce: 1 });
  const data = probe.interface.encodeFunctionData('execute', [[{ to: ZeroAddress, value: 1n, data: '0x' }]]);
  const receipt = await settled('a delegation', await account.sendTransaction({ type: 4, to: account.address, data, authorizationList: [authorization] }));
  fact('it is of type 4 and the account runs the code', receipt.type === 4 && receipt.logs[0]?.address === account.address, receipt);
  const code = await other.getCode(account.address);
  fact('its code is the designation', code === `0xef0100${address.slice(2).toLowerCase()}`, code);
  const there = new Contract(account.address, Probe.abi, other);
  fact('the code is called at the account', (await there.notes(1n)) === 0n);
}
