//! Keeps the peer book: what peers say goes in, what changes goes to disk.
//!
//! | message   | sender   | answer                                                                              |
//! |-----------|----------|-------------------------------------------------------------------------------------|
//! | `Up`      | sessions | none; the peer hears where we are, and is asked whom it knows                       |
//! | `Proved`  | sessions | none; the place of a validator's node is kept                                       |
//! | `Asked`   | sessions | a random few, not often                                                             |
//! | `Told`    | sessions | none; what holds enters the book, and what is news is passed on to a few            |
//! | `Tick`    | itself   | none; writes what has changed, renews our own record                                |
//! | `Written` | itself   | none; what did not reach the disk is written again                                  |
//!
//! The book itself, [`PeerBook`](super::book::PeerBook), is shared and outlives this actor. Lost on a crash: what a peer was telling.
//! What is known is in memory still, and what was written is on disk.

mod actor;
mod mailbox;
mod manners;
mod own;

pub use actor::Keep;
pub(super) use actor::{Parts, child};
pub(super) use mailbox::StoreMailbox;

/// Its name in the tree.
pub const NAME: &str = "p2p.store";
