//! What one link may cost.

use std::time::Duration;

use crate::{Codec, Lane};

/// Limits of one link.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For TLS to be established.
    pub tls: Duration,
    /// For hello, proof and the WebSocket upgrade together, after TLS.
    pub hello: Duration,
    /// Bytes a stranger may send during TLS, and again during the hello.
    pub handshake_bytes: usize,
    /// For one turn of writing to be taken by the socket.
    pub flush: Duration,
    /// For what waits in the lane of votes to leave after a close.
    pub farewell: Duration,
    /// The codecs we have, the most wanted first.
    pub codecs: Vec<Codec>,
    /// What may wait for the socket.
    pub queues: QueueLimits,
}

/// Encoded bytes that may wait in each lane of one link.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    pub votes: usize,
    pub proposals: usize,
    pub transactions: usize,
    pub bulk: usize,
}

impl Limits {
    /// The limits of DESIGN: 5 s and 4 KiB before identity is proved, and queues far above the happy path.
    pub fn standard(codecs: Vec<Codec>) -> Self {
        Self {
            tls: Duration::from_secs(5),
            hello: Duration::from_secs(5),
            handshake_bytes: 4 << 10,
            flush: Duration::from_secs(10),
            farewell: Duration::from_secs(2),
            codecs,
            queues: QueueLimits { votes: 8 << 20, proposals: 72 << 20, transactions: 8 << 20, bulk: 8 << 20 },
        }
    }
}

impl QueueLimits {
    /// The limit of one lane, in bytes.
    pub fn of(&self, lane: Lane) -> usize {
        match lane {
            Lane::Votes => self.votes,
            Lane::Proposals => self.proposals,
            Lane::Transactions => self.transactions,
            Lane::Bulk => self.bulk,
        }
    }
}
