//! Proposed blocks: assembled from parts, kept until their height is decided, streamed to whoever needs them.
//!
//! | message     | sender     | answer                                                     |
//! |-------------|------------|------------------------------------------------------------|
//! | `Start`     | p2p        | none; a stream of parts begins                             |
//! | `Part`      | p2p        | none; a block that became whole goes to consensus          |
//! | `Want`      | p2p        | none; the parts go to that peer                            |
//! | `Keep`      | consensus  | none; a block of our own, or one read back                 |
//! | `Accept`    | consensus  | none; a verified proposal's block is handed on or awaited  |
//! | `Note`      | signer     | none; a proposal has left                                  |
//! | `Round`     | consensus  | none; streams of distant rounds are not taken              |
//! | `Stream`    | consensus  | none; start and parts go to everybody                      |
//! | `Committed` | execution  | none; what belongs to that height is dropped               |
//! | `Left`      | p2p        | none; the peer's streams are dropped                       |
//! | `Look`      | itself     | none; streams that stand still are asked for again         |
//!
//! | lost on a crash                   | comes back from                                                                                         |
//! |-----------------------------------|---------------------------------------------------------------------------------------------------------|
//! | streams on their way              | consensus, which names the proposals it verified; their blocks are asked for of everybody within 400 ms |
//! | bodies in memory                  | consensus, which hands back those of its height                                                         |
//! | which proposals of ours have left | the signer, which says so again; peers ask for the parts they lack                                      |
//! | a request of a peer               | that peer, which asks again after 200 ms                                                                |

mod actor;
mod book;
mod mailbox;

pub use actor::{Parts, child};
pub use book::Arrived;
pub use mailbox::ProposalsMailbox;
