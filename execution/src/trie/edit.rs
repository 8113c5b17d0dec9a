//! Inserting and removing: which nodes change, which appear, which go.

use std::sync::Arc;

use alloy_trie::{Nibbles, nodes::RlpNode};

use super::{
    TrieError, key_of,
    node::{Children, Kind, Link, Node},
};
use crate::{NodeChanges, StateReader};

/// One round of changes to one trie.
pub(super) struct Edit<'a> {
    pub prefix: &'a [u8],
    pub source: &'a dyn StateReader,
    /// Receives the removal of every stored node that is gone or has moved.
    pub changes: &'a mut NodeChanges,
}

impl Edit<'_> {
    /// The subtree at `key[..depth]` with `value` under `key`.
    pub fn insert(&mut self, subtree: Option<Link>, key: &Nibbles, depth: usize, value: Vec<u8>) -> Result<Link, TrieError> {
        let Some(link) = subtree else { return Ok(Node::leaf(key.slice(depth..), value).into()) };
        let mut shared = self.load(link, &key.slice(..depth))?;
        let node = Arc::make_mut(&mut shared);
        node.reference = None;
        node.is_touched = true;
        let rest = key.slice(depth..);
        match &mut node.kind {
            Kind::Branch(children) => {
                let child = &mut children[usize::from(rest.get_unchecked(0))];
                *child = Some(self.insert(child.take(), key, depth + 1, value)?);
            }
            Kind::Leaf { key: own, value: current } if *own == rest => *current = value,
            Kind::Leaf { key: own, value: current } => {
                let (common, mut children) = (own.common_prefix_length(&rest), Box::<Children>::default());
                let moved = Node::leaf(own.slice(common + 1..), std::mem::take(current));
                children[usize::from(own.get_unchecked(common))] = Some(moved.into());
                children[usize::from(rest.get_unchecked(common))] = Some(Node::leaf(rest.slice(common + 1..), value).into());
                node.kind = Node::fork(rest.slice(..common), children);
            }
            Kind::Extension { key: own, child } => {
                let common = own.common_prefix_length(&rest);
                if common == own.len() {
                    *child = self.insert(Some(child.take()), key, depth + common, value)?;
                    return Ok(Link::Loaded(shared));
                }
                let mut children = Box::<Children>::default();
                // The child keeps its path; what is left of the extension moves below the new branch.
                let moved = match own.len() == common + 1 {
                    true => child.take(),
                    false => Node::fresh(Kind::Extension { key: own.slice(common + 1..), child: child.take() }).into(),
                };
                children[usize::from(own.get_unchecked(common))] = Some(moved);
                children[usize::from(rest.get_unchecked(common))] = Some(Node::leaf(rest.slice(common + 1..), value).into());
                node.kind = Node::fork(rest.slice(..common), children);
            }
        }
        Ok(Link::Loaded(shared))
    }

    /// The subtree at `key[..depth]` without `key`; none if nothing is left of it.
    pub fn remove(&mut self, subtree: Link, key: &Nibbles, depth: usize) -> Result<Option<Link>, TrieError> {
        let here = key.slice(..depth);
        let mut shared = self.load(subtree, &here)?;
        let rest = key.slice(depth..);
        let is_elsewhere = match &shared.kind {
            Kind::Leaf { key: own, .. } => *own != rest,
            Kind::Extension { key: own, .. } => !rest.starts_with(own),
            Kind::Branch(children) => children[usize::from(rest.get_unchecked(0))].is_none(),
        };
        if is_elsewhere {
            return Ok(Some(Link::Loaded(shared)));
        }
        let node = Arc::make_mut(&mut shared);
        node.reference = None;
        node.is_touched = true;
        match &mut node.kind {
            Kind::Leaf { .. } => {
                self.forget(node, &here);
                return Ok(None);
            }
            Kind::Extension { key: own, child } => {
                let below = depth + own.len();
                let left = self.remove(child.take(), key, below)?.ok_or(TrieError::Malformed("an extension without a branch".into()))?;
                let own = *own;
                node.kind = self.joined(own, left, &key.slice(..below))?;
            }
            Kind::Branch(children) => {
                let nibble = usize::from(rest.get_unchecked(0));
                if let Some(child) = children[nibble].take() {
                    children[nibble] = self.remove(child, key, depth + 1)?;
                }
                let mut left = (0..16u8).filter(|nibble| children[usize::from(*nibble)].is_some());
                if let (Some(only), None) = (left.next(), left.next())
                    && let Some(child) = children[usize::from(only)].take()
                {
                    let step = Nibbles::from_nibbles([only]);
                    let below = here.join(&step);
                    let child = Link::Loaded(self.load(child, &below)?);
                    node.kind = self.joined(step, child, &below)?;
                }
            }
        }
        Ok(Some(Link::Loaded(shared)))
    }

    /// What stands above `child` when only `key` leads to it: leaves and extensions merge, a branch gets an extension.
    fn joined(&mut self, key: Nibbles, child: Link, at: &Nibbles) -> Result<Kind, TrieError> {
        let mut shared = self.load(child, at)?;
        if matches!(shared.kind, Kind::Branch(_)) {
            return Ok(Kind::Extension { key, child: Link::Loaded(shared) });
        }
        let node = Arc::make_mut(&mut shared);
        self.forget(node, at);
        Ok(match &mut node.kind {
            Kind::Leaf { key: own, value } => Kind::Leaf { key: key.join(own), value: std::mem::take(value) },
            Kind::Extension { key: own, child } => Kind::Extension { key: key.join(own), child: child.take() },
            Kind::Branch(_) => return Err(TrieError::Malformed("a branch cannot merge".into())),
        })
    }

    fn forget(&mut self, node: &Node, at: &Nibbles) {
        if node.is_stored {
            self.changes.insert(key_of(self.prefix, at), None);
        }
    }

    /// The node behind `link`, which stands at `path`.
    fn load(&self, link: Link, path: &Nibbles) -> Result<Arc<Node>, TrieError> {
        match link {
            Link::Loaded(node) => Ok(node),
            Link::Reference(reference) if reference.is_hash() => self.read(reference, path).map(Arc::new),
            Link::Reference(reference) => Node::decode(&reference.clone(), reference).map(Arc::new),
        }
    }

    fn read(&self, reference: RlpNode, path: &Nibbles) -> Result<Node, TrieError> {
        let key = key_of(self.prefix, path);
        let rlp = self.source.node(&key)?.ok_or_else(|| TrieError::Missing { key: key.into() })?;
        Node::decode(&rlp, reference)
    }
}
