//! The state that execution stands on, as seen from below: committed, consistent, at one height.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U256};
use primitives::Height;

/// An account as the state trie knows it: nonce, balance, storage root, code hash. Its RLP is the leaf of the trie.
pub type Account = alloy_trie::TrieAccount;

/// A consistent view of the state at one height. It never changes while it is held; a newer height is another reader.
///
/// All of it is synchronous: implementations read memory or a local database.
pub trait StateReader: Send + Sync {
    /// The height whose state this is.
    fn height(&self) -> Height;

    /// None for an account that does not exist.
    fn account(&self, address: &Address) -> Result<Option<Account>, ReadError>;

    /// The value at `slot` (the key as the contract knows it, not hashed); 0 when nothing is stored.
    fn slot(&self, address: &Address, slot: &B256) -> Result<U256, ReadError>;

    /// The code with this keccak hash.
    fn code(&self, hash: &B256) -> Result<Option<Bytes>, ReadError>;

    /// The RLP of a trie node by its key; see [`crate::StateChanges::nodes`].
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError>;

    /// Hash of the block at `number`, at or below [`StateReader::height`].
    fn block_hash(&self, number: u64) -> Result<Option<B256>, ReadError>;
}

impl<T: StateReader + ?Sized> StateReader for Arc<T> {
    fn height(&self) -> Height {
        T::height(self)
    }

    fn account(&self, address: &Address) -> Result<Option<Account>, ReadError> {
        T::account(self, address)
    }

    fn slot(&self, address: &Address, slot: &B256) -> Result<U256, ReadError> {
        T::slot(self, address, slot)
    }

    fn code(&self, hash: &B256) -> Result<Option<Bytes>, ReadError> {
        T::code(self, hash)
    }

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        T::node(self, key)
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, ReadError> {
        T::block_hash(self, number)
    }
}

/// Why the state could not be read. None of it says anything about a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the state is closed")]
    Closed,
    #[error("the state cannot be read: {0}")]
    Io(String),
    #[error("the state is damaged: {0}")]
    Corrupt(String),
    /// Its height was pruned while it was read.
    #[error("the state at height {asked} is not kept; kept are {from} to {to}")]
    NotKept { asked: Height, from: Height, to: Height },
    #[error("the state has no {0}")]
    Missing(String),
}

impl revm::database_interface::DBErrorMarker for ReadError {}
