//! The state in memory: for genesis, for tests, for tools.

use alloy_primitives::{Address, B256, Bytes, U256, map::HashMap};
use primitives::Height;

use crate::{Account, ReadError, StateChanges, StateReader};

/// A whole state in maps. A clone is an independent snapshot.
#[derive(Clone, Debug, Default)]
pub struct MemoryState {
    height: Height,
    accounts: HashMap<Address, Account>,
    slots: HashMap<(Address, B256), U256>,
    code: HashMap<B256, Bytes>,
    nodes: HashMap<Vec<u8>, Bytes>,
    hashes: HashMap<u64, B256>,
}

impl MemoryState {
    /// The state after `changes`, at the block with this number and hash.
    pub fn apply(&mut self, number: u64, hash: B256, changes: &StateChanges) {
        self.height = Height(number);
        self.hashes.insert(number, hash);
        for (address, account) in &changes.accounts {
            match account {
                Some(account) => self.accounts.insert(*address, *account),
                None => self.accounts.remove(address),
            };
        }
        for (key, value) in &changes.slots {
            match value.is_zero() {
                true => self.slots.remove(key),
                false => self.slots.insert(*key, *value),
            };
        }
        for (key, node) in &changes.nodes {
            match node {
                Some(node) => self.nodes.insert(key.clone(), node.clone()),
                None => self.nodes.remove(key),
            };
        }
        self.code.extend(changes.code.iter().map(|(hash, code)| (*hash, code.clone())));
    }

    /// Every account there is.
    pub fn accounts(&self) -> impl Iterator<Item = (&Address, &Account)> {
        self.accounts.iter()
    }

    /// The slots of one account that hold something.
    pub fn slots_of(&self, address: Address) -> impl Iterator<Item = (B256, U256)> {
        self.slots.iter().filter(move |((owner, _), _)| *owner == address).map(|((_, slot), value)| (*slot, *value))
    }

    /// Every trie node that is stored.
    pub fn nodes(&self) -> impl Iterator<Item = (&[u8], &Bytes)> {
        self.nodes.iter().map(|(key, node)| (key.as_slice(), node))
    }
}

impl StateReader for MemoryState {
    fn height(&self) -> Height {
        self.height
    }

    fn account(&self, address: &Address) -> Result<Option<Account>, ReadError> {
        Ok(self.accounts.get(address).copied())
    }

    fn slot(&self, address: &Address, slot: &B256) -> Result<U256, ReadError> {
        Ok(self.slots.get(&(*address, *slot)).copied().unwrap_or_default())
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytes>, ReadError> {
        Ok(self.code.get(hash).cloned())
    }

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.nodes.get(key).map(|node| node.to_vec()))
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, ReadError> {
        Ok(self.hashes.get(&number).copied())
    }
}
