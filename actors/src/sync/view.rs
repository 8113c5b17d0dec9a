//! Where this node stands among its peers, for anybody to look at.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use api::SyncStatus;
use parking_lot::RwLock;
use primitives::{Height, NodeId};

/// From this many heights behind a node counts as syncing.
const SYNCING_FROM: u64 = 3;

/// What sync knows; answers while the actor is away.
#[derive(Clone, Debug, Default)]
pub struct SyncView(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    target: AtomicU64,
    starting: AtomicU64,
    tips: RwLock<HashMap<NodeId, Height>>,
}

impl SyncView {
    pub(super) fn saw(&self, tip: Height, target: Height) {
        self.0.target.store(target.0, Ordering::Relaxed);
        if target.0 < tip.0 + SYNCING_FROM {
            self.0.starting.store(tip.0, Ordering::Relaxed);
        }
    }

    pub(super) fn heard(&self, peer: NodeId, tip: Height) {
        self.0.tips.write().insert(peer, tip);
    }

    pub(super) fn left(&self, peer: &NodeId) {
        self.0.tips.write().remove(peer);
    }

    pub(super) fn tips(&self) -> Vec<(NodeId, Height)> {
        self.0.tips.read().iter().map(|(peer, tip)| (*peer, *tip)).collect()
    }

    /// The tip that `peer` last reported.
    pub fn tip_of(&self, peer: &NodeId) -> Option<Height> {
        self.0.tips.read().get(peer).copied()
    }

    /// How many heights the best peer is ahead of `tip`.
    pub fn behind(&self, tip: Height) -> u64 {
        self.0.target.load(Ordering::Relaxed).saturating_sub(tip.0)
    }

    pub fn status(&self, current: Height) -> SyncStatus {
        let behind = self.behind(current);
        if behind < SYNCING_FROM {
            return SyncStatus::Synced;
        }
        SyncStatus::Syncing { starting: Height(self.0.starting.load(Ordering::Relaxed)), current, highest: Height(current.0 + behind) }
    }
}
