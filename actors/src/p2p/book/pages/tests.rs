#![allow(clippy::unwrap_used)]
use std::{collections::BTreeSet, sync::Arc, time::Duration};

use primitives::{B256, Domain, SecretKey, SystemClock};
use rand::{SeedableRng, rngs::StdRng};
use wire::{Services, Whereabouts};

use super::{
    super::{
        super::{Conduct, Culprit},
        PeerBook, Wish,
    },
    *,
};

const DOMAIN: Domain = Domain { chain_id: 1, genesis_hash: B256::ZERO };
const NOW: u64 = 1_000_000;

fn key(number: u32) -> SecretKey {
    SecretKey::from_bytes(primitives::keccak256(number.to_be_bytes()).0).unwrap()
}

fn node(number: u32) -> NodeId {
    key(number).public_key().into()
}

fn record(number: u32, address: &str, issued_ms: u64) -> AddressRecord {
    AddressRecord::new(&key(number), &DOMAIN, Whereabouts { address: address.parse().unwrap(), issued_ms, services: Services::BLOCKS })
}

fn book() -> Book {
    Book::new(node(0), Limits::default())
}

/// Three nodes in three ranges that we have reached.
fn with_tried() -> (Book, Vec<NodeId>) {
    let mut book = book();
    for number in 1..=3 {
        book.hear(record(number, &format!("20.{number}.0.1:1"), 1), node(number), false);
        book.reached(&node(number), NOW);
    }
    (book, (1..=3).map(node).collect())
}

#[test]
fn a_hundred_identities_of_one_range_or_one_teller_displace_nobody_that_was_tried() {
    let (mut book, tried) = with_tried();
    for number in 100..200 {
        // Each tells of itself, from the range of a node that we know.
        book.hear(record(number, &format!("20.1.1.{}:1", number - 99), 1), node(number), false);
        // And one mouth tells of a hundred ranges.
        book.hear(record(number + 1_000, &format!("{}.7.0.1:1", number - 70), 1), node(99), false);
    }
    assert!(tried.iter().all(|node| book.get(node).is_some_and(|entry| entry.is_tried)));
    let heard = |of: fn(&Entry) -> bool| book.entries().filter(|entry| !entry.is_tried && of(entry)).count();
    assert_eq!(heard(|entry| entry.range() == Range::V4([20, 1])), 64);
    assert_eq!(heard(|entry| entry.teller == node(99)), 64);
}

#[test]
fn the_book_is_bounded_whatever_is_told_and_the_most_crowded_range_pays() {
    let limits = Limits { heard: 50, heard_per_range: 40, ..Limits::default() };
    let mut book = Book::new(node(0), limits);
    book.hear(record(1, "9.9.0.1:1", 1), node(1), false);
    for number in 100..400 {
        book.hear(record(number, &format!("{}.0.0.{}:1", 20 + number % 2, number % 250 + 1), 1), node(number), false);
    }
    assert_eq!(book.entries().count(), 50);
    assert!(book.get(&node(1)).is_some());
}

#[test]
fn a_localnet_has_room_on_loopback() {
    let mut book = book();
    for number in 1..=200 {
        assert_eq!(book.hear(record(number, &format!("127.0.0.1:{}", 4_000 + number), 1), node(number), true), Heard::News);
        book.reached(&node(number), NOW);
    }
    assert_eq!(book.entries().filter(|entry| entry.is_tried).count(), 200);
}

#[test]
fn a_stranger_from_elsewhere_is_not_believed_about_our_own_network() {
    assert_eq!(book().hear(record(1, "10.0.0.1:22", 1), node(9), false), Heard::NotLocal);
    assert_eq!(book().hear(record(1, "10.0.0.1:22", 1), node(9), true), Heard::News);
}

#[test]
fn a_later_record_counts_and_a_node_that_moved_has_to_be_reached_there() {
    let (mut book, _) = with_tried();
    assert_eq!(book.hear(record(1, "20.1.0.9:1", 1), node(9), false), Heard::Known);
    assert_eq!(book.hear(record(1, "20.1.0.1:1", 2), node(9), false), Heard::News);
    assert!(book.get(&node(1)).unwrap().is_tried);
    assert_eq!(book.hear(record(1, "20.1.0.9:1", 3), node(9), false), Heard::News);
    assert!(!book.get(&node(1)).unwrap().is_tried);
    assert_eq!(book.hear(record(0, "20.1.0.1:1", 9), node(9), false), Heard::Known, "that is us");
}

#[test]
fn places_of_validators_are_kept_two_for_each() {
    let mut book = Book::new(node(0), Limits { heard: 5, ..Limits::default() });
    for number in 1..=3 {
        book.hear(record(number, &format!("20.{number}.0.1:1"), 1), node(number), false);
        book.seen(&node(number), NOW + u64::from(number));
        book.proved(&node(number), Address::repeat_byte(7));
    }
    assert_eq!(book.entries().filter(|entry| entry.validator.is_some()).map(Entry::node).collect::<BTreeSet<_>>(), [node(2), node(3)].into());
    (100..200).for_each(|number| _ = book.hear(record(number, &format!("21.{}.0.1:1", number - 99), 1), node(number), false));
    assert!(book.get(&node(2)).is_some() && book.get(&node(3)).is_some());
}

#[test]
fn a_node_that_is_only_heard_of_is_forgotten_after_many_failures_while_others_are_reached() {
    let (mut book, tried) = with_tried();
    book.hear(record(9, "30.1.0.1:1", 1), node(8), false);
    (0..40).for_each(|_| book.failed(&node(9), NOW, 0.5, false));
    assert!(book.get(&node(9)).is_some(), "our own network may be down");
    book.failed(&node(9), NOW, 0.5, true);
    assert!(book.get(&node(9)).is_none());
    (0..40).for_each(|_| book.failed(&tried[0], NOW, 0.5, true));
    assert!(book.get(&tried[0]).is_some());
}

fn candidate(book: &Book, now_ms: u64, is_taken: impl Fn(&NodeId) -> bool) -> Option<NodeId> {
    let mut random = StdRng::seed_from_u64(1);
    let wish = Wish { now_ms, is_taken: &is_taken, is_crowded: &|_| false };
    book.candidate(&wish, &mut random).map(|candidate| candidate.node)
}

#[test]
fn a_node_is_dialled_again_after_a_minute_at_most_and_one_of_a_validator_after_two_seconds() {
    let mut book = book();
    book.hear(record(1, "20.1.0.1:1", 1), node(1), false);
    assert_eq!(candidate(&book, NOW, |_| false), Some(node(1)));
    assert_eq!(candidate(&book, NOW, |taken| *taken == node(1)), None);
    (0..30).for_each(|_| book.failed(&node(1), NOW, 1.0, false));
    assert_eq!((candidate(&book, NOW + 59_000, |_| false), candidate(&book, NOW + 60_000, |_| false)), (None, Some(node(1))));
    book.proved(&node(1), Address::repeat_byte(1));
    book.failed(&node(1), NOW, 1.0, false);
    assert_eq!((candidate(&book, NOW + 1_900, |_| false), candidate(&book, NOW + 2_000, |_| false)), (None, Some(node(1))));
    book.lasted(&node(1));
    assert_eq!(candidate(&book, NOW, |_| false), Some(node(1)));
}

#[test]
fn a_crowd_in_one_range_is_chosen_no_more_often_than_a_single_node_elsewhere() {
    let mut book = book();
    (100..160).for_each(|number| _ = book.hear(record(number, &format!("20.1.0.{}:1", number - 99), 1), node(number), false));
    book.hear(record(1, "30.1.0.1:1", 1), node(1), false);
    let mut random = StdRng::seed_from_u64(7);
    let wish = Wish { now_ms: NOW, is_taken: &|_| false, is_crowded: &|_| false };
    let alone = (0..1_000).filter(|_| book.candidate(&wish, &mut random).unwrap().node == node(1)).count();
    assert!((400..600).contains(&alone), "{alone} of 1000");
    let crowded = Wish { is_crowded: &|range| range == Range::V4([20, 1]), ..wish };
    assert!((0..100).all(|_| book.candidate(&crowded, &mut random).unwrap().node == node(1)));
}

#[test]
fn a_sample_is_bounded_and_leaves_out_what_is_secret_failing_or_local() {
    let (mut book, tried) = with_tried();
    book.hear(record(4, "10.0.0.1:1", 1), node(4), true);
    (0..3).for_each(|_| book.failed(&tried[1], NOW, 0.5, true));
    let mut random = StdRng::seed_from_u64(1);
    let told = |book: &Book, is_local, random: &mut StdRng| {
        let sample = book.sample(10, is_local, |node| *node == tried[0], random);
        sample.iter().map(AddressRecord::node).collect::<BTreeSet<_>>()
    };
    assert_eq!(told(&book, false, &mut random), [tried[2]].into());
    assert_eq!(told(&book, true, &mut random), [tried[2], node(4)].into());
    assert_eq!(book.sample(2, true, |_| false, &mut random).len(), 2);
}

#[test]
fn what_is_written_is_read_back_and_what_is_gone_goes() {
    let empty = || PeerBook::new(node(0), Conduct::new(Arc::new(SystemClock::new())));
    let (book, banned, hour) = (empty(), Culprit::Node(node(3)), Duration::from_secs(3_600));
    book.with(|book| book.hear(record(1, "20.1.0.1:1", 1), node(1), false));
    book.with(|book| book.reached(&node(1), NOW));
    book.set_score(node(2), -40);
    book.conduct().ban(banned, hour, "by hand");
    book.add("node.example:4130".parse().unwrap()).unwrap();
    let rows = book.take_changes();
    assert_eq!(book.take_changes(), []);
    let read = empty();
    read.restore(rows.iter().map(|(key, value)| (&key[..], &value.as_ref().unwrap()[..])));
    read.restore([(&b"n-damaged"[..], &b"rubbish"[..]), (&b"?"[..], &b""[..])]);
    assert!(read.with(|book| book.get(&node(1)).unwrap().is_tried && book.score(&node(2)) == -40));
    assert_eq!((read.added().len(), read.take_wanted().len()), (1, 1));
    assert!(read.conduct().banned(&banned).is_some_and(|left| hour - Duration::from_secs(60) < left));
    assert!(read.conduct().is_kept_out(&node(3), true), "it is forgotten who said so");
    assert_eq!(read.take_changes(), []);
    assert!(read.conduct().lift(&banned));
    read.with(Book::clear);
    let gone: Vec<_> = read.take_changes();
    assert!(gone.len() == 3 && gone.iter().all(|(_, value)| value.is_none()), "{gone:?}");
}

#[test]
fn what_the_operator_gives_is_kept_and_dialled_at_once() {
    let (mut book, tried) = with_tried();
    (0..9).for_each(|_| book.failed(&tried[0], NOW, 1.0, true));
    assert!(book.give(record(1, "20.1.0.1:1", 1), 5) && book.give(record(50, "50.1.0.1:1", 1), 77));
    let given = book.get(&node(50)).unwrap();
    assert!(given.is_reserved() && given.last_seen_ms == 77);
    assert_eq!(candidate(&book, NOW, |node| !tried[..1].contains(node)), Some(tried[0]));
    let mut small = Book::new(node(0), Limits { given: 1, ..Limits::default() });
    assert!(small.give(record(1, "20.1.0.1:1", 1), 0) && !small.give(record(2, "20.1.0.1:1", 1), 0) && small.give(record(1, "20.1.0.1:1", 2), 0));
}
