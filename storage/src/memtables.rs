//! When what is gathered in memory becomes a table.
//!
//! The engine can tell by itself, but then every write to a keyspace that is due asks its one worker again, through a queue in which the worker
//! leaves work for itself too. A compaction that takes as long as a thousand writes fills it, and the worker waits for room in its own
//! queue, for ever. So the writer counts what it writes, and asks once.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{Config, Keyspace};

/// What a row takes in memory besides its key and its value, about.
const ROW_BYTES: usize = 128;

/// Bytes written to each keyspace since it was sealed last.
#[derive(Debug)]
pub(crate) struct Memtables {
    limit_bytes: u64,
    unsealed: [AtomicU64; Keyspace::COUNT],
}

impl Memtables {
    pub fn new(config: &Config) -> Self {
        Self { limit_bytes: config.memtable_bytes, unsealed: [const { AtomicU64::new(0) }; Keyspace::COUNT] }
    }

    /// A row was written.
    pub fn wrote(&self, keyspace: Keyspace, key: &[u8], value: &[u8]) {
        self.unsealed[keyspace.index()].fetch_add((ROW_BYTES + key.len() + value.len()) as u64, Relaxed);
    }

    /// Those that have gathered enough.
    pub fn full(&self) -> impl Iterator<Item = Keyspace> {
        Keyspace::ALL.into_iter().filter(|keyspace| {
            let limit = if keyspace.is_busy() { self.limit_bytes } else { self.limit_bytes / 4 };
            limit < self.unsealed[keyspace.index()].load(Relaxed)
        })
    }

    /// It counts from nothing again.
    pub fn sealed(&self, keyspace: Keyspace) {
        self.unsealed[keyspace.index()].store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyspace_is_full_of_what_was_written_to_it_until_it_is_sealed() {
        let memtables = Memtables::new(&Config { memtable_bytes: 1_000, ..Config::default_for_validator() });
        let wrote = |times: usize| (0..times).for_each(|_| memtables.wrote(Keyspace::Accounts, b"key", b"value"));
        wrote(7);
        assert_eq!(memtables.full().count(), 0);
        wrote(1);
        memtables.wrote(Keyspace::Headers, b"key", &[0; 200]);
        assert_eq!(memtables.full().collect::<Vec<_>>(), [Keyspace::Headers, Keyspace::Accounts]);
        memtables.sealed(Keyspace::Headers);
        assert_eq!(memtables.full().collect::<Vec<_>>(), [Keyspace::Accounts]);
    }
}
