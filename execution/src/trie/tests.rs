#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;

use alloy_trie::HashBuilder;
use proptest::prelude::*;

use super::*;
use crate::{MemoryState, StateChanges};

type Content = BTreeMap<B256, Vec<u8>>;
type Batch = Vec<(B256, Option<Vec<u8>>)>;

/// A trie, the store behind it, and what both should hold.
#[derive(Clone, Default)]
struct Fixture {
    content: Content,
    store: MemoryState,
    trie: Option<Trie>,
}

impl Fixture {
    fn apply(&mut self, batch: Batch) -> B256 {
        for (key, value) in &batch {
            match value {
                Some(value) => self.content.insert(*key, value.clone()),
                None => self.content.remove(key),
            };
        }
        let mut trie = self.trie.take().unwrap_or_else(|| Trie::open(vec![0], EMPTY_ROOT_HASH));
        let mut changes = StateChanges::default();
        let root = trie.update(batch.into_iter(), &self.store, &mut changes.nodes).unwrap();
        self.store.apply(0, B256::ZERO, &changes);
        self.trie = Some(trie);
        root
    }

    fn reopen(&mut self) {
        self.trie = Some(Trie::open(vec![0], rebuilt(&self.content)));
    }

    /// Root as a full rebuild has it, and no node more or less than a full rebuild stores.
    fn check(&self, root: B256) {
        assert_eq!(root, rebuilt(&self.content));
        let mut fresh = Fixture { content: self.content.clone(), ..Fixture::default() };
        fresh.apply(self.content.iter().map(|(key, value)| (*key, Some(value.clone()))).collect());
        let nodes = |store: &MemoryState| store.nodes().map(|(key, node)| (key.to_vec(), node.clone())).collect::<BTreeMap<_, _>>();
        assert_eq!(nodes(&self.store), nodes(&fresh.store));
    }
}

fn rebuilt(content: &Content) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, value) in content {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    builder.root()
}

/// Keys that share long beginnings, so that extensions appear and short nodes live inside their parents.
fn key() -> impl Strategy<Value = B256> {
    (0..3u8, prop_oneof![0..4u8, any::<u8>()], any::<u8>()).prop_map(|(first, middle, last)| {
        let mut key = B256::repeat_byte(first * 0x11);
        (key[15], key[30], key[31]) = (middle & 0x0f, middle, last & 0x33);
        key
    })
}

fn batch() -> impl Strategy<Value = Batch> {
    let value = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 1..4).prop_map(Some),
        3 => prop::collection::vec(any::<u8>(), 30..70).prop_map(Some),
        4 => Just(None),
    ];
    prop::collection::vec((key(), value), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_change_gives_the_root_and_the_nodes_of_a_rebuild(steps in prop::collection::vec((batch(), 0..6usize, any::<bool>()), 1..6)) {
        let mut fixture = Fixture::default();
        for (batch, levels, is_reopened) in steps {
            let root = fixture.apply(batch);
            fixture.check(root);
            fixture.trie.as_mut().unwrap().prune(levels);
            if is_reopened {
                fixture.reopen();
            }
        }
    }

    #[test]
    fn a_walk_proves_what_a_key_holds_or_that_it_holds_nothing(content in batch(), removed in batch(), others in prop::collection::vec(key(), 10)) {
        let mut fixture = Fixture::default();
        fixture.apply(content);
        let root = fixture.apply(removed.into_iter().map(|(key, _)| (key, None)).collect());
        for key in fixture.content.keys().chain(&others) {
            let walk = walk(&[0], root, *key, &fixture.store).unwrap();
            prop_assert_eq!(walk.value.as_ref(), fixture.content.get(key));
            alloy_trie::proof::verify_proof(root, Nibbles::unpack(key), walk.value, &walk.nodes).unwrap();
        }
    }

    #[test]
    fn a_fork_knows_nothing_of_the_other(first in batch(), left in batch(), right in batch()) {
        let mut one = Fixture::default();
        one.apply(first);
        one.trie.as_mut().unwrap().prune(1);
        let mut other = one.clone();
        let root = one.apply(left);
        one.check(root);
        let root = other.apply(right);
        other.check(root);
    }
}

fn many(count: u64) -> Batch {
    (0..count).map(|i| (keccak256(i.to_be_bytes()), Some(keccak256(i.to_le_bytes()).to_vec()))).collect()
}

#[test]
fn hashing_on_all_cores_gives_the_same_root() {
    let mut fixture = Fixture::default();
    let root = fixture.apply(many(4 * PARALLEL_FROM as u64));
    fixture.check(root);
    let removed = many(2 * PARALLEL_FROM as u64).into_iter().map(|(key, _)| (key, None)).collect();
    let root = fixture.apply(removed);
    fixture.check(root);
}

#[test]
fn removing_everything_leaves_nothing_behind() {
    let mut fixture = Fixture::default();
    fixture.apply(many(300));
    fixture.reopen();
    let root = fixture.apply(many(300).into_iter().map(|(key, _)| (key, None)).collect());
    assert_eq!(root, EMPTY_ROOT_HASH);
    assert_eq!(fixture.store.nodes().count(), 0);
}

#[test]
fn a_missing_node_is_an_error_and_not_another_root() {
    let mut trie = Trie::open(vec![0], B256::repeat_byte(1));
    let error = trie.update(many(1).into_iter(), &MemoryState::default(), &mut NodeChanges::default()).unwrap_err();
    assert_eq!(error, TrieError::Missing { key: vec![0, 0].into() });
}

#[test]
fn a_damaged_node_is_an_error() {
    let mut store = MemoryState::default();
    let nodes = [(vec![0, 0], Some(Bytes::from_static(b"\xc3\x01\x02\x03")))].into_iter().collect();
    store.apply(0, B256::ZERO, &StateChanges { nodes, ..StateChanges::default() });
    let mut trie = Trie::open(vec![0], B256::repeat_byte(1));
    let error = trie.update(many(1).into_iter(), &store, &mut NodeChanges::default()).unwrap_err();
    assert!(matches!(error, TrieError::Malformed(_)));
}

#[test]
fn pruning_keeps_what_it_is_told_and_no_more() {
    let mut fixture = Fixture::default();
    fixture.apply(many(3_000));
    let loaded = |fixture: &Fixture| depth_of(fixture.trie.as_ref().unwrap().root.as_ref().unwrap());
    assert!(loaded(&fixture) > 2);
    fixture.trie.as_mut().unwrap().prune(2);
    assert_eq!(loaded(&fixture), 1);
}

/// Levels below this one that are in memory.
fn depth_of(link: &Link) -> usize {
    let Link::Loaded(node) = link else { return 0 };
    match &node.kind {
        node::Kind::Leaf { .. } => 0,
        node::Kind::Extension { child, .. } => 1 + depth_of(child),
        node::Kind::Branch(children) => {
            let loaded = children.iter().flatten().filter(|child| matches!(child, Link::Loaded(_)));
            loaded.map(|child| 1 + depth_of(child)).max().unwrap_or_default()
        }
    }
}

#[test]
fn memory_stays_within_its_levels_over_many_changes() {
    let mut fixture = Fixture::default();
    for start in 0..20 {
        fixture.apply(many(3_000).into_iter().skip(start * 100).take(100).collect());
        fixture.trie.as_mut().unwrap().prune(2);
        assert!(depth_of(fixture.trie.as_ref().unwrap().root.as_ref().unwrap()) <= 1);
    }
}
