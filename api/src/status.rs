//! How the node is: the values behind `/health` and `/readyz`.
//!
//! Numbers are JSON numbers and hashes 0x-strings; these types are what `axolotl status` reads back.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use primitives::{Height, Round};
use serde::{Deserialize, Serialize};

use crate::Check;
pub use crate::time::{UnixMillis, UnixSeconds};

/// One word for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Ok,
    /// It works and somebody should look: something restarts, is slow, or lags behind.
    Degraded,
    /// It does not do its work.
    Down,
}

/// The body of `GET /health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    pub status: Status,
    /// Why it is not `ok`, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// What was measured; shown as `application/health+json` alone.
    #[serde(skip)]
    pub checks: Vec<Check>,
    /// The first chain, or the one that `?chain=` selects.
    #[serde(flatten)]
    pub chain: ChainHealth,
    pub clock: ClockHealth,
    pub storage: StorageHealth,
    pub actors: ActorsHealth,
    /// Every chain of this node by its name, the one above included.
    pub chains: BTreeMap<String, ChainHealth>,
}

/// How one chain is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHealth {
    pub blockchain: BlockchainHealth,
    pub consensus: ConsensusHealth,
    pub sync: SyncHealth,
    pub p2p: P2pHealth,
    pub mempool: MempoolHealth,
    pub blobs: BlobsHealth,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockchainHealth {
    pub height: Height,
    pub latest_block_hash: B256,
    pub latest_block_time: UnixSeconds,
    pub chain_id: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsensusHealth {
    pub height: Height,
    pub round: Round,
    /// `propose`, `prevote`, `precommit`, `commit`, or `none` while consensus does not run.
    pub step: String,
    /// Whether our key is in the current validator set.
    pub validator: bool,
    pub signing: Signing,
    pub last_signed: Option<LastSigned>,
    /// Seconds since the last decided block beyond what the pace allows.
    pub stalled_seconds: u64,
    /// Voting power of the validators that a live session speaks for, and of this one, each once; followers count nothing.
    pub power_online: u64,
    /// More than 2/3 of all.
    pub power_needed: u64,
}

/// Whether our key signs, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signing {
    Enabled,
    /// Following the chain until it has caught up.
    SyncOnly,
    /// No record of this key: watching before it signs.
    Observing,
    /// The operator has to decide; see the reasons.
    Refused,
    /// Safety is in doubt: nothing is signed any more.
    Halted,
    /// This node has no validator key.
    None,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSigned {
    pub height: Height,
    pub round: Round,
    pub step: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncHealth {
    /// `synced` or `syncing`.
    pub state: String,
    /// Heights that the best peer is ahead.
    pub behind: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct P2pHealth {
    pub listening: bool,
    /// Whether the listener reached itself through its real socket.
    pub self_dial_ok: bool,
    pub peers: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MempoolHealth {
    /// Executable transactions.
    pub pending: u64,
    /// Transactions that wait for an earlier nonce.
    pub queued: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobsHealth {
    pub undecided: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockHealth {
    /// Our clock against the median of the peers'.
    pub skew_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageHealth {
    /// `held` or `released`.
    pub lock: String,
    /// On the file system of the data directory.
    pub free_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorsHealth {
    pub total: u64,
    pub running: u64,
    pub restarting: u64,
    pub failed: u64,
    /// Restarts within the last hour.
    pub restarts_1h: u64,
}

/// One condition of readiness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Criterion {
    /// A word for metrics: `storage_open`.
    pub name: String,
    pub holds: bool,
    /// The facts behind it: `127.0.0.1:4130 is bound`.
    pub detail: String,
}
