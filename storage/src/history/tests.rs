#![allow(clippy::unwrap_used)]
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use primitives::B256;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{Config, Writer, writer::State};

type Key = (Keyspace, Vec<u8>);
type Content = HashMap<Key, Vec<u8>>;

/// How often compacting is tried: the engine's own threads may be at the tables.
const MAX_COMPACTIONS: usize = 20;

/// A chain, and a full copy of its state after every height.
struct Chain {
    directory: TempDir,
    writer: Option<Writer>,
    copies: Vec<Content>,
}

impl Chain {
    fn new() -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let mut chain = Self { directory, writer: None, copies: vec![Content::new()] };
        chain.reopen();
        chain.writer().commit(&[batch(0)]).unwrap();
        chain
    }

    fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().unwrap()
    }

    fn view(&self) -> View {
        self.writer.as_ref().unwrap().leases().lease("test").view().unwrap()
    }

    fn reopen(&mut self) {
        drop(self.writer.take().map(Writer::close));
        let config = Config { cache_bytes: 1 << 20, memtable_bytes: 8 << 10, ..Config::default_for_validator() };
        self.writer = Some(Writer::open(self.directory.path(), config).unwrap().0);
    }

    fn grow(&mut self, changes: &[(Key, Option<Vec<u8>>)], retention: Retention) {
        let mut content = self.copies.last().unwrap().clone();
        let mut batch = batch(self.copies.len() as u64);
        for ((keyspace, key), value) in changes {
            match value {
                Some(value) => {
                    content.insert((*keyspace, key.clone()), value.clone());
                    batch.put(*keyspace, key.as_slice(), value.as_slice());
                }
                None => {
                    content.remove(&(*keyspace, key.clone()));
                    batch.remove(*keyspace, key.as_slice());
                }
            }
        }
        batch.keep_history(&self.view(), retention).unwrap();
        self.writer().commit(&[batch]).unwrap();
        self.writer().mark().unwrap();
        self.copies.push(content);
    }

    /// Has the tables of the history rewritten. What may go is gone then, unless the engine sees no reason to touch a table.
    fn compact(&mut self) {
        let State::Open { handles, .. } = &self.writer().state else { panic!("not open") };
        let (handles, forgotten) = (handles.clone(), handles.forgotten.height());
        for _ in 0..MAX_COMPACTIONS {
            let history = handles.keyspace(Keyspace::StateHistory);
            history.rotate_memtable_and_wait().unwrap();
            history.major_compact().unwrap();
            if self.rows().iter().all(|height| forgotten < *height) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn rows(&self) -> Vec<Height> {
        self.view().range::<&[u8]>(Keyspace::StateHistory, .., usize::MAX).unwrap().iter().filter_map(|row| row_height(&row.key)).collect()
    }

    /// The state as of every height that must be kept is the copy, and of no other height there is an answer.
    fn check(&self, oldest: u64) {
        let keys = self.copies.iter().flat_map(Content::keys).collect::<HashSet<_>>();
        for (height, copy) in (0..).zip(&self.copies) {
            let state = self.view().as_of(Height(height));
            if height < oldest {
                let (from, to) = (Height(oldest), Height(self.copies.len() as u64 - 1));
                assert_eq!(state.err(), Some(ReadError::NotKept { asked: Height(height), from, to }));
                continue;
            }
            let state = state.unwrap();
            for (keyspace, key) in &keys {
                let value = state.get(*keyspace, key).unwrap().map(|value| value.to_vec());
                assert_eq!(value.as_ref(), copy.get(&(*keyspace, key.clone())), "{keyspace} {key:02x?} after {height}");
            }
        }
    }
}

fn batch(height: u64) -> Batch {
    Batch::for_height(Height(height), B256::with_last_byte(height as u8))
}

fn address(number: u8) -> Vec<u8> {
    vec![number; 20]
}

/// Keys that share beginnings wherever two keys of a kind can.
fn key() -> impl Strategy<Value = Key> {
    let path = prop::collection::vec(0..3u8, 0..3);
    let node = |(prefix, path): (Vec<u8>, Vec<u8>)| (Keyspace::Trie, [prefix, vec![path.len() as u8 * 2], path].concat());
    prop_oneof![
        (0..4u8).prop_map(|number| (Keyspace::Accounts, address(number))),
        (0..4u8, 0..4u8).prop_map(|(number, slot)| (Keyspace::Slots, [address(number), vec![slot; 32]].concat())),
        (prop_oneof![Just(vec![0]), Just([vec![1], vec![7; 32]].concat())], path).prop_map(node),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Block(Vec<(Key, Option<Vec<u8>>)>),
    /// An account goes, with all its slots.
    Destroy(u8),
    Keep(Retention),
    Compact,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![3 => prop::collection::vec(any::<u8>(), 1..40).prop_map(Some), 2 => Just(None)];
    let retention = prop_oneof![3 => (1..6u64).prop_map(Retention::Heights), 1 => Just(Retention::Heights(0)), 2 => Just(Retention::Archive)];
    prop_oneof![
        12 => prop::collection::vec((key(), value), 0..12).prop_map(Step::Block),
        2 => (0..4u8).prop_map(Step::Destroy),
        1 => retention.prop_map(Step::Keep),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

/// The oldest height that must be told, counted as an operator would.
fn oldest_after(oldest: u64, height: u64, retention: Retention) -> u64 {
    match retention {
        Retention::Archive => oldest,
        Retention::Heights(heights) => oldest.max(height.saturating_sub(heights)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_state_as_of_every_kept_height_is_what_it_was(steps in prop::collection::vec(step(), 1..40)) {
        let (mut chain, mut retention, mut oldest) = (Chain::new(), Retention::Archive, 0);
        for step in steps {
            let changes = match step {
                Step::Block(changes) => changes,
                Step::Destroy(number) => {
                    let account = address(number);
                    let content = chain.copies.last().unwrap();
                    content.keys().filter(|(_, key)| key.starts_with(&account)).map(|key| (key.clone(), None)).collect()
                }
                Step::Keep(other) => {
                    retention = other;
                    continue;
                }
                Step::Compact => {
                    chain.compact();
                    continue;
                }
                Step::Reopen => {
                    chain.reopen();
                    continue;
                }
            };
            chain.grow(&changes, retention);
            oldest = oldest_after(oldest, chain.copies.len() as u64 - 1, retention);
        }
        chain.check(oldest);
        chain.compact();
        chain.reopen();
        chain.check(oldest);
    }
}

fn balance(value: u8) -> [(Key, Option<Vec<u8>>); 1] {
    [((Keyspace::Accounts, address(1)), Some(vec![value]))]
}

#[test]
fn who_reads_on_while_a_height_is_pruned_is_told_so() {
    let mut chain = Chain::new();
    (1..5).for_each(|value| chain.grow(&balance(value), Retention::Archive));
    let state = chain.view().as_of(Height(2)).unwrap();
    let read = || state.get(Keyspace::Accounts, &address(1));
    assert_eq!(read(), Ok(Some(vec![2].into())));
    chain.grow(&balance(5), Retention::Heights(3));
    assert_eq!(read(), Ok(Some(vec![2].into())));
    chain.grow(&balance(6), Retention::Heights(3));
    chain.compact();
    assert_eq!(read(), Err(ReadError::NotKept { asked: Height(2), from: Height(3), to: Height(4) }));
}

#[test]
fn pruned_rows_leave_the_disk_as_the_chain_grows() {
    let mut chain = Chain::new();
    for height in 1..=200u8 {
        chain.grow(&balance(height), Retention::Heights(3));
        if height.is_multiple_of(20) {
            chain.compact();
        }
    }
    assert!(chain.rows().len() < 60, "{:?}", chain.rows());
    chain.check(197);
}

#[test]
fn without_history_nothing_is_written() {
    let mut chain = Chain::new();
    (1..5).for_each(|value| chain.grow(&balance(value), Retention::Heights(0)));
    assert_eq!(chain.view().range::<&[u8]>(Keyspace::StateHistory, .., 9).unwrap(), []);
    chain.check(4);
}

#[test]
fn what_a_block_writes_again_unchanged_has_no_row() {
    let mut chain = Chain::new();
    (0..3).for_each(|_| chain.grow(&balance(7), Retention::Archive));
    assert_eq!(chain.rows(), [Height(1)]);
}

#[test]
fn history_is_written_only_with_the_view_below() {
    let mut chain = Chain::new();
    let old = chain.view();
    chain.grow(&balance(1), Retention::Archive);
    assert!(batch(2).keep_history(&old, Retention::Archive).is_err());
    assert!(Batch::loose().keep_history(&chain.view(), Retention::Archive).is_err());
}
