//! Who is not spoken to, and until when.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parking_lot::RwLock;
use primitives::NodeId;

/// Bans at a time. When one more comes, the one that would end first does.
pub const MAX_BANS: usize = 4_096;

/// Banned nodes: neither dialled nor accepted until the time of day that is noted. Cheap to clone and to ask, good through every
/// restart of the actors; the store writes it to disk.
#[derive(Clone, Debug, Default)]
pub struct Bans(Arc<RwLock<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// In milliseconds since the Unix epoch.
    until_ms: BTreeMap<NodeId, u64>,
    /// Whose ban is not on disk as it is.
    changed: BTreeSet<NodeId>,
}

impl Bans {
    pub fn is_banned(&self, node: &NodeId, now_ms: u64) -> bool {
        self.until(node).is_some_and(|until_ms| now_ms < until_ms)
    }

    /// When the ban of a node ends, or ended.
    pub fn until(&self, node: &NodeId) -> Option<u64> {
        self.0.read().until_ms.get(node).copied()
    }

    /// From now until then. A longer ban stays.
    pub fn ban(&self, node: NodeId, until_ms: u64) {
        let mut inner = self.0.write();
        let until = inner.until_ms.entry(node).or_default();
        *until = until_ms.max(*until);
        inner.changed.insert(node);
        while MAX_BANS < inner.until_ms.len() {
            let Some(first) = inner.until_ms.iter().min_by_key(|(_, until)| **until).map(|(node, _)| *node) else { return };
            inner.until_ms.remove(&first);
            inner.changed.insert(first);
        }
    }

    /// Whether it was banned.
    pub fn unban(&self, node: &NodeId) -> bool {
        let mut inner = self.0.write();
        inner.changed.insert(*node);
        inner.until_ms.remove(node).is_some()
    }

    /// All of them, and when each ends.
    pub fn list(&self) -> Vec<(NodeId, u64)> {
        self.0.read().until_ms.iter().map(|(node, until)| (*node, *until)).collect()
    }

    /// Forgets those that are over.
    pub(crate) fn expire(&self, now_ms: u64) {
        let over: Vec<_> = self.list().into_iter().filter(|(_, until)| *until <= now_ms).collect();
        over.iter().for_each(|(node, _)| _ = self.unban(node));
    }

    /// What was read from disk; what was said meanwhile counts more.
    pub(crate) fn restore(&self, node: NodeId, until_ms: u64) {
        let mut inner = self.0.write();
        if inner.until_ms.len() < MAX_BANS && !inner.changed.contains(&node) {
            inner.until_ms.insert(node, until_ms);
        }
    }

    pub(crate) fn take_changed(&self) -> BTreeSet<NodeId> {
        std::mem::take(&mut self.0.write().changed)
    }

    pub(crate) fn mark(&self, node: NodeId) {
        self.0.write().changed.insert(node);
    }
}

#[cfg(test)]
mod tests {
    use primitives::Address;

    use super::*;

    fn node(number: u64) -> NodeId {
        NodeId(Address::from_slice(&[&[0; 12][..], &number.to_be_bytes()].concat()))
    }

    #[test]
    fn a_ban_ends_at_its_time_or_when_it_is_lifted() {
        let bans = Bans::default();
        bans.ban(node(1), 1_000);
        bans.ban(node(1), 500);
        assert!(bans.is_banned(&node(1), 999) && !bans.is_banned(&node(1), 1_000) && !bans.is_banned(&node(2), 0));
        assert!(bans.clone().unban(&node(1)) && !bans.is_banned(&node(1), 0));
        bans.ban(node(2), 10);
        bans.expire(10);
        assert_eq!(bans.list(), []);
    }

    #[test]
    fn the_ban_that_ends_first_makes_room_for_one_more() {
        let bans = Bans::default();
        (0..=MAX_BANS as u64).for_each(|number| bans.ban(node(number), 10_000 + number));
        assert_eq!(bans.list().len(), MAX_BANS);
        assert!(!bans.is_banned(&node(0), 0) && bans.is_banned(&node(1), 0));
    }
}
