//! The owner of all sessions.
//!
//! | message | sender           | answer                                                        |
//! |---------|------------------|---------------------------------------------------------------|
//! | `Open`  | listener, dialer | nothing, or why the connection became no session              |
//! | `Ended` | a session's end  | none; the peer leaves the directory                           |
//! | `Sweep` | itself           | none; the directory is compared with the sessions that live   |
//!
//! Configured peers, and two nodes of each validator, always have a seat. All others are strangers: each newcomer among them
//! takes the seat of another when all are taken, because it may be a validator that is about to prove it.
//!
//! What is lost on a crash: see [`super`].

mod actor;
mod duplicates;
mod mailbox;
mod seating;

pub(super) use actor::{Parts, child};
pub use mailbox::{GossipMailbox, Opened, Origin, Refused};
pub(super) use seating::SEATS_PER_VALIDATOR;

/// Its name in the tree.
pub const NAME: &str = "p2p.gossip";
