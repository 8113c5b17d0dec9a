//! The owner of all sessions.
//!
//! | message | sender           | answer                                                        |
//! |---------|------------------|---------------------------------------------------------------|
//! | `Open`  | listener, dialer | nothing, or why the connection became no session              |
//! | `Ended` | a session's end  | none; the peer leaves the directory                           |
//! | `Sweep` | itself           | none; the directory is compared with the sessions that live   |
//!
//! Lost on a crash: all sessions, which their diallers open again.

mod actor;
mod duplicates;
mod mailbox;

pub use actor::child;
pub use mailbox::{GossipMailbox, Opened, Origin, Refused};

/// Its name in the tree.
pub const NAME: &str = "p2p.gossip";
