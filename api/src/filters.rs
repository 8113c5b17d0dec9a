//! Standing filters: what a client polls, and how far it has read.
//!
//! A filter keeps no results. It remembers the next height, or its place among the waiting transactions, and a poll reads from there;
//! so a client that does not poll costs nothing, and is forgotten after [`config::FILTER_LIFETIME`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use alloy_primitives::B256;
use alloy_rpc_types_eth::Filter;
use primitives::Height;
use tokio::sync::broadcast;

use crate::{config, identifier::Identifier};

/// How far a client has read.
#[derive(Debug)]
pub(crate) enum Cursor {
    Blocks { next: Height },
    Pending { receiver: broadcast::Receiver<B256>, is_full: bool },
    Logs { filter: Arc<Filter>, next: Height },
}

impl Cursor {
    /// Addresses and topics it names.
    fn values(&self) -> usize {
        match self {
            Self::Logs { filter, .. } => values(filter),
            Self::Blocks { .. } | Self::Pending { .. } => 0,
        }
    }
}

/// Addresses and topics that `filter` names.
pub(crate) fn values(filter: &Filter) -> usize {
    filter.address.len() + filter.topics.iter().map(|topic| topic.len()).sum::<usize>()
}

/// One poll at a time reads a filter.
pub(crate) type Standing = Arc<tokio::sync::Mutex<Cursor>>;

/// No more filters can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("{max} filters stand already; uninstall some, or wait until unused ones expire", max = config::MAX_FILTERS)]
    Filters,
    #[error("the standing filters name {max} addresses and topics already; name fewer, or uninstall some", max = config::MAX_STANDING_VALUES)]
    Values,
}

/// The filters of all clients. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filters(Arc<Mutex<Book>>);

impl Filters {
    pub fn install(&self, cursor: Cursor) -> Result<Identifier, Full> {
        let id = Identifier::random();
        self.book(|book| book.install(id, cursor, Instant::now())).map(|()| id)
    }

    /// The filter behind `id`, which lives on from now.
    pub fn find(&self, id: &Identifier) -> Option<Standing> {
        self.book(|book| book.find(id, Instant::now()))
    }

    /// Whether it was there.
    pub fn uninstall(&self, id: &Identifier) -> bool {
        self.book(|book| book.uninstall(id, Instant::now()))
    }

    fn book<R>(&self, work: impl FnOnce(&mut Book) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug, Default)]
struct Book {
    entries: HashMap<Identifier, Entry>,
    /// Of all entries.
    values: usize,
}

#[derive(Debug)]
struct Entry {
    standing: Standing,
    values: usize,
    polled: Instant,
}

impl Book {
    fn install(&mut self, id: Identifier, cursor: Cursor, now: Instant) -> Result<(), Full> {
        self.expire(now);
        let values = cursor.values();
        if config::MAX_FILTERS <= self.entries.len() {
            return Err(Full::Filters);
        }
        if config::MAX_STANDING_VALUES < self.values + values {
            return Err(Full::Values);
        }
        self.values += values;
        self.entries.insert(id, Entry { standing: Arc::new(tokio::sync::Mutex::new(cursor)), values, polled: now });
        Ok(())
    }

    fn find(&mut self, id: &Identifier, now: Instant) -> Option<Standing> {
        self.expire(now);
        let entry = self.entries.get_mut(id)?;
        entry.polled = now;
        Some(entry.standing.clone())
    }

    fn uninstall(&mut self, id: &Identifier, now: Instant) -> bool {
        self.expire(now);
        let gone = self.entries.remove(id);
        self.values -= gone.as_ref().map_or(0, |entry| entry.values);
        gone.is_some()
    }

    fn expire(&mut self, now: Instant) {
        self.entries.retain(|_, entry| now.saturating_duration_since(entry.polled) < config::FILTER_LIFETIME);
        self.values = self.entries.values().map(|entry| entry.values).sum();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    fn blocks() -> Cursor {
        Cursor::Blocks { next: Height(1) }
    }

    fn naming(values: usize) -> Cursor {
        let topics: Vec<B256> = (0..values).map(|value| B256::from(alloy_primitives::U256::from(value))).collect();
        Cursor::Logs { filter: Arc::new(Filter::new().event_signature(topics)), next: Height(1) }
    }

    #[test]
    fn a_filter_lives_as_long_as_it_is_polled() {
        let (mut book, id, mut now) = (Book::default(), Identifier::random(), Instant::now());
        book.install(id, blocks(), now).unwrap();
        for _ in 0..3 {
            now += config::FILTER_LIFETIME - Duration::from_secs(1);
            assert!(book.find(&id, now).is_some());
        }
        assert!(book.find(&id, now + config::FILTER_LIFETIME).is_none());
    }

    #[test]
    fn one_filter_too_many_is_refused_until_another_goes() {
        let (mut book, now) = (Book::default(), Instant::now());
        let first = Identifier::random();
        book.install(first, blocks(), now).unwrap();
        for _ in 1..config::MAX_FILTERS {
            book.install(Identifier::random(), blocks(), now).unwrap();
        }
        assert_eq!(book.install(Identifier::random(), blocks(), now), Err(Full::Filters));
        assert!(book.uninstall(&first, now));
        assert!(!book.uninstall(&first, now));
        assert_eq!(book.install(Identifier::random(), blocks(), now), Ok(()));
        assert_eq!(book.install(Identifier::random(), blocks(), now + config::FILTER_LIFETIME), Ok(()));
        assert_eq!(book.entries.len(), 1);
    }

    #[test]
    fn what_filters_name_together_is_bounded() {
        let (mut book, now) = (Book::default(), Instant::now());
        for _ in 0..config::MAX_STANDING_VALUES / 1_000 {
            book.install(Identifier::random(), naming(1_000), now).unwrap();
        }
        assert_eq!(book.install(Identifier::random(), naming(1), now), Err(Full::Values));
        assert_eq!(book.install(Identifier::random(), blocks(), now), Ok(()));
    }
}
