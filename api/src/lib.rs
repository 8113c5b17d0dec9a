//! The face of a node: Ethereum JSON-RPC over HTTP and WebSocket, and REST, on one port through one tower stack.
//!
//! ```text
//!   socket -> connection limit -> Host check, CORS -> the client's allowance -> concurrency, body and time limit
//!                |                                                          |
//!                |                     REST: /health /livez /readyz /v1/..  |  JSON-RPC: POST /, WebSocket /
//!                v                                                          v
//!           joined by `serve` before it returns                        eth_*, net_*, web3_*, txpool_*, debug_*
//! ```
//!
//! Everything it says comes from a [`Backend`], which the node implements; this crate opens no database and knows
//! no actor. A decided block is final, so `latest`, `safe` and `finalized` are the same block. Whatever a client sends
//! is parsed once at the door, and what is wrong with it is answered by name.

mod backend;
mod checks;
mod config;
mod deadline;
mod decisions;
mod door;
mod error;
mod eth;
mod filters;
mod go_duration;
mod happenings;
mod http;
mod identifier;
mod limits;
mod metrics;
mod news;
mod offer;
mod peers;
mod rejection;
mod rest;
mod revert;
mod rpc;
mod serve;
mod status;
mod subscriptions;
mod time;
mod tracer;
mod values;

pub use backend::Backend;
pub use checks::{Check, ComponentType, sum_up};
pub use config::Config;
pub use decisions::{Contradiction, Validators};
pub use door::{Door, Room};
pub use error::BackendError;
pub use eth::METHODS;
pub use happenings::Happenings;
pub use limits::{MalformedRate, Rate, RateLimits};
pub use offer::{Offer, UnknownGroup};
pub use peers::{BanStatus, Direction, PeerLimits, PeerStatus, PeersPage, QueuedBytes, ScoreParts, Volume};
pub use rejection::Rejection;
pub use serve::{Drained, serve};
pub use status::{
    ActorsHealth, BlobsHealth, BlockchainHealth, ChainHealth, ClockHealth, ConsensusHealth, Criterion, Health, LastSigned, MempoolHealth, P2pHealth,
    Signing, Status, StorageHealth, SyncHealth, UnixMillis, UnixSeconds,
};
pub use tracer::{CallOptions, PrestateOptions, StepOptions, Tracer, Tracing};
pub use values::{
    Accessed, AccountProof, AccountState, BlockRef, Call, DecidedBlock, Fork, ForkSchedule, Found, LogCriteria, Overrides, PoolContent, SealedHeader,
    SlotProof, SyncStatus,
};
