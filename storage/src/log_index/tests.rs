#![allow(clippy::unwrap_used)]
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{Config, Writer};

type Log = (Address, Vec<B256>);

/// A chain whose blocks hold these logs; the first is block 0 and is not indexed.
struct Chain {
    blocks: Vec<Vec<Log>>,
    view: View,
    _writer: Writer,
    _directory: TempDir,
}

impl Chain {
    fn of(blocks: Vec<Vec<Log>>) -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let (mut writer, _) = Writer::open(directory.path(), Config::default_for_validator()).unwrap();
        let lease = writer.leases().lease("test");
        for (height, logs) in (0..).zip(&blocks) {
            let mut batch = Batch::for_height(Height(height), B256::with_last_byte(height as u8));
            if height > 0 {
                let logs = logs.iter().map(|(address, topics)| (address, topics.as_slice()));
                batch.index_logs(&lease.view().unwrap(), logs).unwrap();
            }
            writer.commit(&[batch]).unwrap();
        }
        Self { view: lease.view().unwrap(), blocks, _writer: writer, _directory: directory }
    }

    fn heights(&self, query: &LogQuery, range: RangeInclusive<u64>) -> Vec<u64> {
        let range = Height(*range.start())..=Height(*range.end());
        self.view.log_heights(query, range).unwrap().into_iter().map(|height| height.0).collect()
    }

    fn wanted(&self, query: &LogQuery, range: RangeInclusive<u64>) -> Vec<u64> {
        let holds = |height: &u64| self.blocks.get(*height as usize).is_some_and(|logs| logs.iter().any(|log| is_wanted(query, log)));
        range.filter(holds).collect()
    }
}

fn is_wanted(query: &LogQuery, (address, topics): &Log) -> bool {
    let has = |(place, wanted): (usize, &Vec<B256>)| wanted.is_empty() || topics.get(place).is_some_and(|topic| wanted.contains(topic));
    (query.addresses.is_empty() || query.addresses.contains(address)) && query.topics.iter().enumerate().all(has)
}

fn address() -> impl Strategy<Value = Address> {
    (0..4u8).prop_map(Address::repeat_byte)
}

fn topic() -> impl Strategy<Value = B256> {
    (0..4u8).prop_map(B256::repeat_byte)
}

fn blocks() -> impl Strategy<Value = Vec<Vec<Log>>> {
    let log = (address(), prop::collection::vec(topic(), 0..=MAX_TOPICS));
    prop::collection::vec(prop::collection::vec(log, 0..3), 1..40)
}

fn query() -> impl Strategy<Value = LogQuery> {
    let topics = prop::array::uniform4(prop_oneof![3 => Just(vec![]), 2 => prop::collection::vec(topic(), 1..3)]);
    (prop::collection::vec(address(), 0..3), topics).prop_map(|(addresses, topics)| LogQuery { addresses, topics })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_height_with_a_wanted_log_is_left_out(blocks in blocks(), queries in prop::collection::vec((query(), 0..45u64, 0..45u64), 20), rows in 0..30usize) {
        let chain = Chain::of(blocks);
        for (query, first, last) in queries {
            let found = chain.heights(&query, first..=last);
            prop_assert!(found.is_sorted() && found.iter().all(|height| (first..=last).contains(height)));
            prop_assert!(chain.wanted(&query, first..=last).iter().all(|height| *height == 0 || found.contains(height)), "{query:?}: {found:?}");
            // With too few rows to read, the answer is longer and as right.
            let tip = Height(chain.blocks.len() as u64 - 1);
            let found = chain.view.search(&query, Height(1), tip, rows).unwrap();
            prop_assert!(chain.wanted(&query, 1..=tip.0).iter().all(|height| found.contains(&Height(*height))));
        }
    }
}

#[test]
fn a_rare_value_leaves_only_its_heights() {
    let (contract, event, rare) = (Address::repeat_byte(1), B256::repeat_byte(2), B256::repeat_byte(3));
    let logs = |height: u64| vec![(contract, vec![event, if height.is_multiple_of(40) { rare } else { B256::ZERO }])];
    let chain = Chain::of((0..200).map(logs).collect());
    let of = |topics: [Vec<B256>; MAX_TOPICS]| LogQuery { addresses: vec![contract], topics };
    assert_eq!(chain.heights(&of([vec![], vec![rare], vec![], vec![]]), 1..=199), [40, 80, 120, 160]);
    assert_eq!(chain.heights(&of([vec![event], vec![rare], vec![], vec![]]), 41..=120), [80, 120]);
    assert_eq!(chain.heights(&of([vec![rare], vec![], vec![], vec![]]), 1..=199), [0u64; 0]);
    assert_eq!(chain.heights(&of([vec![event], vec![], vec![], vec![]]), 150..=500), (150..=199).collect::<Vec<_>>());
    assert_eq!(chain.heights(&LogQuery::default(), 5..=8), [5, 6, 7, 8]);
}

#[test]
fn few_heights_are_narrowed_by_every_criterion() {
    let (contract, other, event, rare) = (Address::repeat_byte(1), Address::repeat_byte(4), B256::repeat_byte(2), B256::repeat_byte(3));
    // The rare value is with the wanted contract at every second of its heights, elsewhere with another one.
    let logs = |height: u64| {
        vec![(if height.is_multiple_of(80) { contract } else { other }, vec![event, if height.is_multiple_of(40) { rare } else { B256::ZERO }])]
    };
    let chain = Chain::of((0..200).map(logs).collect());
    let of = |addresses: Vec<Address>, event| LogQuery { addresses, topics: [vec![event], vec![rare], vec![], vec![]] };
    assert_eq!(chain.heights(&of(vec![], event), 1..=199), [40, 80, 120, 160]);
    assert_eq!(chain.heights(&of(vec![contract], event), 1..=199), [80, 160]);
    assert_eq!(chain.heights(&of(vec![contract, other], event), 1..=199), [40, 80, 120, 160]);
    assert_eq!(chain.heights(&of(vec![contract], B256::ZERO), 1..=199), [0u64; 0]);
}

#[test]
fn heights_from_before_the_index_may_hold_anything() {
    let chain = Chain::of(vec![vec![], vec![]]);
    let query = LogQuery { addresses: vec![Address::ZERO], ..LogQuery::default() };
    assert_eq!(chain.heights(&query, 0..=1), [0]);
    assert_eq!(chain.heights(&query, 3..=9), [0u64; 0]);
}
