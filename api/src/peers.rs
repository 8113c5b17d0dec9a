//! Who is connected, what is thought of them, and who is kept out: the values behind `/v1/peers`.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use primitives::Height;
use serde::{Deserialize, Serialize};

/// The body of `GET /v1/peers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeersPage {
    pub peers: Vec<PeerStatus>,
    pub banned: Vec<BanStatus>,
    pub limits: PeerLimits,
}

/// One connected peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Node id as the configuration writes it.
    pub id: String,
    /// `host:port` of its end of the link.
    pub address: String,
    pub direction: Direction,
    /// The validator it has proved to be.
    pub validator: Option<Address>,
    /// The configuration names it.
    pub configured: bool,
    /// The tip it last reported.
    pub height: Option<Height>,
    /// Last round trip of a ping.
    pub rtt_ms: Option<u64>,
    /// How far its clock is ahead of ours.
    pub clock_offset_ms: Option<i64>,
    pub connected_seconds: u64,
    pub queued_bytes: QueuedBytes,
    /// What came from it over this link.
    pub inbound: Volume,
    /// What was said to it over this link.
    pub outbound: Volume,
    /// The sum of its parts.
    pub score: i64,
    pub score_parts: ScoreParts,
    /// What it did wrong since we know it, and how often.
    pub offences: BTreeMap<String, u64>,
}

/// Who dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Inbound,
    Outbound,
}

/// What waits for the socket, by lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedBytes {
    pub votes: u64,
    pub proposals: u64,
    pub transactions: u64,
    pub bulk: u64,
}

/// Messages, and the bytes of their frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    pub messages: u64,
    pub bytes: u64,
}

/// Points; all but the last are 0 or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreParts {
    pub latency: i64,
    pub usefulness: i64,
    pub uptime: i64,
    /// At -100 the session ends.
    pub offences: i64,
}

/// A node or an address that is kept out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanStatus {
    /// A node id or an IP address.
    pub who: String,
    pub seconds_left: u64,
    pub reason: String,
    /// Said by a person; otherwise by rule.
    pub by_operator: bool,
    /// How often it was banned by rule in a row.
    pub times: u64,
}

/// Limits of connections, and what is used of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerLimits {
    pub inbound: u64,
    pub outbound: u64,
    /// Sessions with nodes that are neither configured nor validators.
    pub strangers: u64,
    /// `p2p.max_inbound`.
    pub max_strangers: u64,
    /// Connections of the address that has most.
    pub most_per_ip: u64,
    /// `p2p.max_per_ip`.
    pub max_per_ip: u64,
}
