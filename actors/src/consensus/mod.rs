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
//! | `Recall`   | proposals                       | none; it lost its book and is told again what is in it       |
//!
//! It never waits for another actor: questions to execution and storage run in tasks beside the messages, and their absence
//! means no verdict.
//!
//! | lost on a crash                       | comes back from                                                                         |
//! |---------------------------------------|-----------------------------------------------------------------------------------------|
//! | the round: votes, locks, small blocks | the journal of the height, which the signer feeds to a new life before that says a word |
//! | large blocks                          | storage, where they were before they were voted for                                     |
//! | votes that were in no journal yet     | peers, who are asked for their current round                                            |
//! | verdicts, a block in the making       | execution, which is asked again                                                         |
//! | word of a commit                      | the ledger: a new life begins at its tip                                                |
//! | a fetched block                       | sync, which hands it on again after 1 s of standstill, or 10 s                          |
//! | failures on one input, a mute round   | [`Parts::remembered`], beside the actor; only a new process starts without              |

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
