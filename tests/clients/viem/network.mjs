// viem's clients of two validators: one is written to, the other is read from.

import { createPublicClient, createWalletClient, defineChain, http, parseEther, webSocket } from 'viem';
import { generatePrivateKey, mnemonicToAccount, privateKeyToAccount } from 'viem/accounts';
import { eventually, fact, WAIT_LIMIT_MS } from '../check.mjs';

const DEVELOPMENT_MNEMONIC = 'test test test test test test test test test test test junk';
const POLLING_INTERVAL_MS = 100;

export class Network {
  constructor(url, otherUrl, chain) {
    const account = mnemonicToAccount(process.env.MNEMONIC ?? DEVELOPMENT_MNEMONIC, { addressIndex: 0 });
    Object.assign(this, { url, otherUrl, chain, account });
    this.client = this.reader(http(url));
    this.other = this.reader(http(otherUrl));
    this.wallet = this.walletOf(account);
  }

  static async of(url, otherUrl) {
    const ids = await Promise.all([url, otherUrl].map((at) => createPublicClient({ transport: http(at) }).getChainId()));
    fact('both validators are on one chain', ids[0] === ids[1], ids);
    const nativeCurrency = { name: 'Ether', symbol: 'ETH', decimals: 18 };
    return new Network(url, otherUrl, defineChain({ id: ids[0], name: 'axolotl', nativeCurrency, rpcUrls: { default: { http: [url] } } }));
  }

  reader(transport, options = {}) {
    return createPublicClient({ chain: this.chain, pollingInterval: POLLING_INTERVAL_MS, transport, ...options });
  }

  walletOf(account, transport = http(this.url)) {
    return createWalletClient({ chain: this.chain, pollingInterval: POLLING_INTERVAL_MS, account, transport });
  }

  /** A socket to the validator that is not written to. */
  socket() {
    return webSocket(this.otherUrl.replace(/^http/, 'ws'), { reconnect: false });
  }

  /** Waits for the receipt here, then for the same receipt on the other validator. */
  async settled(name, hash) {
    const receipt = await this.client.waitForTransactionReceipt({ hash, timeout: WAIT_LIMIT_MS });
    fact(`${name} succeeds`, receipt.status === 'success', receipt);
    const there = await eventually(`${name} is on the other validator`, () => this.other.getTransactionReceipt({ hash }));
    fact(`${name} is in the same block on the other validator`, there.blockHash === receipt.blockHash, there);
    return there;
  }

  async deployed(name, { abi, bytecode }, args = []) {
    const { contractAddress } = await this.settled(name, await this.wallet.deployContract({ abi, bytecode, args }));
    return contractAddress;
  }

  /** An account nobody has seen, with one ether. */
  async newcomer() {
    const account = privateKeyToAccount(generatePrivateKey());
    await this.settled('money for a new account', await this.wallet.sendTransaction({ to: account.address, value: parseEther('1') }));
    return account;
  }
}
