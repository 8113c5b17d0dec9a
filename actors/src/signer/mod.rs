//! The only road for signatures to the network.
//!
//! | message      | sender    | answer                                                                          |
//! |--------------|-----------|---------------------------------------------------------------------------------|
//! | `TakeOver`   | consensus | none; what is older is refused from now on                                      |
//! | `Open`       | consensus | `JournalOpened`: every durable entry of that height, and whether our key speaks |
//! | `MakeJournal` | consensus | none; journal and promise of the height, before there is anything to say      |
//! | `Release`    | consensus | `Released` when all is durable and has left, or `NotReleased`                   |
//! | `Judge`      | consensus | `SigningVerdict`: what our key may do, after enough validators have answered    |
//! | `Initialise` | consensus | none; the first promise of a key without a record                               |
//! | `Committed`  | consensus | none; the height is durable in the ledger                                       |
//! | `Recall`     | proposals | none; which proposals of ours have left is said to it again                     |
//!
//! Answers are events in the mailbox of consensus. It owns the journal and the promise; see `consensus::signer` for the order
//! of writes. Exclusive: stuck, it ends the process.
//!
//! | lost on a crash                                     | comes back from                                                                                 |
//! |-----------------------------------------------------|-------------------------------------------------------------------------------------------------|
//! | what was appended and not released; none of it left | the journal, fed to a fresh life of consensus (which needs the signer) to derive the rest again |
//! | a question of consensus                             | that fresh life, which asks anew                                                                |
//! | which proposals have left                           | the journal: they leave again, the same                                                         |

mod actor;
mod mailbox;

pub use actor::{Parts, child};
pub use mailbox::SignerMailbox;
