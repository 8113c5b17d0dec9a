//! The directory of live sessions: for saying things to peers, and for knowing them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use opentelemetry::{KeyValue, metrics::Meter};
use parking_lot::RwLock;
use primitives::{Domain, NodeId};
use wire::{Encoded, Lane, Message, Role, SendError, TooLarge, ValidatorProof};

use super::{Peer, SessionKey, Tap, exempt::Exempt, metrics::P2pMetrics, trace};

/// Everybody who is connected. Cheap to clone, good through every restart; sending never waits.
#[derive(Clone)]
pub struct Peers(Arc<Directory>);

struct Directory {
    domain: Domain,
    live: RwLock<BTreeMap<NodeId, Peer>>,
    /// Our own proof, for those who come.
    proof: RwLock<Option<Encoded>>,
    metrics: Arc<P2pMetrics>,
    exempt: Exempt,
    tap: Tap,
    /// Number of the latest session.
    numbers: AtomicU64,
}

impl Peers {
    pub(super) fn new(domain: Domain, metrics: P2pMetrics, meter: &Meter, tap: Tap) -> Self {
        let directory = Directory {
            domain,
            live: RwLock::default(),
            proof: RwLock::default(),
            metrics: Arc::new(metrics),
            exempt: Exempt::default(),
            tap,
            numbers: AtomicU64::new(0),
        };
        let peers = Self(Arc::new(directory));
        peers.observe(meter);
        peers
    }

    /// Encodes a message for this chain, once for all peers, within the trace of whoever calls.
    pub fn encode(&self, message: Message) -> Result<Encoded, TooLarge> {
        Encoded::new(self.0.domain.chain_id, message, trace::here())
    }

    /// Everybody, sorted by node id.
    pub fn list(&self) -> Vec<Peer> {
        self.0.live.read().values().cloned().collect()
    }

    pub fn get(&self, node: &NodeId) -> Option<Peer> {
        self.0.live.read().get(node).cloned()
    }

    pub fn is_connected(&self, node: &NodeId) -> bool {
        self.0.live.read().contains_key(node)
    }

    /// Says it to everybody; returns how many it was queued for. A slow peer is skipped.
    pub fn broadcast(&self, message: &Encoded) -> usize {
        self.0.live.read().values().filter(|peer| peer.send(message).is_ok()).count()
    }

    /// Says it to one peer.
    pub fn send_to(&self, node: &NodeId, message: &Encoded) -> Result<(), SendError> {
        self.get(node).ok_or(SendError::Closed)?.send(message)
    }

    /// From now on everybody learns which validator this node speaks for.
    pub fn introduce(&self, proof: ValidatorProof) -> Result<(), TooLarge> {
        let proof = Encoded::new(self.0.domain.chain_id, Message::ValidatorProof(proof), None)?;
        *self.0.proof.write() = Some(proof.clone());
        self.broadcast(&proof);
        Ok(())
    }

    /// The median of how far the peers' clocks are ahead of ours, in milliseconds.
    pub fn clock_offset_ms(&self) -> Option<i64> {
        let mut offsets: Vec<i64> = self.0.live.read().values().filter_map(Peer::clock_offset_ms).collect();
        offsets.sort_unstable();
        offsets.get(offsets.len() / 2).copied()
    }

    /// For a look at what is said.
    pub fn tap(&self) -> &Tap {
        &self.0.tap
    }

    pub(super) fn exempt(&self) -> &Exempt {
        &self.0.exempt
    }

    pub(super) fn proof(&self) -> Option<Encoded> {
        self.0.proof.read().clone()
    }

    pub(super) fn domain(&self) -> &Domain {
        &self.0.domain
    }

    pub(super) fn metrics(&self) -> &Arc<P2pMetrics> {
        &self.0.metrics
    }

    pub(super) fn next_number(&self) -> u64 {
        self.0.numbers.fetch_add(1, Relaxed) + 1
    }

    pub(super) fn insert(&self, peer: Peer) {
        self.0.live.write().insert(peer.node(), peer);
    }

    /// Removes a session if it is still the one of its node.
    pub(super) fn remove(&self, key: &SessionKey) -> bool {
        let mut live = self.0.live.write();
        let is_current = live.get(&key.node).is_some_and(|peer| peer.key() == *key);
        is_current && live.remove(&key.node).is_some()
    }

    fn observe(&self, meter: &Meter) {
        let directory = Arc::downgrade(&self.0);
        let sessions = meter.u64_observable_gauge("p2p_sessions").with_description("Open sessions by direction.");
        let weak = directory.clone();
        sessions
            .with_callback(move |observer| {
                let Some(directory) = weak.upgrade() else { return };
                let live = directory.live.read();
                for role in [Role::Dialler, Role::Acceptor] {
                    let count = live.values().filter(|peer| peer.role() == role).count();
                    observer.observe(count as u64, &[KeyValue::new("direction", role.direction())]);
                }
            })
            .build();
        let queued = meter.u64_observable_gauge("p2p_send_queue_bytes").with_description("Bytes that wait for sockets, by lane.");
        queued
            .with_callback(move |observer| {
                let Some(directory) = directory.upgrade() else { return };
                let live = directory.live.read();
                for lane in Lane::ALL {
                    let bytes: usize = live.values().map(|peer| peer.queued_bytes(lane)).sum();
                    observer.observe(bytes as u64, &[KeyValue::new("lane", lane.name())]);
                }
            })
            .build();
    }
}
