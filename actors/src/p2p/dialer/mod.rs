//! Keeps a session to each configured peer, for ever.
//!
//! | message   | sender | answer                                                                     |
//! |-----------|--------|----------------------------------------------------------------------------|
//! | `Tick`    | itself | none; those who are not connected and whose time has come are dialled      |
//! | `Outcome` | itself | none; one attempt has ended                                                |
//!
//! Lost on a crash: attempts under way and what was known about waits; all peers are dialled at once after it.

mod actor;
mod targets;

pub use actor::child;

/// Its name in the tree.
pub const NAME: &str = "p2p.dialer";
