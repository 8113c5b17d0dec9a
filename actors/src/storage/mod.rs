//! The only holder of database handles.
//!
//! | message  | sender                        | answer                                     |
//! |----------|-------------------------------|--------------------------------------------|
//! | `Commit` | execution, mempool, consensus | done and durable, or why not               |
//! | `Reopen` | itself                        | none; a full disk is looked at again       |
//!
//! A full disk is no fault: whoever writes is refused, reads go on, and the database is opened again when there is room. A sync that
//! failed ends the process.
//!
//! Everyone else reads through a [`crate::ledger::Ledger`], whose leases are revoked when this actor closes. It is exclusive:
//! stuck, it ends the process rather than having two writers.
//!
//! | lost on a crash                        | comes back from                                                                                            |
//! |----------------------------------------|------------------------------------------------------------------------------------------------------------|
//! | the batch in hand, whole or not at all | who asked and is told so: consensus commits again, keeps bodies and evidence again, a client submits again |
//! | every lease: reads are refused         | the database, opened again; who needs storage starts after it, on what is committed                        |

mod actor;
mod mailbox;
mod metrics;

pub use actor::{DATABASE, Parts, child};
pub use mailbox::{StorageError, StorageMailbox};
pub use metrics::StorageMetrics;
pub use storage::{Batch, Keyspace};
