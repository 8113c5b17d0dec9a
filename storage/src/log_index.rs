//! Which heights hold logs of an address or with a topic.
//!
//! ```text
//! LogIndex   kind ++ 8 bytes of keccak(value) ++ height   nothing; kind 1 is the address, 2 to 5 are the topics
//!            \0from                                       the first height that is indexed
//! ```
//!
//! An answer names too many heights rather than one too few: two values may share their 8 bytes, two logs of a block may each meet
//! half of the query, and heights from before there was an index may hold anything. Whoever asks filters exactly.

use std::{collections::BTreeSet, ops::RangeInclusive};

use primitives::{Address, B256, Height, keccak256};

use crate::{Batch, Keyspace, ReadError, View, keys};

/// Topics a log can have.
pub const MAX_TOPICS: usize = 4;
/// Rows that one question reads; what it found until then is its answer.
const MAX_ROWS: usize = 200_000;
/// So many heights times values are looked up one by one; with more of them the rows in between are read too.
const MAX_LOOKUPS: usize = 1_000;

/// The row that holds the first height that is indexed.
const FROM: &[u8] = b"\0from";

type Key = [u8; 17];

/// Which logs are wanted: of one of these addresses, and with one of these topics at each place. An empty list is any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    pub addresses: Vec<Address>,
    pub topics: [Vec<B256>; MAX_TOPICS],
}

impl Batch {
    /// Adds the logs of this block, whose parent's view is `before`.
    pub fn index_logs<'a>(&mut self, before: &View, logs: impl IntoIterator<Item = (&'a Address, &'a [B256])>) -> Result<(), ReadError> {
        let height = before.height().next();
        if before.get(Keyspace::LogIndex, FROM)?.is_none() {
            self.put(Keyspace::LogIndex, FROM, keys::height(height));
        }
        let mut rows = BTreeSet::new();
        for (address, topics) in logs {
            rows.insert(key(criterion(0, address.as_slice()), height));
            rows.extend((1..).zip(topics).map(|(place, topic)| key(criterion(place, topic.as_slice()), height)));
        }
        rows.into_iter().for_each(|row| self.put(Keyspace::LogIndex, row, []));
        Ok(())
    }
}

impl View {
    /// The heights of `range`, in order, that may hold a log that is wanted; one that is left out holds none.
    pub fn log_heights(&self, query: &LogQuery, range: RangeInclusive<Height>) -> Result<Vec<Height>, ReadError> {
        let (first, last) = (range.start().0, range.end().0.min(self.height().0));
        let from = self.get(Keyspace::LogIndex, FROM)?.and_then(|bytes| keys::parse_height(&bytes));
        let indexed = from.map_or(last + 1, |from| from.0.max(first));
        let older = (first..indexed.min(last + 1)).map(Height);
        let newer = if indexed <= last { self.search(query, Height(indexed), Height(last), MAX_ROWS)? } else { Vec::new() };
        Ok(older.chain(newer).collect())
    }

    fn search(&self, query: &LogQuery, first: Height, last: Height, mut rows_left: usize) -> Result<Vec<Height>, ReadError> {
        // None is every height.
        let mut found = None::<BTreeSet<Height>>;
        for values in query.criteria() {
            found = match found {
                Some(few) if few.len() * values.len() <= MAX_LOOKUPS => Some(self.those_with(&values, few)?),
                found => {
                    let (first, last) = found.as_ref().and_then(bounds).unwrap_or((first, last));
                    meet(found, self.any_of(&values, first, last, &mut rows_left)?)
                }
            };
        }
        Ok(found.map_or_else(|| (first.0..=last.0).map(Height).collect(), |found| found.into_iter().collect()))
    }

    /// Those of `heights` that hold one of the values, looked up one by one.
    fn those_with(&self, values: &[[u8; 9]], heights: BTreeSet<Height>) -> Result<BTreeSet<Height>, ReadError> {
        let mut left = BTreeSet::new();
        for height in heights {
            for value in values {
                if self.get(Keyspace::LogIndex, &key(*value, height))?.is_some() {
                    left.insert(height);
                    break;
                }
            }
        }
        Ok(left)
    }

    /// The heights that hold one of the values; none when that takes more rows than are left.
    fn any_of(&self, values: &[[u8; 9]], first: Height, last: Height, rows_left: &mut usize) -> Result<Option<BTreeSet<Height>>, ReadError> {
        let mut heights = BTreeSet::new();
        for value in values {
            let rows = self.range(Keyspace::LogIndex, key(*value, first)..=key(*value, last), *rows_left)?;
            *rows_left -= rows.len();
            if *rows_left == 0 {
                return Ok(None);
            }
            heights.extend(rows.iter().filter_map(|row| keys::parse_height(row.key.get(9..)?)));
        }
        Ok(Some(heights))
    }
}

impl LogQuery {
    /// The alternatives of each criterion, the last topic first: an argument is rarer than the contract, and that rarer than the event.
    fn criteria(&self) -> impl Iterator<Item = Vec<[u8; 9]>> {
        let topic = |place: u8| self.topics[usize::from(place) - 1].iter().map(|topic| criterion(place, topic.as_slice())).collect();
        let addresses = || self.addresses.iter().map(|address| criterion(0, address.as_slice())).collect();
        let criteria: [Vec<_>; MAX_TOPICS + 1] = [topic(4), topic(3), topic(2), addresses(), topic(1)];
        criteria.into_iter().filter(|alternatives| !alternatives.is_empty())
    }
}

fn bounds(heights: &BTreeSet<Height>) -> Option<(Height, Height)> {
    Some((*heights.first()?, *heights.last()?))
}

/// What both leave, where none leaves everything.
fn meet(one: Option<BTreeSet<Height>>, other: Option<BTreeSet<Height>>) -> Option<BTreeSet<Height>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(&one & &other),
        (one, other) => one.or(other),
    }
}

/// What rows of a value begin with: 0 is the place of the address, topics count from 1.
fn criterion(place: u8, value: &[u8]) -> [u8; 9] {
    let mut bytes = [place + 1; 9];
    bytes[1..].copy_from_slice(&keccak256(value)[..8]);
    bytes
}

fn key(criterion: [u8; 9], height: Height) -> Key {
    let mut bytes = [0; 17];
    bytes[..9].copy_from_slice(&criterion);
    bytes[9..].copy_from_slice(&keys::height(height));
    bytes
}

#[cfg(test)]
mod tests;
