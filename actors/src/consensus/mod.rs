//! Consensus: carries messages to the rules of `consensus::host`, and their decisions to everybody else.
//!
//! | message    | sender                          | answer                                                       |
//! |------------|---------------------------------|--------------------------------------------------------------|
//! | `Happened` | p2p, mempool, itself            | none; the host is told                                       |
//! | `Signed`   | signer                          | none; an answer, void for any other life                     |
//! | `Arrived`  | proposals                       | none; a proposed block is made durable and judged            |
//! | `Built`    | itself                          | none; our own block for a round                              |
//! | `Fetched`  | sync                            | none; a certified block is committed                         |
//! | `Asked`    | p2p                             | none; a validator asks where we are                          |
//! | `Answered` | p2p                             | none; a validator answered that question of ours             |
//!
//! All its state is disposable: a restarted incarnation is fed the journal of the height by the signer and asks peers for the
//! current round. It never waits for another actor: questions to execution and storage run in tasks beside the messages, and
//! their absence means no verdict.

mod actions;
mod actor;
mod mailbox;
mod metrics;
mod questions;
mod tasks;
mod under_way;
mod view;

pub use actor::{Parts, child};
pub use mailbox::ConsensusMailbox;
pub use metrics::ConsensusMetrics;
pub use view::{ConsensusView, Seen};
