//! The API of one chain: HTTP and WebSocket on one port.
//!
//! | message | sender | answer                               |
//! |---------|--------|--------------------------------------|
//! | `Ended` | itself | none; the server ended, and is fault |
//!
//! Reads go to the ledger, what changes goes to the actors. While they restart it stays and answers with what is left.
//! Lost on a crash: open connections; the listening socket itself survives.

mod actor;
mod backend;
mod convert;
mod fees;
mod health;
mod restarts;
mod state;

pub use actor::{ApiMailbox, Parts, child};
pub use backend::{Backend, Sources};
