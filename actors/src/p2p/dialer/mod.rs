//! Keeps a session to each configured peer, for ever, and to some others from the peer book.
//!
//! | message   | sender | answer                                                                     |
//! |-----------|--------|----------------------------------------------------------------------------|
//! | `Tick`    | itself | none; those who are not connected and whose time has come are dialled      |
//! | `Outcome` | itself | none; one attempt has ended                                                |
//!
//! What is lost on a crash: see [`super`].

mod actor;
mod found;
mod targets;

pub(super) use actor::{Parts, child};

/// Its name in the tree.
pub const NAME: &str = "p2p.dialer";
