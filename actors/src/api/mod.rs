//! The API of one chain: HTTP and WebSocket on one port.
//!
//! | message  | sender | answer                                                            |
//! |----------|--------|-------------------------------------------------------------------|
//! | `Look`   | timer  | none; asks its own server, every few seconds, whether it is there |
//! | `Looked` | itself | none; silence three times in a row is a fault                     |
//! | `Ended`  | itself | none; the server ended, which is a fault                          |
//!
//! Reads go to the ledger, what changes goes to the actors. While they restart it stays and answers with what is left.
//!
//! | lost on a crash                              | comes back from                                                                                           |
//! |----------------------------------------------|-----------------------------------------------------------------------------------------------------------|
//! | open connections, and what was asked on them | the client, which connects again; who connects meanwhile waits in the queue of the socket, which survives |
//! | subscriptions                                | the client: its socket ends, and it subscribes again                                                      |
//! | filters                                      | the client: it is told `filter not found`, and installs it again                                          |
//! | allowances of clients                        | nobody: all begin with a full one                                                                         |

mod actor;
mod backend;
mod convert;
mod decisions;
mod fees;
mod health;
mod judge;
mod light;
mod looks;
mod pace;
mod peers;
mod readiness;
mod restarts;
mod state;
mod trace;

pub use actor::{ApiMailbox, Parts, child};
pub use backend::{Backend, Sources};
pub use pace::stale_after;

/// A state as JSON writes it.
fn word_of(state: supervision::ChildState) -> String {
    serde_json::to_value(state).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
