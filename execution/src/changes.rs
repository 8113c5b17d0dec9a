//! What executing a block changes in the state.

use alloy_primitives::{Address, B256, Bytes, U256, map::HashMap};

use crate::Account;

/// Everything one block (or the genesis) writes into the state, flat and trie. Applied whole or not at all.
#[derive(Clone, Debug, Default)]
pub struct StateChanges {
    /// None removes the account.
    pub accounts: HashMap<Address, Option<Account>>,
    /// By account and slot key; 0 removes the slot.
    pub slots: HashMap<(Address, B256), U256>,
    /// New code by its hash. Code is never removed: others may share it.
    pub code: HashMap<B256, Bytes>,
    /// Trie nodes by key; none removes the node.
    ///
    /// ```text
    /// account trie:  00 ++ nibbles in the path ++ the path, packed
    /// storage trie:  01 ++ keccak(address) ++ nibbles in the path ++ the path, packed
    /// ```
    pub nodes: NodeChanges,
}

/// Trie nodes by key: the RLP to store, or none to remove it.
pub type NodeChanges = HashMap<Vec<u8>, Option<Bytes>>;
