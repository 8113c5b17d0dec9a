//! From the root towards a key: the nodes of a Merkle proof.

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles,
    nodes::{BranchNode, RlpNode, TrieNode},
};

use super::{TrieError, key_of};
use crate::StateReader;

/// The way to a key, which ends at its value or where it would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Walk {
    /// The nodes that are stored by themselves, the root first. Shorter ones are part of their parents.
    pub nodes: Vec<Bytes>,
    pub value: Option<Vec<u8>>,
}

/// Walks the trie with this root, whose nodes are stored under `prefix`. Every node is held against the hash that leads to it.
pub(crate) fn walk(prefix: &[u8], root: B256, key: B256, source: &dyn StateReader) -> Result<Walk, TrieError> {
    let key = Nibbles::unpack(key);
    let mut walk = Walk::default();
    let mut path = Nibbles::new();
    let mut next = (root != EMPTY_ROOT_HASH).then(|| RlpNode::word_rlp(&root));
    while let Some(reference) = next {
        let node = match reference.as_hash() {
            Some(hash) => {
                let rlp = read(prefix, &path, hash, source)?;
                walk.nodes.push(rlp.clone());
                decode(&rlp)?
            }
            None => decode(&reference)?,
        };
        let rest = key.slice(path.len()..);
        next = match node {
            TrieNode::EmptyRoot => return Err(TrieError::Malformed("an empty node below the root".into())),
            TrieNode::Leaf(leaf) => {
                walk.value = (leaf.key == rest).then_some(leaf.value);
                None
            }
            TrieNode::Extension(extension) => {
                path.extend(&extension.key);
                rest.starts_with(&extension.key).then_some(extension.child)
            }
            TrieNode::Branch(branch) => {
                let nibble = rest.first().ok_or_else(|| TrieError::Malformed("a branch below a whole key".into()))?;
                path.push(nibble);
                child(branch, nibble)
            }
        };
    }
    Ok(walk)
}

fn read(prefix: &[u8], path: &Nibbles, expected: B256, source: &dyn StateReader) -> Result<Bytes, TrieError> {
    let key = key_of(prefix, path);
    match source.node(&key)? {
        Some(rlp) if keccak256(&rlp) == expected => Ok(rlp.into()),
        Some(_) => Err(TrieError::Other { key: key.into(), expected }),
        None => Err(TrieError::Missing { key: key.into() }),
    }
}

fn decode(mut rlp: &[u8]) -> Result<TrieNode, TrieError> {
    TrieNode::decode(&mut rlp).map_err(|error| TrieError::Malformed(error.to_string()))
}

fn child(branch: BranchNode, nibble: u8) -> Option<RlpNode> {
    let before = (0..nibble).filter(|other| branch.state_mask.is_bit_set(*other)).count();
    if branch.state_mask.is_bit_set(nibble) { branch.stack.into_iter().nth(before) } else { None }
}
