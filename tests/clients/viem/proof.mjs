// Proofs of accounts and slots (EIP-1186), verified by an independent Merkle-Patricia trie against the state root of the block.

import { createMPTFromProof } from '@ethereumjs/mpt';
import { RLP } from '@ethereumjs/rlp';
import { bytesToBigInt, bytesToHex, encodeAbiParameters, hexToBytes, keccak256, pad } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { fact } from '../check.mjs';
import { SUPPLY } from './contracts.mjs';

/** `balanceOf` is the first mapping of the token. */
const BALANCES_SLOT = 0n;

export async function proof(network, token) {
  const { account, other, wallet } = network;
  const owner = account.address;
  const key = keccak256(encodeAbiParameters([{ type: 'address' }, { type: 'uint256' }], [owner, BALANCES_SLOT]));
  const absent = pad('0xff');
  const receipt = await network.settled('a transfer before the proof', await wallet.sendTransaction({ to: owner, value: 1n }));
  const at = { blockNumber: receipt.blockNumber };
  const [block, balance] = await Promise.all([other.getBlock(at), other.readContract({ ...token, functionName: 'balanceOf', args: [owner], ...at })]);
  const found = await other.getProof({ address: token.address, storageKeys: [key, absent], ...at });

  const [, , storageRoot, codeHash] = RLP.decode(await proved(block.stateRoot, token.address, found.accountProof));
  fact('the proof of an account leads to its storage and code', bytesToHex(storageRoot) === found.storageHash && bytesToHex(codeHash) === found.codeHash, found);
  const [held, missing] = found.storageProof;
  const value = bytesToBigInt(RLP.decode(await proved(found.storageHash, key, held.proof)));
  fact('the proof of a slot leads to its value', value === held.value && value === balance && value < SUPPLY, [value, held.value, balance]);
  fact('a slot that is not there is proved absent', missing.value === 0n && (await proved(found.storageHash, absent, missing.proof)) === null, missing);
  const nobody = privateKeyToAccount(generatePrivateKey()).address;
  const none = await other.getProof({ address: nobody, storageKeys: [], ...at });
  fact('an account that is not there is proved absent', none.balance === 0n && (await proved(block.stateRoot, nobody, none.accountProof)) === null, none);

  const before = await other.getBalance({ address: owner, blockNumber: receipt.blockNumber - 1n });
  const after = await other.getBalance({ address: owner, ...at });
  fact('the state before a block is still known', before - after === receipt.gasUsed * receipt.effectiveGasPrice, [before, after]);
}

/** What the trie with `root` holds at `key`, null if nothing; fails when `nodes` prove neither. */
async function proved(root, key, nodes) {
  const trie = await createMPTFromProof(nodes.map((node) => hexToBytes(node)), { root: hexToBytes(root), useKeyHashing: true });
  return trie.get(hexToBytes(key), true);
}
