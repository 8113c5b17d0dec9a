//! The directory of live sessions: for saying things to peers, and for knowing them.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use opentelemetry::{KeyValue, metrics::Meter};
use parking_lot::{Mutex, RwLock};
use primitives::{Clock, Domain, NodeId};
use wire::{Encoded, Lane, Message, Role, SendError, TooLarge, ValidatorProof};

use super::{
    Config, Peer, SessionKey, Tap,
    conduct::{Conduct, Culprit, Link, Parts},
    exempt::Exempt,
    metrics::P2pMetrics,
    stages::{Stage, Stages},
    trace,
};

/// Sessions that ended a moment ago: what their peers said may still turn out to be wrong.
const MAX_DEPARTED: usize = 64;

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
    conduct: Conduct,
    departed: Mutex<VecDeque<Peer>>,
    /// Where configured peers are, of those whose address is no name.
    configured: Vec<Culprit>,
    /// Without a set, anybody could prove to be one of as many validators as they like.
    knows_validators: bool,
    clock: Arc<dyn Clock>,
    stages: Stages,
    limits: Limits,
}

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sessions with nodes that have no right to a seat.
    pub max_strangers: usize,
    /// Connections that come from one IP address.
    pub max_per_ip: usize,
}

impl Peers {
    pub(super) fn new(config: &Config, metrics: P2pMetrics, meter: &Meter, clock: Arc<dyn Clock>) -> Self {
        let directory = Directory {
            domain: *config.identity.domain(),
            live: RwLock::default(),
            proof: RwLock::default(),
            metrics: Arc::new(metrics),
            exempt: Exempt::default(),
            tap: Tap::new(clock.clone()),
            numbers: AtomicU64::new(0),
            conduct: Conduct::new(clock.clone()),
            departed: Mutex::default(),
            configured: config.peers.iter().filter_map(|peer| peer.host.parse().ok()).map(Culprit::at).collect(),
            knows_validators: config.validators.is_some(),
            clock,
            stages: Stages::default(),
            limits: Limits { max_strangers: config.max_strangers, max_per_ip: config.max_per_ip },
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

    /// What peers did wrong and right, and who is banned.
    pub fn conduct(&self) -> &Conduct {
        &self.0.conduct
    }

    /// How many connections there may be.
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// What is thought of a peer, in its parts.
    pub fn score(&self, peer: &Peer) -> Parts {
        let age = self.0.clock.monotonic().saturating_sub(peer.since());
        self.0.conduct.score(&peer.node(), Link { round_trip: peer.round_trip(), age })
    }

    /// Whether a peer has a right to its seat: it is configured, or one of the latest nodes that proved to speak for a validator of the set.
    pub fn has_seat(&self, peer: &Peer) -> bool {
        peer.is_configured() || (self.0.knows_validators && peer.validator().is_some() && self.0.exempt.has(&peer.node()))
    }

    /// Whether both ends of this link have proved to speak for a validator.
    pub fn is_between_validators(&self, peer: &Peer) -> bool {
        peer.validator().is_some() && self.0.proof.read().is_some()
    }

    /// For a look at what is said.
    pub fn tap(&self) -> &Tap {
        &self.0.tap
    }

    pub(super) fn exempt(&self) -> &Exempt {
        &self.0.exempt
    }

    pub(super) fn is_configured_address(&self, ip: IpAddr) -> bool {
        self.0.configured.contains(&Culprit::at(ip))
    }

    /// A session of `node` that ended a moment ago.
    pub(super) fn departed(&self, node: &NodeId) -> Option<Peer> {
        self.0.departed.lock().iter().rev().find(|peer| peer.node() == *node).cloned()
    }

    pub(super) fn stages(&self) -> &Stages {
        &self.0.stages
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
        let Some(peer) = is_current.then(|| live.remove(&key.node)).flatten() else { return false };
        let mut departed = self.0.departed.lock();
        departed.push_back(peer);
        if MAX_DEPARTED < departed.len() {
            departed.pop_front();
        }
        true
    }

    fn observe(&self, meter: &Meter) {
        let directory = Arc::downgrade(&self.0);
        let sessions =
            meter.u64_observable_gauge("p2p_sessions").with_description("Connections by direction and state: handshake, open or draining.");
        let weak = directory.clone();
        sessions
            .with_callback(move |observer| {
                let Some(directory) = weak.upgrade() else { return };
                let live = directory.live.read();
                for role in [Role::Dialler, Role::Acceptor] {
                    let count = live.values().filter(|peer| peer.role() == role).count();
                    let labels = |state| [KeyValue::new("direction", role.direction()), KeyValue::new("state", state)];
                    observer.observe(count as u64, &labels("open"));
                    for stage in Stage::ALL {
                        observer.observe(directory.stages.count(role, stage), &labels(stage.name()));
                    }
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
