use primitives::Height;
use storage::{Batch, Keyspace, ReadError, keys};

use crate::chain::{block, grow, hash, is_whole, note, open, scratch, tip};

#[test]
fn a_revoked_lease_reads_nothing_and_keeps_no_lock() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    grow(&mut writer, 2);
    let leases = writer.leases();
    let (lease, late) = (leases.lease("api"), leases.lease("mempool"));
    let view = lease.view().unwrap();
    let report = writer.close().unwrap();
    assert_eq!(report.leases_left, [("api", 2), ("mempool", 1)]);

    let (_again, opened) = open(directory.path());
    assert_eq!(opened.tip, Some(tip(2)));
    assert_eq!(lease.get(Keyspace::Headers, &keys::height(Height(1))), Err(ReadError::Closed));
    assert_eq!(late.prefix(Keyspace::Headers, b"", 1), Err(ReadError::Closed));
    assert_eq!(view.last(Keyspace::Headers), Err(ReadError::Closed));
    assert!(matches!(lease.view(), Err(ReadError::Closed)));
    assert!(matches!(leases.lease("sync").view(), Err(ReadError::Closed)));
    assert_eq!((view.height(), lease.height()), (Height(2), None));
}

#[test]
fn a_writer_that_is_dropped_revokes_its_leases_too() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    grow(&mut writer, 1);
    let view = writer.leases().lease("api").view().unwrap();
    drop(writer);
    assert_eq!(view.first(Keyspace::Headers), Err(ReadError::Closed));
    open(directory.path());
}

#[test]
fn the_register_counts_what_is_held_by_name() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    grow(&mut writer, 0);
    let leases = writer.leases();
    let (api, sync) = (leases.lease("api"), leases.lease("sync"));
    let (second, view) = (api.clone(), api.view().unwrap());
    assert_eq!(leases.holders(), [("api", 3), ("sync", 1)]);
    drop((sync, second, view));
    assert_eq!(leases.holders(), [("api", 1)]);
}

#[test]
fn a_view_stays_at_its_height_while_the_chain_grows() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    let lease = writer.leases().lease("execution");
    assert!(matches!(lease.view(), Err(ReadError::Empty)));
    grow(&mut writer, 3);
    let view = lease.view().unwrap();
    writer.commit(&[note("a")]).unwrap();
    grow(&mut writer, 40);
    let account = |value: u64| Some(value.to_be_bytes().to_vec().into());
    assert_eq!((view.tip(), lease.tip()), (tip(3), Some(tip(40))));
    assert_eq!(view.get(Keyspace::Accounts, &0u64.to_be_bytes()).unwrap(), account(3));
    assert_eq!(lease.view().unwrap().get(Keyspace::Accounts, &0u64.to_be_bytes()).unwrap(), account(40));
    assert_eq!(view.get(Keyspace::Headers, &keys::height(Height(4))).unwrap(), None);
    assert_eq!(view.range::<&[u8]>(Keyspace::Headers, .., 100).unwrap().len(), 4);
    assert_eq!(view.get(Keyspace::Mempool, b"a").unwrap(), None);
    assert_eq!(lease.get(Keyspace::Mempool, b"a").unwrap(), Some("waiting".into()));
}

#[test]
fn a_view_is_whole_while_another_thread_commits() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    grow(&mut writer, 0);
    let lease = writer.leases().lease("execution");
    let committing = std::thread::spawn(move || {
        grow(&mut writer, 60);
        writer
    });
    loop {
        let view = lease.view().unwrap();
        let height = view.height();
        let accounts = view.range::<&[u8]>(Keyspace::Accounts, .., 100).unwrap();
        assert!(accounts.iter().all(|row| **row.value == height.to_be_bytes()), "the view at {height} holds something else");
        assert_eq!(&**view.last(Keyspace::Headers).unwrap().unwrap().key, &height.to_be_bytes());
        if height == Height(60) {
            break;
        }
    }
    assert!(is_whole(&lease, 60));
    committing.join().unwrap().close().unwrap();
}

#[test]
fn a_read_of_many_rows_ends_at_its_limit() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    let mut batch = Batch::for_height(Height(0), hash(0));
    for number in 0..20u8 {
        batch.put(Keyspace::Peers, [b'p', number], [number]);
        batch.put(Keyspace::Meta, [b'p', number], [number]);
    }
    batch.put(Keyspace::Peers, "a", "before");
    batch.put(Keyspace::Peers, [0xff; 40], "behind");
    writer.commit(&[batch, block(1)]).unwrap();
    let lease = writer.leases().lease("test");
    let numbers = |rows: Vec<storage::Row>| rows.into_iter().map(|row| row.value[0]).collect::<Vec<_>>();

    assert_eq!(numbers(lease.prefix(Keyspace::Peers, b"p", 3).unwrap()), [0, 1, 2]);
    assert_eq!(lease.prefix(Keyspace::Peers, b"p", 100).unwrap().len(), 20);
    assert_eq!(lease.prefix(Keyspace::Peers, b"q", 100).unwrap(), []);
    assert_eq!(lease.prefix(Keyspace::Peers, b"p", 0).unwrap(), []);
    assert_eq!(numbers(lease.range(Keyspace::Peers, [b'p', 5]..[b'p', 9], 100).unwrap()), [5, 6, 7, 8]);
    assert_eq!(numbers(lease.range_reversed(Keyspace::Peers, [b'p', 5]..=[b'p', 9], 2).unwrap()), [9, 8]);
    #[allow(clippy::reversed_empty_ranges)]
    let backwards = lease.range(Keyspace::Peers, [b'p', 9]..[b'p', 5], 100).unwrap();
    assert_eq!(backwards, []);
    assert_eq!(lease.range(Keyspace::Peers, [b'p', 5]..[b'p', 5], 100).unwrap(), []);
    assert_eq!(lease.get(Keyspace::Peers, b"").unwrap(), None);
}

#[test]
fn the_rows_of_the_storage_itself_are_never_among_the_answers() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    let lease = writer.leases().lease("test");
    for height in 0..3 {
        writer.commit(&[Batch::for_height(Height(height), hash(height as u8))]).unwrap();
    }
    for keyspace in Keyspace::ALL {
        assert_eq!((lease.first(keyspace).unwrap(), lease.last(keyspace).unwrap()), (None, None), "{keyspace}");
        assert_eq!(lease.prefix(keyspace, b"", 100).unwrap(), [], "{keyspace}");
        assert_eq!(lease.prefix(keyspace, b"\0", 100).unwrap(), [], "{keyspace}");
    }
}
