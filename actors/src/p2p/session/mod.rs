//! One peer.
//!
//! | message | sender         | answer                                                             |
//! |---------|----------------|--------------------------------------------------------------------|
//! | `Tick`  | itself         | none; a ping, or the end of a silent session                       |
//! | `Pong`  | its reader     | none; round trip and clock are noted, and told                     |
//! | `Ended` | reader, writer | none; a goodbye if there is one to say, then the end               |
//!
//! The reader hands on what the peer says and the writer empties the lanes; both are tasks of this actor and end with it.
//! What goes to consensus counts against a quota, large for validators; a session that exceeds it ends. Everything else counts
//! against the limits of its class, in messages and in bytes: what exceeds them is dropped, and who exceeds them by far is left.
//! What is lost on a crash: see [`super`].

mod actor;
mod bucket;
mod class;
mod liveness;
mod quota;
mod reader;

pub(super) use actor::{Parts, child};
pub(super) use quota::Quotas;
