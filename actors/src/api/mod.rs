//! The API of one chain: HTTP and WebSocket on one port.
//!
//! | message  | sender | answer                                                            |
//! |----------|--------|-------------------------------------------------------------------|
//! | `Look`   | timer  | none; asks its own server, every few seconds, whether it is there |
//! | `Looked` | itself | none; silence three times in a row is a fault                     |
//! | `Ended`  | itself | none; the server ended, which is a fault                          |
//!
//! Reads go to the ledger, what changes goes to the actors. While they restart it stays and answers with what is left.
//! Lost on a crash: open connections, with what was asked on them; the listening socket itself survives, and who connects
//! meanwhile waits in its queue.

mod actor;
mod backend;
mod convert;
mod decisions;
mod fees;
mod health;
mod light;
mod looks;
mod restarts;
mod state;
mod trace;

pub use actor::{ApiMailbox, Parts, child};
pub use backend::{Backend, Sources};
