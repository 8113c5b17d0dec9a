//! The state of the past: what accounts, slots and trie nodes were before the heights that changed them.
//!
//! ```text
//! StateHistory   kind ++ key ++ height   what stood under `key` before the block at `height`; empty when nothing did
//!                \0kept                  the heights whose state can be told, as of the commit that wrote it
//!
//! height       6      7      8      9     10 = tip
//! balance      -      5      5      2      2           rows: 7 -> empty, 9 -> 5
//! ```
//!
//! The value after a height is that of the first row above it, and without one the value at the tip: after 6 nothing, after
//! 8 the 5 of row 9, after 9 the 2 of the tip. A key names its length (an account has 20 bytes, a slot 52, a trie node counts its nibbles), so
//! no key of a kind begins with another.
//!
//! Rows are written in the batch of their height. Pruning writes nothing: it moves the lowest height that can be told, and
//! compactions drop the rows at or below it when they come by. None of those would ever be read.

mod as_of;
mod forgotten;
mod kept;

use primitives::Height;

use crate::{Batch, Keyspace, ReadError, View, batch::Write, keys};

pub use as_of::AsOf;
pub(crate) use forgotten::Forgotten;
pub use kept::{Kept, Retention};

/// The row in `StateHistory` that holds a [`Kept`].
pub(crate) const KEPT: &[u8] = b"\0kept";

impl Batch {
    /// Adds what this block's batch changes, as it stands in `before`, the view at the height below.
    ///
    /// Call it last: it looks at what the batch writes.
    pub fn keep_history(&mut self, before: &View, retention: Retention) -> Result<(), ReadError> {
        let height = self.height_above(before)?;
        let Some(kept) = retention.at(height, before.kept()?) else { return Ok(()) };
        if kept.from < height {
            let rows = self.writes.iter().filter_map(|write| row(write, before, height).transpose());
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            self.writes.extend(rows);
        }
        self.put(Keyspace::StateHistory, KEPT, kept.encode());
        self.kept = Some(kept);
        Ok(())
    }

    fn height_above(&self, before: &View) -> Result<Height, ReadError> {
        let expected = before.height().next();
        match self.tip().map(|tip| tip.height) {
            Some(height) if height == expected => Ok(height),
            other => Err(ReadError::Io(format!("a batch of height {other:?} does not follow a view at {}", before.height()))),
        }
    }
}

/// What `write` replaces; none when it is no state, or changes nothing.
fn row(write: &Write, before: &View, height: Height) -> Result<Option<Write>, ReadError> {
    let Some(kind) = kind(write.keyspace) else { return Ok(None) };
    let was = before.get(write.keyspace, &write.key)?;
    if was.as_ref().map(AsRef::as_ref) == write.value.as_deref() {
        return Ok(None);
    }
    let value = was.map_or_else(Vec::new, |was| was.to_vec());
    Ok(Some(Write { keyspace: Keyspace::StateHistory, key: row_key(kind, &write.key, height), value: Some(value) }))
}

/// What rows of a keyspace begin with; none when its past is not kept. Values there are never empty.
fn kind(keyspace: Keyspace) -> Option<u8> {
    match keyspace {
        Keyspace::Accounts => Some(1),
        Keyspace::Slots => Some(2),
        Keyspace::Trie => Some(3),
        _ => None,
    }
}

const KINDS: std::ops::RangeInclusive<u8> = 1..=3;

fn row_key(kind: u8, key: &[u8], height: Height) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + key.len() + 8);
    bytes.push(kind);
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&keys::height(height));
    bytes
}

/// The height of a row; none of what is no row.
fn row_height(key: &[u8]) -> Option<Height> {
    let (kind, rest) = key.split_first()?;
    let height = rest.last_chunk::<8>().filter(|_| KINDS.contains(kind))?;
    keys::parse_height(height)
}

#[cfg(test)]
mod tests;
