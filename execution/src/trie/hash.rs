//! From changed nodes to the root, and back to few nodes in memory.

use std::sync::Arc;

use alloy_primitives::Bytes;
use alloy_trie::{
    Nibbles, TrieMask,
    nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef, RlpNode},
};
use rayon::prelude::*;

use super::{
    key_of,
    node::{Kind, Link, Node},
};

/// Nodes to store (or to remove, when they have become so short that their parent holds them).
pub(super) type Written = Vec<(Vec<u8>, Option<Bytes>)>;

/// How the parent refers to `link` at `path`; everything that changed below is hashed and written.
pub(super) fn reference(link: &mut Link, prefix: &[u8], path: &mut Nibbles, written: &mut Written) -> RlpNode {
    let node = match link {
        Link::Reference(reference) => return reference.clone(),
        Link::Loaded(node) => node,
    };
    if let Some(reference) = &node.reference {
        return reference.clone();
    }
    let node = Arc::make_mut(node);
    let mut rlp = Vec::with_capacity(128);
    let reference = encode(node, prefix, path, written, &mut rlp);
    // The root is stored however short it is: nobody else holds it.
    if reference.is_hash() || path.is_empty() {
        written.push((key_of(prefix, path), Some(rlp.into())));
        node.is_stored = true;
    } else if node.is_stored {
        written.push((key_of(prefix, path), None));
        node.is_stored = false;
    }
    node.reference = Some(reference.clone());
    reference
}

fn encode(node: &mut Node, prefix: &[u8], path: &mut Nibbles, written: &mut Written, rlp: &mut Vec<u8>) -> RlpNode {
    match &mut node.kind {
        Kind::Leaf { key, value } => LeafNodeRef::new(key, value).rlp(rlp),
        Kind::Extension { key, child } => {
            let depth = path.len();
            path.extend(key);
            let child = reference(child, prefix, path, written);
            path.truncate(depth);
            ExtensionNodeRef::new(key, &child).rlp(rlp)
        }
        Kind::Branch(children) => {
            let (mut stack, mut mask) = (Vec::with_capacity(16), TrieMask::default());
            for (nibble, child) in (0u8..).zip(children.iter_mut()) {
                let Some(child) = child else { continue };
                mask.set_bit(nibble);
                path.push(nibble);
                stack.push(reference(child, prefix, path, written));
                path.pop();
            }
            rlp.reserve(544);
            BranchNodeRef::new(&stack, mask).rlp(rlp)
        }
    }
}

/// Hashes the children of a changed root branch on all cores. What is left for [`reference`] is the root itself.
pub(super) fn hash_children_in_parallel(root: &mut Link, prefix: &[u8], written: &mut Written) {
    let Link::Loaded(root) = root else { return };
    if root.reference.is_some() {
        return;
    }
    let Kind::Branch(children) = &mut Arc::make_mut(root).kind else { return };
    let parts: Vec<Written> = children
        .par_iter_mut()
        .enumerate()
        .filter_map(|(nibble, child)| {
            let mut written = Written::new();
            reference(child.as_mut()?, prefix, &mut Nibbles::from_nibbles([nibble as u8]), &mut written);
            Some(written)
        })
        .collect();
    written.extend(parts.into_iter().flatten());
}

/// Forgets all but `levels` levels of hashed nodes. Looks only at what was touched since the last time.
pub(super) fn prune(link: &mut Link, levels: usize) {
    let Link::Loaded(node) = link else { return };
    if !node.is_touched {
        return;
    }
    if levels == 0
        && let Some(reference) = node.reference.clone()
    {
        *link = Link::Reference(reference);
        return;
    }
    let node = Arc::make_mut(node);
    node.is_touched = false;
    let below = levels.saturating_sub(1);
    match &mut node.kind {
        Kind::Leaf { .. } => {}
        Kind::Extension { child, .. } => prune(child, below),
        Kind::Branch(children) => children.iter_mut().flatten().for_each(|child| prune(child, below)),
    }
}
