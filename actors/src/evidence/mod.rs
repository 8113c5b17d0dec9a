//! Contradictions of validators: each is kept once and told to every peer once.
//!
//! | message   | sender    | answer                                                          |
//! |-----------|-----------|-----------------------------------------------------------------|
//! | `Found`   | consensus | none; what it found and wrote is told to all peers              |
//! | `Heard`   | p2p       | none; what is new and holds is written, then told to all others |
//! | `Greet`   | p2p       | none; a peer that has just come is told what is recent          |
//! | `Written` | itself    | none; whether a piece from a peer is on disk                    |
//!
//! Who contradicts himself once is convicted for ever, so of one step of a round one pair is kept, and of one validator at most
//! [`MAX_OF_ONE`] pairs: whoever holds a validator's key can sign as many as he likes. Known offences are passed over before a
//! signature is looked at, and a piece that does not hold ends its session, so a stranger has one verification for each handshake.
//!
//! | lost on a crash          | comes back from                                                                          |
//! |--------------------------|------------------------------------------------------------------------------------------|
//! | what is known            | storage, which is read back before the first message                                     |
//! | `Found` in hand          | storage, where consensus wrote it: a new life tells all peers what is recent              |
//! | `Heard`, `Greet` in hand | others who heard it too, and the next session with whoever has it                        |
//! | a piece being written    | the same                                                                                 |

mod actor;
mod book;
mod mailbox;
mod metrics;

pub(crate) use actor::put;
pub use actor::{Parts, child};
pub use book::MAX_OF_ONE;
pub use mailbox::EvidenceMailbox;
pub use metrics::EvidenceMetrics;
