//! Where a chain is kept: one fjall database per chain, one writer, many readers.
//!
//! ```text
//! <directory>/LOCK            who runs on this directory            DirectoryLock
//! <directory>/manifest.json   the format of what lies here          checked by Writer::open
//! <directory>/ledger/         the database: chain and state         Writer
//! <directory>/ledger.tip      the tip that was acknowledged last    moved strictly after the database was synced
//! ```
//!
//! Only the [`Writer`] holds database handles, and one thread owns it. Everyone else holds named [`Lease`]s, which
//! borrow a handle for a single read and fail with [`ReadError::Closed`] once the writer has closed: nothing but a read
//! that is under way can keep the database's lock.
//!
//! Every commit is one atomic, synced batch that writes its number and its height into every keyspace; at open all
//! of them must agree, and must reach the tip file, or the database is refused as damaged: a database that lost synced batches
//! opens without complaint, and this is how it shows.

mod archive;
mod audit;
mod batch;
mod close;
mod config;
mod damage;
mod engine;
mod engine_lock;
mod error;
mod flock;
mod history;
mod holder;
mod journal;
pub mod keys;
mod keyspace;
mod lease;
mod lock;
mod log_index;
mod manifest;
mod memtables;
mod open;
mod plan;
mod reads;
mod record;
mod rewrite;
mod set_aside;
mod shared;
mod tip;
mod undecided;
mod view;
mod watermark;
mod writer;

pub use batch::{Batch, Refused};
pub use close::{CloseError, CloseReport};
pub use config::Config;
pub use damage::{Damage, FileFault};
pub use engine::Usage;
pub use error::{CommitError, Committed, ReopenError};
pub use history::{AsOf, Kept, Retention};
pub use keyspace::Keyspace;
pub use lease::{Lease, Leases};
pub use lock::{DirectoryLock, Holder, LockError};
pub use log_index::LogQuery;
pub use manifest::{FORMAT, Manifest, ManifestError};
pub use open::{OpenError, Opened, Repair};
pub use reads::{ReadError, Row};
pub use record::Stamp;
pub use set_aside::{SetAsideError, set_aside};
pub use tip::Tip;
pub use undecided::Undecided;
pub use view::View;
pub use writer::Writer;
