//! The state of block 0.

use alloy_primitives::{B256, U256, keccak256};
use primitives::{Genesis, Header};

use crate::{
    Account, MemoryState, StateChanges,
    trie::{AccountUpdate, StateTrie, TrieError},
};

/// What a database must hold before block 1.
#[derive(Clone, Debug)]
pub struct GenesisState {
    pub header: Header,
    pub hash: B256,
    /// Root of [`GenesisState::changes`]; the header's.
    pub root: B256,
    pub changes: StateChanges,
}

/// A genesis whose allocation is no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    #[error("the state root of the allocation is {found}, but the genesis header says {expected}")]
    Root { expected: B256, found: B256 },
    #[error(transparent)]
    Trie(#[from] TrieError),
}

/// The writes that make the genesis allocation.
pub fn genesis_state(genesis: &Genesis) -> Result<GenesisState, GenesisError> {
    let mut changes = StateChanges::default();
    let mut updates = Vec::with_capacity(genesis.alloc.len());
    for (address, entry) in &genesis.alloc {
        let mut account = Account { nonce: entry.nonce.unwrap_or_default(), balance: entry.balance, ..Account::default() };
        if let Some(code) = entry.code.as_ref().filter(|code| !code.is_empty()) {
            account.code_hash = keccak256(code);
            changes.code.insert(account.code_hash, code.clone());
        }
        let slots = entry.storage.iter().flatten().map(|(slot, value)| (*slot, U256::from_be_bytes(value.0))).filter(|(_, value)| !value.is_zero());
        updates.push(AccountUpdate { address: *address, before: None, after: Some(account), slots: slots.collect() });
    }
    let nothing = MemoryState::default();
    let mut trie = StateTrie::open(alloy_trie::EMPTY_ROOT_HASH);
    let root = trie.apply(0, updates, &nothing, &mut changes)?;
    match root == genesis.header().state_root {
        true => Ok(GenesisState { header: genesis.header().clone(), hash: genesis.hash(), root, changes }),
        false => Err(GenesisError::Root { expected: genesis.header().state_root, found: root }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use alloy_genesis::GenesisAccount;
    use alloy_primitives::{Address, Bytes};

    use super::*;
    use crate::testing;

    #[test]
    fn the_root_is_that_of_the_header() {
        let state = genesis_state(&testing::genesis()).unwrap();
        assert_eq!(state.root, testing::genesis().header().state_root);
        assert_eq!(state.changes.accounts.len(), testing::genesis().alloc.len());
    }

    #[test]
    fn code_and_storage_are_part_of_it() {
        let (address, slot) = (Address::repeat_byte(7), B256::with_last_byte(1));
        let storage = [(slot, B256::with_last_byte(9)), (B256::with_last_byte(2), B256::ZERO)].into_iter().collect();
        let account = GenesisAccount::default().with_nonce(Some(1)).with_code(Some(Bytes::from_static(&[0x00]))).with_storage(Some(storage));
        let genesis = testing::genesis().with(|genesis| drop(genesis.alloc.insert(address, account))).unwrap();
        let state = genesis_state(&genesis).unwrap();
        assert_eq!(state.root, genesis.header().state_root);
        assert_eq!(state.changes.slots.get(&(address, slot)), Some(&U256::from(9)));
        assert_eq!(state.changes.slots.len(), 1);
        assert!(state.changes.code.contains_key(&keccak256([0x00])));
    }
}
