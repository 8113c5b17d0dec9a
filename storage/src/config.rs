//! What the database may use.

use std::time::Duration;

/// Memory, threads and patience of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Blocks of the database kept in memory, in bytes, for all keyspaces together.
    pub cache_bytes: u64,
    /// Writes gathered in memory before they become a table, in bytes, for each of the busy keyspaces; the others have a
    /// quarter of it.
    pub memtable_bytes: u64,
    /// Threads that flush and compact; at least one.
    pub worker_threads: usize,
    /// Table files kept open; at least 10.
    pub open_files: usize,
    /// How long opening may spend on comparing tables with their checksums. Those for which there is no time are compared block by
    /// block when they are read.
    pub audit_limit: Duration,
    /// How long closing waits for reads that are under way.
    pub close_limit: Duration,
    /// Bytes that must fit on the disk before a writer that ran out of space is opened again. A table and its compaction should
    /// fit in it: when a background thread of the engine failed and there is less room than this, lack of room is taken for the reason.
    pub reopen_bytes: usize,
}

impl Config {
    /// Modest enough for four validators in one process.
    pub fn default_for_validator() -> Self {
        Self {
            cache_bytes: 16 << 20,
            memtable_bytes: 4 << 20,
            // Of several, the engine keeps one for flushes, which turns round and round while another compacts.
            worker_threads: 1,
            open_files: 256,
            audit_limit: Duration::from_secs(20),
            close_limit: Duration::from_secs(5),
            reopen_bytes: 32 << 20,
        }
    }
}
