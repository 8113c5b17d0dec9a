//! The peer book: which nodes there are, where, and how it went with them. Rules only; [`super::store`] keeps it on disk.
//!
//! ```text
//!   heard of    64 from one teller, 64 in one network range, 2048 in all         others told us
//!   tried       32 in one network range, 512 in all                              we have reached it there
//!   reserved    two for each validator, and what the operator gave               nobody takes their places
//! ```
//!
//! What is heard displaces only what is heard, and a node counts as tried only after *we* have dialled it: whoever sends us a
//! hundred identities, from one range or by one mouth, gets its own share of places and no more. Local addresses (loopback,
//! private) are one range with more room, believed only from those who are local themselves.

mod choice;
mod entry;
mod pages;
mod range;
mod rotation;
mod rows;
mod shared;

pub use choice::{Candidate, Wish};
pub use entry::Entry;
pub use pages::{Book, Heard, Limits};
pub use range::Range;
pub use rotation::{Seated, leaver};
pub(crate) use rows::{Fact, Subject, parse};
pub use shared::{BookFull, MAX_ADDED, PeerBook};
