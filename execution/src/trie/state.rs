//! The state trie: accounts, and the storage of each.

use alloy_primitives::{Address, B256, U256, keccak256, map::HashMap};
use alloy_trie::EMPTY_ROOT_HASH;

use super::{Trie, TrieError};
use crate::{Account, StateChanges, StateReader};

/// Levels of the account trie that stay in memory, the root's among them: 70,000 nodes or 50 MB when full.
const ACCOUNT_LEVELS: usize = 5;
/// Levels of each remembered storage trie that stay in memory: 273 nodes when full.
const STORAGE_LEVELS: usize = 3;
/// Storage tries whose top stays in memory: those changed last.
const MAX_STORAGE_TRIES: usize = 64;

/// What the keys of the account trie's nodes begin with.
pub(crate) fn account_prefix() -> Vec<u8> {
    vec![0]
}

/// What the keys of the nodes of one account's storage trie begin with.
pub(crate) fn storage_prefix(address: &Address) -> Vec<u8> {
    [&[1][..], keccak256(address).as_slice()].concat()
}

/// What a block did to one account.
pub(crate) struct AccountUpdate {
    pub address: Address,
    /// Before the block.
    pub before: Option<Account>,
    /// After it, with a storage root that is still the old one; none if it is gone.
    pub after: Option<Account>,
    /// Slots that changed, with their new value.
    pub slots: Vec<(B256, U256)>,
}

/// The tries of one block. A clone is a fork of it.
#[derive(Clone, Debug)]
pub(crate) struct StateTrie {
    accounts: Trie,
    storages: HashMap<Address, Storage>,
}

#[derive(Clone, Debug)]
struct Storage {
    trie: Trie,
    /// The number of the block that changed it last.
    used: u64,
}

impl StateTrie {
    /// The state with this root.
    pub fn open(root: B256) -> Self {
        Self { accounts: Trie::open(account_prefix(), root), storages: HashMap::default() }
    }

    /// Applies what block `number` did: answers the new root and fills in `changes`. After an error it must not be used.
    pub fn apply(
        &mut self,
        number: u64,
        updates: Vec<AccountUpdate>,
        source: &dyn StateReader,
        changes: &mut StateChanges,
    ) -> Result<B256, TrieError> {
        let mut leaves = Vec::with_capacity(updates.len());
        for update in updates {
            let address = update.address;
            let after = self.settle(number, update, source, changes)?;
            leaves.push((keccak256(address), after.map(alloy_rlp::encode)));
            changes.accounts.insert(address, after);
        }
        let root = self.accounts.update(leaves.into_iter(), source, &mut changes.nodes)?;
        self.accounts.prune(ACCOUNT_LEVELS);
        self.forget_old_storages();
        Ok(root)
    }

    /// The account as it is after its slots are written.
    fn settle(
        &mut self,
        number: u64,
        update: AccountUpdate,
        source: &dyn StateReader,
        changes: &mut StateChanges,
    ) -> Result<Option<Account>, TrieError> {
        let root = update.before.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        let root = match update.slots.is_empty() {
            true => root,
            false => self.write(number, update.address, root, update.slots, source, changes)?,
        };
        match update.after {
            Some(account) => Ok(Some(Account { storage_root: root, ..account })),
            None if root == EMPTY_ROOT_HASH => Ok(None),
            // Since Cancun only an account made in the same transaction can go, and that one has no storage yet.
            None => Err(TrieError::StorageLeft(update.address)),
        }
    }

    fn write(
        &mut self,
        number: u64,
        address: Address,
        root: B256,
        slots: Vec<(B256, U256)>,
        source: &dyn StateReader,
        changes: &mut StateChanges,
    ) -> Result<B256, TrieError> {
        let open = || Storage { trie: Trie::open(storage_prefix(&address), root), used: number };
        let storage = self.storages.entry(address).or_insert_with(open);
        storage.used = number;
        let leaves = slots.iter().map(|(slot, value)| (keccak256(slot), (!value.is_zero()).then(|| alloy_rlp::encode(value))));
        let root = storage.trie.update(leaves, source, &mut changes.nodes)?;
        storage.trie.prune(STORAGE_LEVELS);
        changes.slots.extend(slots.into_iter().map(|(slot, value)| ((address, slot), value)));
        Ok(root)
    }

    fn forget_old_storages(&mut self) {
        let excess = self.storages.len().saturating_sub(MAX_STORAGE_TRIES);
        if excess == 0 {
            return;
        }
        let mut used: Vec<(u64, Address)> = self.storages.iter().map(|(address, storage)| (storage.used, *address)).collect();
        used.sort_unstable();
        for (_, address) in &used[..excess] {
            self.storages.remove(address);
        }
    }
}
