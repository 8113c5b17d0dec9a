//! One live session, as others see it.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use primitives::{Address, NodeId};
use wire::{Encoded, Lane, Outbound, Role, SendError};

use super::metrics::P2pMetrics;

/// A session: the peer, and a number that no other session of this process run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey {
    pub node: NodeId,
    pub number: u64,
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.node, self.number)
    }
}

/// A handle to a session. Cheap to clone; after the session is over, sending answers `Closed`.
#[derive(Clone)]
pub struct Peer(Arc<Inner>);

/// What a session is made over.
pub(super) struct Link {
    pub role: Role,
    pub remote: Option<SocketAddr>,
    pub outbound: Outbound,
}

struct Inner {
    key: SessionKey,
    link: Link,
    /// Of the monotonic clock.
    since: Duration,
    metrics: Arc<P2pMetrics>,
    validator: OnceLock<Address>,
    /// It asked how the current height is being decided, and is told from then on.
    listens: AtomicBool,
    /// Microseconds; `NONE` before the first pong.
    round_trip_us: AtomicU64,
    clock_offset_ms: AtomicI64,
    /// When it last said anything, in milliseconds of the monotonic clock.
    heard_ms: AtomicU64,
}

const NONE: u64 = u64::MAX;

impl Peer {
    pub(super) fn new(key: SessionKey, link: Link, metrics: Arc<P2pMetrics>, now: Duration) -> Self {
        Self(Arc::new(Inner {
            key,
            link,
            since: now,
            metrics,
            validator: OnceLock::new(),
            listens: AtomicBool::new(false),
            round_trip_us: AtomicU64::new(NONE),
            clock_offset_ms: AtomicI64::new(0),
            heard_ms: AtomicU64::new(now.as_millis() as u64),
        }))
    }

    pub fn node(&self) -> NodeId {
        self.0.key.node
    }

    pub fn key(&self) -> SessionKey {
        self.0.key
    }

    /// Which side we are: a dialler's session is outbound.
    pub fn role(&self) -> Role {
        self.0.link.role
    }

    /// Where the peer is, as far as this end of the link knows.
    pub fn remote(&self) -> Option<SocketAddr> {
        self.0.link.remote
    }

    /// When the session began, by the monotonic clock.
    pub fn since(&self) -> Duration {
        self.0.since
    }

    /// The validator it has proved to speak for.
    pub fn validator(&self) -> Option<Address> {
        self.0.validator.get().copied()
    }

    /// Whether it is told how heights are decided: validators are, and whoever has asked.
    pub fn listens(&self) -> bool {
        self.0.listens.load(Relaxed) || self.validator().is_some()
    }

    pub(super) fn begins_to_listen(&self) {
        self.0.listens.store(true, Relaxed);
    }

    /// Of the latest ping that was answered.
    pub fn round_trip(&self) -> Option<Duration> {
        let us = self.0.round_trip_us.load(Relaxed);
        (us != NONE).then(|| Duration::from_micros(us))
    }

    /// How far the peer's clock is ahead of ours, in milliseconds.
    pub fn clock_offset_ms(&self) -> Option<i64> {
        self.round_trip().map(|_| self.0.clock_offset_ms.load(Relaxed))
    }

    /// Queues a message without waiting. A vote that finds no room closes the session, because nobody would say it again;
    /// anything else is the caller's to say again or not.
    pub fn send(&self, message: &Encoded) -> Result<(), SendError> {
        let sent = self.0.link.outbound.try_send(message);
        match &sent {
            Ok(()) => self.0.metrics.message(message.kind(), "outbound"),
            Err(SendError::Full(full)) if full.lane == Lane::Votes => self.0.link.outbound.close(),
            Err(_) => {}
        }
        sent
    }

    /// Bytes that wait for the socket in `lane`.
    pub fn queued_bytes(&self, lane: Lane) -> usize {
        self.0.link.outbound.queued_bytes(lane)
    }

    /// Takes no more, says what waits among the votes and closes the link.
    pub(super) fn close(&self) {
        self.0.link.outbound.close();
    }

    /// Whether this proof is news.
    pub(super) fn prove(&self, validator: Address) -> bool {
        self.0.validator.set(validator).is_ok()
    }

    pub(super) fn measured(&self, round_trip: Duration, clock_offset_ms: i64) {
        self.0.clock_offset_ms.store(clock_offset_ms, Relaxed);
        self.0.round_trip_us.store((round_trip.as_micros() as u64).min(NONE - 1), Relaxed);
    }

    pub(super) fn heard(&self, now: Duration) {
        self.0.heard_ms.store(now.as_millis() as u64, Relaxed);
    }

    /// How long it has said nothing.
    pub(super) fn silent_for(&self, now: Duration) -> Duration {
        Duration::from_millis((now.as_millis() as u64).saturating_sub(self.0.heard_ms.load(Relaxed)))
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({} {})", self.0.key, self.0.link.role.direction())
    }
}
