//! Merkle proofs of accounts and slots (EIP-1186).

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::EMPTY_ROOT_HASH;

use crate::{
    Account, StateReader, TrieError,
    trie::{Walk, account_prefix, storage_prefix, walk},
};

/// That an account is what it is, or is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountProof {
    /// None for an account that does not exist.
    pub account: Option<Account>,
    /// Nodes of the state trie, the root first; none when the state is empty.
    pub nodes: Vec<Bytes>,
    /// In the order they were asked for.
    pub slots: Vec<SlotProof>,
}

/// That a slot holds what it holds, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotProof {
    /// 0 for a slot that holds nothing.
    pub value: U256,
    /// Nodes of the account's storage trie, the root first; none when its storage is empty.
    pub nodes: Vec<Bytes>,
}

/// Proves `address` and its `slots` against the state root `root`, that of the header at the height of `state`.
pub fn prove(state: &dyn StateReader, root: B256, address: &Address, slots: &[B256]) -> Result<AccountProof, TrieError> {
    let Walk { nodes, value } = walk(&account_prefix(), root, keccak256(address), state)?;
    let account = value.map(|rlp| decoded::<Account>(&rlp)).transpose()?;
    let storage_root = account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
    let prefix = storage_prefix(address);
    let slot = |slot: &B256| {
        let Walk { nodes, value } = walk(&prefix, storage_root, keccak256(slot), state)?;
        Ok(SlotProof { value: value.map_or(Ok(U256::ZERO), |rlp| decoded(&rlp))?, nodes })
    };
    let slots = slots.iter().map(slot).collect::<Result<_, TrieError>>()?;
    Ok(AccountProof { account, nodes, slots })
}

fn decoded<T: Decodable>(mut rlp: &[u8]) -> Result<T, TrieError> {
    T::decode(&mut rlp).map_err(|error| TrieError::Malformed(error.to_string()))
}
