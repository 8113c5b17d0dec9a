//! A Merkle-Patricia trie whose nodes are stored under their path.
//!
//! There is one current version of each path, so a change overwrites what it replaces and nothing is left behind to be
//! collected. Nodes load when a change passes them; the top levels stay in memory. A clone is a fork: it shares all
//! nodes, and copies those that it changes.

mod edit;
mod hash;
mod node;
mod state;
mod walk;

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, nodes::RlpNode};

pub(crate) use state::{AccountUpdate, StateTrie, account_prefix, storage_prefix};
pub(crate) use walk::{Walk, walk};

use crate::{NodeChanges, ReadError, StateReader};
use edit::Edit;
use node::Link;

/// Changed keys from which hashing is spread over all cores; below, waking them costs more than it saves.
const PARALLEL_FROM: usize = 256;

/// The trie cannot be followed. Says nothing about a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrieError {
    #[error("trie node {key} is not stored")]
    Missing { key: Bytes },
    #[error("a trie node is malformed: {0}")]
    Malformed(String),
    #[error("trie node {key} is another than the {expected} that is referred to")]
    Other { key: Bytes, expected: B256 },
    #[error("account {0} is removed, but has storage")]
    StorageLeft(alloy_primitives::Address),
    #[error(transparent)]
    Read(#[from] ReadError),
}

#[derive(Clone, Debug)]
pub(crate) struct Trie {
    prefix: Vec<u8>,
    root: Option<Link>,
}

impl Trie {
    /// The trie with this root, whose nodes are stored under `prefix`.
    pub fn open(prefix: Vec<u8>, root: B256) -> Self {
        let root = (root != EMPTY_ROOT_HASH).then(|| Link::Reference(RlpNode::word_rlp(&root)));
        Self { prefix, root }
    }

    /// Sets (or, with none, removes) each key, and answers the new root. After an error the trie must not be used.
    pub fn update(
        &mut self,
        updates: impl ExactSizeIterator<Item = (B256, Option<Vec<u8>>)>,
        source: &dyn StateReader,
        changes: &mut NodeChanges,
    ) -> Result<B256, TrieError> {
        let is_large = updates.len() >= PARALLEL_FROM;
        let mut edit = Edit { prefix: &self.prefix, source, changes };
        for (key, value) in updates {
            let key = Nibbles::unpack(key);
            self.root = match (self.root.take(), value) {
                (root, Some(value)) => Some(edit.insert(root, &key, 0, value)?),
                (Some(root), None) => edit.remove(root, &key, 0)?,
                (None, None) => None,
            };
        }
        Ok(self.hash(is_large, changes))
    }

    /// Keeps `levels` levels in memory, the root being the first.
    pub fn prune(&mut self, levels: usize) {
        if let Some(root) = &mut self.root {
            hash::prune(root, levels);
        }
    }

    fn hash(&mut self, is_large: bool, changes: &mut NodeChanges) -> B256 {
        let Some(root) = &mut self.root else { return EMPTY_ROOT_HASH };
        let mut written = Vec::new();
        if is_large {
            hash::hash_children_in_parallel(root, &self.prefix, &mut written);
        }
        let reference = hash::reference(root, &self.prefix, &mut Nibbles::new(), &mut written);
        changes.extend(written);
        reference.as_hash().unwrap_or_else(|| keccak256(&*reference))
    }
}

/// Where the node at `path` is stored.
fn key_of(prefix: &[u8], path: &Nibbles) -> Vec<u8> {
    let mut key = Vec::with_capacity(prefix.len() + 1 + path.byte_len());
    key.extend_from_slice(prefix);
    key.push(path.len() as u8);
    key.extend_from_slice(&path.pack());
    key
}

#[cfg(test)]
mod tests;
