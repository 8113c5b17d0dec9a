//! What the node's configuration says about peers.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use primitives::{Address, NodeId, PeerAddress, ValidatorSet};
use wire::{Identity, Limits, Services};

use super::{book::MAX_ADDED, gossip::SEATS_PER_VALIDATOR};

/// Configuration of all p2p actors.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node key and the chain.
    pub identity: Identity,
    /// What one link may cost.
    pub limits: Limits,
    /// Where to listen; port 0 takes a free one and keeps it through restarts of the listener.
    pub listen: SocketAddr,
    /// Peers to stay connected to, for ever.
    pub peers: Vec<PeerAddress>,
    /// Whose proofs count, and who always has a seat. None, for whoever only listens: every proof counts, and no seat is kept.
    pub validators: Option<ValidatorSet>,
    /// Time between two pings on a link whose both ends have proved to speak for a validator.
    pub ping: Duration,
    /// Unanswered pings after which such a session is dead.
    pub misses: u32,
    /// Time between two pings on any other link; never less than `ping`.
    pub keepalive: Duration,
    /// Unanswered pings after which such a session is dead.
    pub keepalive_misses: u32,
    /// How peers are dialled again.
    pub redial: Redial,
    /// For a TCP connection to be established.
    pub connect: Duration,
    /// Time between two looks at our own door.
    pub self_dial: Duration,
    /// Sessions at a time with nodes that are neither configured nor speak for a validator.
    pub max_strangers: usize,
    /// Handshakes of strangers at a time.
    pub max_handshakes: usize,
    /// Inbound handshakes and sessions of one IP address at a time.
    pub max_per_ip: usize,
    /// Work that is demanded of strangers who come, in bits; more while too many come.
    pub stamp_bits: u8,
    /// Sessions at a time that we dial with nodes that are not configured.
    pub max_outbound: usize,
    /// Dials configured peers only, and says nothing about addresses: for a node behind sentries.
    pub is_private: bool,
    /// Nodes that nobody is told of.
    pub private_peers: BTreeSet<NodeId>,
    /// Where others reach us; none: where we listen, if that is one machine's address.
    pub advertise: Option<SocketAddr>,
    /// What we tell others that we offer.
    pub services: Services,
    /// For jitter.
    pub seed: u64,
}

/// Waits between attempts: doubled after each failure, with jitter.
#[derive(Clone, Copy, Debug)]
pub struct Redial {
    /// After the first failure.
    pub first: Duration,
    /// At most.
    pub cap: Duration,
    /// A session that lived this long makes up for earlier failures.
    pub stable: Duration,
}

impl Redial {
    /// Among validators: at most two seconds.
    pub const VALIDATOR: Self = Self { first: Duration::from_millis(50), cap: Duration::from_secs(2), stable: Duration::from_secs(60) };
}

impl Config {
    /// What validators use among each other. The node's file overrides single values.
    pub fn among_validators(identity: Identity, limits: Limits, listen: SocketAddr, peers: Vec<PeerAddress>, seed: u64) -> Self {
        Self {
            identity,
            limits,
            listen,
            peers,
            validators: None,
            ping: Duration::from_secs(1),
            misses: 3,
            keepalive: Duration::from_secs(30),
            keepalive_misses: 2,
            redial: Redial::VALIDATOR,
            connect: Duration::from_secs(3),
            self_dial: Duration::from_secs(5),
            max_strangers: 48,
            max_handshakes: 256,
            max_per_ip: 64,
            stamp_bits: 0,
            max_outbound: 16,
            is_private: false,
            private_peers: BTreeSet::new(),
            advertise: None,
            services: Services::BLOCKS,
            seed,
        }
    }

    /// Whether a proof for this validator counts.
    pub(super) fn is_validator(&self, address: &Address) -> bool {
        self.validators.as_ref().is_none_or(|set| set.get(address).is_some())
    }

    /// Validators of the set; 0 if it is not known.
    pub(super) fn validator_count(&self) -> usize {
        self.validators.as_ref().map_or(0, ValidatorSet::len)
    }

    /// Sessions at a time: seats that are kept, and those of strangers.
    pub(super) fn max_sessions(&self) -> usize {
        self.peers.len() + MAX_ADDED + self.max_outbound + SEATS_PER_VALIDATOR * self.validator_count() + self.max_strangers
    }
}
