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
//!
//! | lost on a crash                      | comes back from                                                       |
//! |--------------------------------------|-----------------------------------------------------------------------|
//! | requests under way, blocks that came | peers whose tips the view has kept, asked again within 100 ms         |
//! | that consensus has a block in hand   | the same block, handed on again; what is committed already is ignored |
//! | a request of a peer                  | that peer, which asks another after 5 s                               |
//! | `Status` in hand                     | its sender, with its next block                                       |

mod actor;
mod fetched;
mod mailbox;
mod plan;
mod view;

pub use actor::{Parts, child};
pub use mailbox::SyncMailbox;
pub use view::SyncView;
