//! Single reads, and the handle that each of them borrows.

use std::{
    ops::{Bound, RangeBounds},
    sync::Arc,
};

use fjall::{Readable, Snapshot};
use primitives::{Bytes, Height};

use crate::{Keyspace, engine::Handles, record};

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub key: Bytes,
    pub value: Bytes,
}

/// Why a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the database is closed")]
    Closed,
    #[error("nothing is committed yet")]
    Empty,
    /// It never was, or it is no longer.
    #[error("the state at height {asked} is not kept; kept are {from} to {to}; an archive node has it")]
    NotKept { asked: Height, from: Height, to: Height },
    #[error("the database cannot be read: {0}")]
    Io(String),
}

impl From<fjall::Error> for ReadError {
    fn from(error: fjall::Error) -> Self {
        Self::Io(error.to_string())
    }
}

/// The handles for one read, at a snapshot or at whatever is newest.
pub(crate) struct Reads<'a> {
    pub(crate) handles: &'a Arc<Handles>,
    /// None reads the newest.
    pub(crate) at: Option<&'a Snapshot>,
}

impl Reads<'_> {
    pub(crate) fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Bytes>, ReadError> {
        // The engine asserts what we can simply answer.
        if key.is_empty() {
            return Ok(None);
        }
        let handle = self.handles.keyspace(keyspace);
        let value = match self.at {
            Some(snapshot) => snapshot.get(handle, key)?,
            None => handle.get(key)?,
        };
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    pub(crate) fn range<K: AsRef<[u8]>>(&self, keyspace: Keyspace, range: impl RangeBounds<K>, limit: usize) -> Result<Vec<Row>, ReadError> {
        let Some(bounds) = bounds(keyspace, &range) else { return Ok(Vec::new()) };
        let rows = self.snapshot().range(self.handles.keyspace(keyspace), bounds);
        collect(keyspace, rows, limit)
    }

    pub(crate) fn range_reversed<K: AsRef<[u8]>>(&self, keyspace: Keyspace, range: impl RangeBounds<K>, limit: usize) -> Result<Vec<Row>, ReadError> {
        let Some(bounds) = bounds(keyspace, &range) else { return Ok(Vec::new()) };
        let rows = self.snapshot().range(self.handles.keyspace(keyspace), bounds);
        collect(keyspace, rows.rev(), limit)
    }

    pub(crate) fn prefix(&self, keyspace: Keyspace, prefix: &[u8], limit: usize) -> Result<Vec<Row>, ReadError> {
        if prefix.is_empty() {
            return self.range::<&[u8]>(keyspace, .., limit);
        }
        if record::is_ours(keyspace, prefix) {
            return Ok(Vec::new());
        }
        collect(keyspace, self.snapshot().prefix(self.handles.keyspace(keyspace), prefix), limit)
    }

    fn snapshot(&self) -> Snapshot {
        self.at.cloned().unwrap_or_else(|| self.handles.database.snapshot())
    }
}

type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The bounds as owned keys, without our own rows at the start of `Meta`; none when nothing can lie between them.
fn bounds<K: AsRef<[u8]>>(keyspace: Keyspace, range: &impl RangeBounds<K>) -> Option<Bounds> {
    let owned = |bound: Bound<&K>| bound.map(|key| key.as_ref().to_vec());
    let (mut from, to) = (owned(range.start_bound()), owned(range.end_bound()));
    if keyspace == Keyspace::Meta && lowest(&from).is_none_or(|key| key < FIRST_OF_OTHERS) {
        from = Bound::Included(FIRST_OF_OTHERS.to_vec());
    }
    let is_possible = match (&from, &to) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
        (Bound::Included(from), Bound::Included(to)) => from <= to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from < to,
    };
    is_possible.then_some((from, to))
}

/// The first key in `Meta` that is not ours.
const FIRST_OF_OTHERS: &[u8] = &[1];

fn lowest(bound: &Bound<Vec<u8>>) -> Option<&[u8]> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    }
}

fn collect(keyspace: Keyspace, rows: impl Iterator<Item = fjall::Guard>, limit: usize) -> Result<Vec<Row>, ReadError> {
    let mut collected = Vec::new();
    for row in rows {
        if collected.len() == limit {
            break;
        }
        let (key, value) = row.into_inner()?;
        if !record::is_ours(keyspace, &key) {
            collected.push(Row { key: Bytes::copy_from_slice(&key), value: Bytes::copy_from_slice(&value) });
        }
    }
    Ok(collected)
}
