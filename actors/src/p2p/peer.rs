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

use super::{
    Tap,
    metrics::P2pMetrics,
    tap::{Content, Frame},
};

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
    tap: Tap,
    validator: OnceLock<Address>,
    /// It asked how the current height is being decided, and is told from then on.
    listens: AtomicBool,
    /// Microseconds; `NONE` before the first pong.
    round_trip_us: AtomicU64,
    clock_offset_ms: AtomicI64,
    /// When it last said anything, in milliseconds of the monotonic clock.
    heard_ms: AtomicU64,
    /// The configuration names it.
    is_configured: AtomicBool,
    /// Why we end the session, once we do for something it did.
    left_for: OnceLock<&'static str>,
    inbound: Volume,
    outbound: Volume,
}

/// What went one way.
#[derive(Debug, Default)]
struct Volume {
    messages: AtomicU64,
    bytes: AtomicU64,
}

/// Messages, and the bytes of their frames before encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub messages: u64,
    pub bytes: u64,
}

impl Volume {
    fn add(&self, bytes: usize) {
        self.messages.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    fn read(&self) -> Traffic {
        Traffic { messages: self.messages.load(Relaxed), bytes: self.bytes.load(Relaxed) }
    }
}

const NONE: u64 = u64::MAX;

impl Peer {
    pub(super) fn new(key: SessionKey, link: Link, metrics: Arc<P2pMetrics>, tap: Tap, now: Duration) -> Self {
        Self(Arc::new(Inner {
            key,
            link,
            since: now,
            metrics,
            tap,
            validator: OnceLock::new(),
            listens: AtomicBool::new(false),
            round_trip_us: AtomicU64::new(NONE),
            clock_offset_ms: AtomicI64::new(0),
            heard_ms: AtomicU64::new(now.as_millis() as u64),
            is_configured: AtomicBool::new(false),
            left_for: OnceLock::new(),
            inbound: Volume::default(),
            outbound: Volume::default(),
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
            Ok(()) => self.sent(message),
            Err(SendError::Full(full)) if full.lane == Lane::Votes => self.0.link.outbound.close(),
            Err(_) => {}
        }
        sent
    }

    fn sent(&self, message: &Encoded) {
        let bytes = message.frame(self.0.link.outbound.codec()).map_or(0, |frame| frame.len());
        self.0.outbound.add(bytes);
        self.0.metrics.message(message.kind(), "outbound");
        if self.0.tap.is_open() {
            let content = if self.0.tap.is_whole() { Content::Whole(message.clone()) } else { Content::None };
            let (kind, lane) = (message.kind(), Some(message.lane().name()));
            self.0.tap.note(self.0.key, Frame { direction: "outbound", kind, lane, bytes, content });
        }
    }

    /// Bytes that wait for the socket in `lane`.
    pub fn queued_bytes(&self, lane: Lane) -> usize {
        self.0.link.outbound.queued_bytes(lane)
    }

    /// Whether the configuration names it.
    pub fn is_configured(&self) -> bool {
        self.0.is_configured.load(Relaxed)
    }

    /// What came from it.
    pub fn inbound(&self) -> Traffic {
        self.0.inbound.read()
    }

    /// What was queued for it.
    pub fn outbound(&self) -> Traffic {
        self.0.outbound.read()
    }

    /// It turned out to be a configured peer.
    pub(super) fn configure(&self) {
        self.0.is_configured.store(true, Relaxed);
    }

    /// Its session ends for something it did; false if that is known already.
    pub(super) fn leave(&self, reason: &'static str) -> bool {
        self.0.left_for.set(reason).is_ok()
    }

    /// Why we end its session, if we do for something it did.
    pub(super) fn left_for(&self) -> Option<&'static str> {
        self.0.left_for.get().copied()
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

    /// A message of so many bytes came.
    pub(super) fn heard(&self, bytes: usize, now: Duration) {
        self.0.inbound.add(bytes);
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
