//! Transactions waiting for a block.
//!
//! | message     | sender       | answer                                             |
//! |-------------|--------------|----------------------------------------------------|
//! | `Submit`    | api          | the hash once it is on disk, or why not            |
//! | `Offer`     | p2p          | none; what is new and good is kept and passed on   |
//! | `Announced` | p2p          | none; the peer is asked for what is not here       |
//! | `Asked`     | p2p          | none; what is here of it goes to that peer         |
//! | `Admit`     | itself       | none; offered transactions with their senders      |
//! | `Remind`    | itself       | none; peers are told again what waits for long     |
//! | `Look`      | itself       | none; others are asked for what did not come       |
//! | `Written`   | itself       | none; a group of transactions is on disk           |
//! | `Best`      | execution    | the best transactions for a block                  |
//! | `Discard`   | execution    | none; these can never be executed                  |
//! | `Committed` | consensus    | none; a block took some of them                    |
//! | `Find`      | api          | the transaction, if it waits here                  |
//! | `Count`     | api, health  | how many are executable, how many wait for others  |
//! | `NextNonce` | api          | the nonce after all that wait without a gap        |
//! | `Content`   | api          | all that wait, of one sender or of all             |
//!
//! A transaction is acknowledged, and passed on to peers, after it is on disk; all that arrive during one write go into
//! the next one together.
//!
//! | lost on a crash                | comes back from                                                                 |
//! |--------------------------------|---------------------------------------------------------------------------------|
//! | the pool                       | storage, which is read back before the first message: all that was acknowledged |
//! | what is not on disk            | who submitted it: is told `crashed`, and sends it again                         |
//! | word that it is on disk        | the same; then it is `already known`                                            |
//! | offers of peers                | a peer that still has them: announces them again within 4 s                     |
//! | what peers have, what is asked | nobody: some of it is said twice, or announced again within 4 s                 |
//! | `Best` in hand                 | the next block; this one is empty                                               |
//! | `Committed`, `Discard` in hand | the ledger, where nonces and balances are read at the start                     |

mod actor;
mod gossip;
mod mailbox;
mod metrics;
mod pool;
mod recent;
mod rejected;
mod spread;
mod waiting;
mod wanted;

pub use actor::{Parts, child};
pub use mailbox::{Committed, Counts, MempoolMailbox};
pub use metrics::MempoolMetrics;
pub use pool::{Content, Limits, Pooled, Sender, TooMany};
pub use rejected::Rejected;
pub use waiting::Waiting;
