//! Catching up by certified blocks, and helping others to.
//!
//! | message     | sender         | answer                                                              |
//! |-------------|----------------|---------------------------------------------------------------------|
//! | `Status`    | p2p            | none; where a peer is                                               |
//! | `Left`      | p2p            | none; nothing more comes from that peer                             |
//! | `Chunk`     | p2p            | none; a block that is whole and certified goes to consensus         |
//! | `Serve`     | p2p            | none; the blocks asked for go to that peer                          |
//! | `Committed` | consensus      | none; the tip has moved                                             |
//! | `Behind`    | consensus      | none; others are at this height                                     |
//! | `Look`      | itself         | none; late requests are given up, new ones are sent                 |
//!
//! A block is handed on only with a certificate that holds and a body that hashes to it; what does not costs its sender.
//! Lost on a crash: requests under way, which are made again.

mod actor;
mod fetched;
mod mailbox;
mod plan;
mod view;

pub use actor::{Parts, child};
pub use mailbox::SyncMailbox;
pub use view::SyncView;
