use std::{
    thread,
    time::{Duration, Instant},
};

use primitives::{Height, Round};
use storage::{Batch, CommitError, Keyspace, Refused, Undecided, Writer};

use crate::chain::{block, flushing, grow, hash, is_whole, note, open, scratch, tip};

/// Some memtables that are not full.
const MAX_UNFLUSHED_BYTES: u64 = 1 << 20;
const FLUSH_LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_height_that_does_not_follow_the_tip_is_refused() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    let wrong = |error| matches!(error, CommitError::WrongHeight { .. });
    assert!(wrong(writer.commit(&[block(1)]).unwrap_err()));
    grow(&mut writer, 3);
    assert!(wrong(writer.commit(&[block(5)]).unwrap_err()));
    assert!(wrong(writer.commit(&[block(4), block(6)]).unwrap_err()));
    assert_eq!(writer.tip(), Some(tip(3)));
    assert!(is_whole(&writer.leases().lease("test"), 3));
}

#[test]
fn a_block_that_is_already_committed_is_passed_over() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    grow(&mut writer, 3);
    for height in 0..=3 {
        let mut again = block(height);
        again.put(Keyspace::Accounts, 0u64.to_be_bytes(), "overwritten");
        assert_eq!(writer.commit(&[again]).unwrap().repeated, 1);
    }
    assert_eq!(writer.commit(&[block(3), block(4), block(4), note("a")]).unwrap().repeated, 2);
    assert!(is_whole(&writer.leases().lease("test"), 4));
}

#[test]
fn another_block_at_a_committed_height_is_a_conflict() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    grow(&mut writer, 3);
    for height in 0..=3 {
        let other = Batch::for_height(Height(height), hash(1));
        assert!(matches!(writer.commit(&[other]), Err(CommitError::Conflict { stored, .. }) if stored == tip(height)));
    }
    let twice = [block(4), Batch::for_height(Height(4), hash(1))];
    assert!(matches!(writer.commit(&twice), Err(CommitError::Conflict { .. })));
    assert_eq!(writer.tip(), Some(tip(3)));
}

#[test]
fn a_group_is_committed_whole_or_not_at_all() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    let lease = writer.leases().lease("test");
    let mut bad = Batch::loose();
    bad.put(Keyspace::Mempool, "", "no key");
    assert!(writer.commit(&[block(0), note("a"), bad]).is_err());
    assert_eq!((writer.tip(), lease.get(Keyspace::Mempool, b"a").unwrap()), (None, None));

    let committed = writer.commit(&[block(0), note("a"), block(1), note("b"), block(2)]).unwrap();
    assert_eq!((committed.tip, committed.repeated), (Some(tip(2)), 0));
    writer.close().unwrap();
    let (writer, opened) = open(directory.path());
    assert_eq!(opened.tip, Some(tip(2)));
    let lease = writer.leases().lease("test");
    assert!(is_whole(&lease, 2));
    assert!(lease.get(Keyspace::Mempool, b"a").unwrap().is_some() && lease.get(Keyspace::Mempool, b"b").unwrap().is_some());
}

#[test]
fn the_last_write_of_a_key_wins_within_a_group() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    let mut first = Batch::loose();
    first.put(Keyspace::Mempool, "a", "1");
    first.put(Keyspace::Mempool, "a", "2");
    first.put(Keyspace::Mempool, "b", "1");
    first.remove(Keyspace::Mempool, "c");
    let mut second = Batch::loose();
    second.remove(Keyspace::Mempool, "b");
    second.put(Keyspace::Mempool, "c", "3");
    writer.commit(&[first, second]).unwrap();
    for _ in 0..2 {
        let lease = writer.leases().lease("test");
        let get = |key: &str| lease.get(Keyspace::Mempool, key.as_bytes()).unwrap();
        assert_eq!((get("a"), get("b"), get("c")), (Some("2".into()), None, Some("3".into())));
        writer.close().unwrap();
        writer = open(directory.path()).0;
    }
}

#[test]
fn keys_that_cannot_be_are_refused_before_anything_is_written() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    for (keyspace, key) in [
        (Keyspace::Trie, vec![]),
        (Keyspace::Trie, vec![1; 1 << 16]),
        (Keyspace::Trie, b"\0axolotl:height".to_vec()),
        (Keyspace::Meta, b"\0tip".to_vec()),
    ] {
        let mut batch = Batch::for_height(Height(0), hash(0));
        batch.put(keyspace, key, "value");
        assert!(matches!(writer.commit(&[batch]), Err(CommitError::Refused(Refused::KeyLength { .. } | Refused::Reserved { .. }))));
    }
    assert_eq!(writer.tip(), None);
}

#[test]
fn undecided_bodies_go_with_all_their_rounds() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    let lease = writer.leases().lease("proposals");
    let round = |height, round, block| Undecided { height: Height(height), round: Round(round), hash: hash(block) };
    let kept = [round(5, 0, 1), round(5, 1, 2), round(5, 2, 1), round(6, 0, 3)];
    let mut batch = Batch::loose();
    for undecided in kept {
        batch.keep_undecided(undecided, [undecided.hash.0[31]; 10]);
    }
    writer.commit(&[batch]).unwrap();
    assert_eq!(lease.undecided_up_to(Height(5), 100).unwrap(), kept[..3]);
    assert_eq!(lease.undecided_up_to(Height(5), 2).unwrap(), kept[..2]);
    assert_eq!(lease.undecided_up_to(Height(9), 100).unwrap(), kept);
    assert_eq!(lease.undecided_of(Height(6), 100).unwrap(), kept[3..]);
    assert_eq!(lease.undecided_at(Height(5), Round(2)).unwrap(), Some(hash(1)));
    assert_eq!(lease.undecided_body(&hash(2)).unwrap(), Some(vec![2; 10].into()));

    let mut batch = Batch::loose();
    batch.drop_undecided(&lease.undecided_up_to(Height(5), 100).unwrap());
    writer.commit(&[batch]).unwrap();
    assert_eq!(lease.undecided_up_to(Height(9), 100).unwrap(), kept[3..]);
    assert_eq!((lease.undecided_body(&hash(1)).unwrap(), lease.undecided_body(&hash(2)).unwrap()), (None, None));
    assert!(lease.undecided_body(&hash(3)).unwrap().is_some());
}

#[test]
fn what_the_database_takes_up_is_known() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    grow(&mut writer, 5);
    let usage = writer.usage().unwrap();
    assert!(usage.journals == 1 && usage.unflushed_bytes > 0 && usage.disk_bytes >= usage.journal_bytes, "{usage:?}");
}

#[test]
fn what_is_gathered_in_memory_becomes_tables_however_much_comes_while_the_worker_is_busy() {
    let directory = scratch();
    let (mut writer, _) = Writer::open(directory.path(), flushing()).unwrap();
    for round in 1..=5u8 {
        let mut large = Batch::loose();
        (0..300_000u32).for_each(|row| large.put(Keyspace::Peers, row.to_be_bytes(), [round; 64]));
        writer.commit(&[large]).unwrap();
        grow(&mut writer, u64::from(round) * 500);
        let begun = Instant::now();
        while MAX_UNFLUSHED_BYTES < writer.usage().unwrap().unflushed_bytes {
            assert!(begun.elapsed() < FLUSH_LIMIT, "{:?}", writer.usage());
            thread::sleep(Duration::from_millis(5));
            writer.commit(&[note("again")]).unwrap();
        }
    }
    writer.close().unwrap();
}
