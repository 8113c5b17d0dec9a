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
//! stuck, it ends the process rather than having two writers. Lost on a crash: the batch in hand, whole.

mod actor;
mod mailbox;
mod metrics;

pub use actor::{DATABASE, Parts, child};
pub use mailbox::{StorageError, StorageMailbox};
pub use metrics::StorageMetrics;
pub use storage::{Batch, Keyspace};
