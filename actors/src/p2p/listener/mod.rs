//! Our door.
//!
//! | message    | sender | answer                                                                 |
//! |------------|--------|------------------------------------------------------------------------|
//! | `Probe`    | itself | none; dials itself through the real socket                             |
//! | `Probed`   | itself | none; two failures in a row are a fault, and a fresh start             |
//! | `Ended`    | itself | none; the loop that accepts has ended, which is a fault                |
//!
//! Handshakes run in parallel, bounded in number and for each IP address; whoever comes on top of that is turned away.
//! While too many come, strangers must work before they are let in.
//! What is lost on a crash: see [`super`].

mod actor;
mod door;
mod entrance;
mod seats;
mod toll;

pub use actor::child;
pub use door::Door;
pub use seats::Seat;

/// Its name in the tree.
pub const NAME: &str = "p2p.listener";
