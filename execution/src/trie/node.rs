//! Nodes in memory. They are shared between the tries of several blocks and copied when one of them changes.

use std::sync::Arc;

use alloy_rlp::Decodable;
use alloy_trie::{
    Nibbles,
    nodes::{RlpNode, TrieNode},
};

use super::TrieError;

/// How a node holds its child.
#[derive(Clone, Debug)]
pub(super) enum Link {
    /// By hash, to be loaded when needed; or the whole child if its RLP is shorter than a hash.
    Reference(RlpNode),
    Loaded(Arc<Node>),
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub kind: Kind,
    /// How the parent refers to it; none once it has changed.
    pub reference: Option<RlpNode>,
    /// A node is stored under this node's path, by this block or an earlier one.
    pub is_stored: bool,
    /// Loaded or changed since the trie was last pruned.
    pub is_touched: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Leaf { key: Nibbles, value: Vec<u8> },
    Extension { key: Nibbles, child: Link },
    Branch(Box<Children>),
}

pub(super) type Children = [Option<Link>; 16];

impl Link {
    /// Leaves an empty reference behind, to be overwritten before anybody looks.
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Reference(RlpNode::default()))
    }
}

impl From<Node> for Link {
    fn from(node: Node) -> Self {
        Self::Loaded(Arc::new(node))
    }
}

impl Node {
    /// A node that is stored nowhere yet.
    pub fn fresh(kind: Kind) -> Self {
        Self { kind, reference: None, is_stored: false, is_touched: true }
    }

    pub fn leaf(key: Nibbles, value: Vec<u8>) -> Self {
        Self::fresh(Kind::Leaf { key, value })
    }

    /// A branch, below an extension when `shared` is not empty.
    pub fn fork(shared: Nibbles, children: Box<Children>) -> Kind {
        match shared.is_empty() {
            true => Kind::Branch(children),
            false => Kind::Extension { key: shared, child: Self::fresh(Kind::Branch(children)).into() },
        }
    }

    /// Reads RLP that `reference` refers to.
    pub fn decode(mut rlp: &[u8], reference: RlpNode) -> Result<Self, TrieError> {
        let is_stored = reference.is_hash();
        let node = TrieNode::decode(&mut rlp).map_err(|error| TrieError::Malformed(error.to_string()))?;
        let kind = match node {
            TrieNode::EmptyRoot => return Err(TrieError::Malformed("an empty node is stored".into())),
            TrieNode::Leaf(leaf) => Kind::Leaf { key: leaf.key, value: leaf.value },
            TrieNode::Extension(extension) => Kind::Extension { key: extension.key, child: Link::Reference(extension.child) },
            TrieNode::Branch(branch) => {
                let mut children = Box::<Children>::default();
                let set = (0..16u8).filter(|nibble| branch.state_mask.is_bit_set(*nibble));
                for (nibble, child) in set.zip(branch.stack) {
                    children[nibble as usize] = Some(Link::Reference(child));
                }
                Kind::Branch(children)
            }
        };
        Ok(Self { kind, reference: Some(reference), is_stored, is_touched: true })
    }
}
