//! The subsystems of a node as supervised actors, one folder each, and the small adapters that join their crates.
//!
//! ```text
//!   p2p ──▶ consensus ──▶ signer ──▶ p2p          votes: in, judged, journalled, out
//!    │          │  ▲
//!    │          ▼  │
//!    ├──▶ proposals, execution, mempool ──▶ storage
//!    └──▶ sync ──▶ consensus
//!   api reads the ledger and asks the others
//! ```
//!
//! Each folder has a `mod.rs` with a table of its messages, a mailbox for others, an actor that dispatches, and rules that
//! need no runtime.

pub mod admission;
pub mod api;
mod changes;
pub mod consensus;
pub mod evidence;
pub mod execution;
pub mod halt;
pub mod heads;
pub mod ledger;
pub mod mempool;
pub mod p2p;
pub mod proposals;
pub mod room;
pub mod routes;
pub mod signer;
pub mod storage;
pub mod sync;
