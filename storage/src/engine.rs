//! The fjall database itself: handles, and what its errors mean.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use fjall::{Database, OwnedWriteBatch, PersistMode};
use primitives::{B256, Height};

use crate::{
    Config, Damage, Keyspace,
    history::{self, Forgotten, Kept},
    keys,
    memtables::Memtables,
    record::{self, Stamp, TipRecord},
    watermark::Acknowledged,
};

/// Every handle of one open database. It lives in one `Arc`; whoever holds that keeps the lock.
pub(crate) struct Handles {
    pub(crate) database: Database,
    /// By number of the keyspace.
    keyspaces: Vec<fjall::Keyspace>,
    /// Set when it is to be closed: reads that begin afterwards give the handle back unused.
    revoked: AtomicBool,
    /// History that compactions may drop.
    pub(crate) forgotten: Forgotten,
    pub(crate) memtables: Memtables,
}

/// What an open database takes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tables and journals together.
    pub disk_bytes: u64,
    /// Journals alone. Each is preallocated, so that less may really be taken.
    pub journal_bytes: u64,
    /// Number of journals; it grows while a keyspace is not flushed.
    pub journals: usize,
    /// Blocks kept in memory.
    pub cache_bytes: u64,
    /// Writes gathered in memory, which the journals hold too.
    pub unflushed_bytes: u64,
}

/// Why the engine gave no handles.
pub(crate) enum EngineError {
    Locked,
    Io(io::Error),
    Unreadable(String),
}

/// What the storage's own rows say.
pub(crate) struct Standing {
    pub(crate) tip: Option<TipRecord>,
    pub(crate) sequence: u64,
}

impl Handles {
    /// Opens the database and its keyspaces, made when they do not exist.
    pub(crate) fn open(path: &Path, config: &Config) -> Result<Self, EngineError> {
        // Damaged files can break assumptions inside the engine. What it built so far is dropped with the panic.
        catch_unwind(AssertUnwindSafe(|| Self::open_unguarded(path, config)))
            .unwrap_or_else(|panic| Err(EngineError::Unreadable(format!("the engine gave up with {:?}", words(panic.as_ref())))))
    }

    fn open_unguarded(path: &Path, config: &Config) -> Result<Self, EngineError> {
        let forgotten = Forgotten::default();
        let database = Database::builder(path)
            .cache_size(config.cache_bytes)
            .worker_threads(config.worker_threads.max(1))
            .max_cached_files(Some(config.open_files.max(10)))
            .max_journaling_size(MAX_JOURNAL_BYTES)
            .with_compaction_filter_factories(forgotten.filters())
            .open()?;
        let open = |keyspace: Keyspace| database.keyspace(keyspace.name(), || keyspace.options());
        let keyspaces = Keyspace::ALL.into_iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { database, keyspaces, revoked: AtomicBool::new(false), forgotten, memtables: Memtables::new(config) })
    }

    pub(crate) fn keyspace(&self, keyspace: Keyspace) -> &fjall::Keyspace {
        &self.keyspaces[keyspace.index()]
    }

    /// An empty batch that is durable when its commit returns.
    pub(crate) fn synced_batch(&self, capacity: usize) -> OwnedWriteBatch {
        OwnedWriteBatch::with_capacity(self.database.clone(), capacity).durability(Some(PersistMode::SyncAll))
    }

    /// Lets the engine write tables of what has gathered in memory. A keyspace whose last table is not written yet gathers on, because the
    /// engine holds all writes up when several wait.
    pub(crate) fn seal_full(&self) -> fjall::Result<()> {
        for keyspace in self.memtables.full() {
            let handle = self.keyspace(keyspace);
            if handle.sealed_memtable_count() == 0 {
                handle.rotate_memtable()?;
                self.memtables.sealed(keyspace);
            }
        }
        Ok(())
    }

    /// Makes durable what a crash left written but perhaps not synced.
    pub(crate) fn sync(&self) -> fjall::Result<()> {
        self.database.persist(PersistMode::SyncAll)
    }

    pub(crate) fn usage(&self) -> fjall::Result<Usage> {
        Ok(Usage {
            disk_bytes: self.database.disk_space()?,
            journal_bytes: self.database.journal_disk_space()?,
            journals: self.database.journal_count(),
            cache_bytes: self.database.cache_size(),
            unflushed_bytes: self.database.write_buffer_size(),
        })
    }

    pub(crate) fn revoke(&self) {
        self.revoked.store(true, Ordering::SeqCst);
    }

    pub(crate) fn restore(&self) {
        self.revoked.store(false, Ordering::SeqCst);
    }

    pub(crate) fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::SeqCst)
    }

    /// Stamps the keyspaces that came after `format` as if they had taken part in the last commit.
    pub(crate) fn adopt(&self, format: u32, held: &Acknowledged) -> fjall::Result<()> {
        if held.sequence == 0 {
            return Ok(());
        }
        let stamp = Stamp { commit: held.sequence, height: held.tip.map(|tip| tip.height) }.encode();
        let mut batch = self.synced_batch(Keyspace::COUNT);
        for keyspace in Keyspace::ALL.into_iter().filter(|keyspace| format < keyspace.since()) {
            batch.insert(self.keyspace(keyspace), record::HEIGHT, stamp.as_slice());
        }
        batch.commit()?;
        // Tables are held against the first commit of the journals at the next start.
        Keyspace::ALL
            .into_iter()
            .filter(|keyspace| format < keyspace.since())
            .try_for_each(|keyspace| self.keyspace(keyspace).rotate_memtable_and_wait())
    }

    /// Lets compactions drop what the last durable commit had pruned.
    pub(crate) fn resume_forgetting(&self) -> fjall::Result<()> {
        let row = self.keyspace(Keyspace::StateHistory).get(history::KEPT)?;
        if let Some(kept) = row.and_then(|bytes| Kept::decode(&bytes)) {
            self.forgotten.up_to(kept.from);
        }
        Ok(())
    }

    /// Reads where every keyspace stands, but for those that came after `format`; an error when they do not agree.
    pub(crate) fn standing(&self, format: u32) -> Result<Standing, Damage> {
        let tip = self.own_row(Keyspace::Meta, record::TIP, "tip", TipRecord::decode)?;
        let sequence = self.sequence()?;
        let mut stamps = Vec::with_capacity(Keyspace::COUNT);
        for keyspace in Keyspace::ALL.into_iter().filter(|keyspace| keyspace.since() <= format) {
            stamps.push((keyspace, self.own_row(keyspace, record::HEIGHT, "height", Stamp::decode)?));
        }
        let height = tip.map(|record| record.tip.height);
        let expected = (sequence > 0).then_some(Stamp { commit: sequence, height });
        if stamps.iter().any(|(_, stamp)| *stamp != expected) {
            return Err(Damage::KeyspacesDisagree(stamps));
        }
        Ok(Standing { tip, sequence })
    }

    /// The hash of the block that was committed at `height`.
    pub(crate) fn hash_at(&self, height: Height) -> fjall::Result<Option<B256>> {
        let row = self.keyspace(Keyspace::Meta).get(record::hash_key(height))?;
        Ok(row.and_then(|bytes| keys::parse_hash(&bytes)))
    }

    /// Number of the last commit; 0 before the first.
    fn sequence(&self) -> Result<u64, Damage> {
        let rows = self.keyspace(Keyspace::Meta).prefix(record::COMMIT_PREFIX);
        let mut found = Vec::new();
        for row in rows.take(MAX_COMMITS_NAMED) {
            let key = row.key().map_err(|error| Damage::Unreadable(error.to_string()))?;
            found.push(record::parse_commit_key(&key).ok_or(Damage::Row { keyspace: Keyspace::Meta, row: "commit" })?);
        }
        match found.as_slice() {
            [] => Ok(0),
            [sequence] => Ok(*sequence),
            _ => Err(Damage::CommitsDisordered(found)),
        }
    }

    fn own_row<T>(&self, keyspace: Keyspace, key: &[u8], row: &'static str, parse: impl FnOnce(&[u8]) -> Option<T>) -> Result<Option<T>, Damage> {
        let bytes = self.keyspace(keyspace).get(key).map_err(|error| Damage::Unreadable(error.to_string()))?;
        bytes.map(|bytes| parse(&bytes).ok_or(Damage::Row { keyspace, row })).transpose()
    }
}

/// Commits that a report of disorder names.
const MAX_COMMITS_NAMED: usize = 4;

/// The journals of all keyspaces together, in bytes; the least that fjall accepts. The more, the longer a start takes.
const MAX_JOURNAL_BYTES: u64 = 64 << 20;

impl From<fjall::Error> for EngineError {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Locked => Self::Locked,
            fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) if !is_rot(&error) => Self::Io(error),
            other => Self::Unreadable(other.to_string()),
        }
    }
}

/// Whether the disk answered, and what it holds is wrong.
fn is_rot(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::NotFound)
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let formatted = panic.downcast_ref::<String>().map(String::as_str);
    formatted.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words")
}

/// Whether the disk, or our share of it, is full.
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
