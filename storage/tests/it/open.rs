use std::fs;

use primitives::Height;
use storage::{FORMAT, Kept, Keyspace, LogQuery, ManifestError, OpenError, Repair, Retention, SetAsideError, Writer, set_aside};

use crate::chain::{block, config, flushing, grow, is_whole, note, open, scratch, tip};

#[test]
fn storage_reopens_100_times() {
    let directory = scratch();
    for height in 0..100u64 {
        let (mut writer, opened) = open(directory.path());
        assert_eq!(opened.tip, height.checked_sub(1).map(tip));
        assert_eq!(opened.repaired, []);
        let lease = writer.leases().lease("test");
        grow(&mut writer, height);
        writer.commit(&[note(&height.to_string())]).unwrap();
        assert!(lease.view().is_ok());
        writer.close().unwrap();
    }
    assert!(is_whole(&open(directory.path()).0.leases().lease("test"), 99));
}

#[test]
fn a_chain_of_many_tables_reopens_whole() {
    let directory = scratch();
    for height in [500u64, 1_000, 1_500] {
        let (mut writer, opened) = Writer::open(directory.path(), flushing()).unwrap();
        assert_eq!(opened.repaired, []);
        let lease = writer.leases().lease("test");
        grow(&mut writer, height - 250);
        let view = lease.view().unwrap();
        grow(&mut writer, height);
        assert_eq!(view.last(Keyspace::Headers).unwrap().unwrap().key.to_vec(), (height - 250).to_be_bytes());
        assert!(is_whole(&lease, height));
        writer.close().unwrap();
    }
    assert!(is_whole(&open(directory.path()).0.leases().lease("test"), 1_500));
}

#[test]
fn a_database_that_is_open_is_not_opened_again() {
    let directory = scratch();
    let (writer, _) = open(directory.path());
    assert!(matches!(Writer::open(directory.path(), config()), Err(OpenError::Locked { .. })));
    writer.close().unwrap();
    open(directory.path());
}

#[test]
fn a_directory_of_a_newer_program_is_left_alone() {
    let directory = scratch();
    fs::write(directory.path().join("manifest.json"), r#"{"format":99}"#).unwrap();
    let refused = Writer::open(directory.path(), config());
    assert!(matches!(refused, Err(OpenError::Manifest(ManifestError::TooNew { found: 99, .. }))));
    assert!(!directory.path().join("ledger").exists());
}

#[test]
fn a_tip_file_one_block_behind_is_moved() {
    let directory = scratch();
    let file = directory.path().join("ledger.tip");
    let (mut writer, _) = open(directory.path());
    grow(&mut writer, 4);
    writer.mark().unwrap();
    let behind = fs::read(&file).unwrap();
    grow(&mut writer, 5);
    writer.close().unwrap();
    fs::write(&file, behind).unwrap();
    let (writer, opened) = open(directory.path());
    assert_eq!((opened.tip, opened.repaired), (Some(tip(5)), vec![Repair::TipMoved { from: Some(tip(4)), to: tip(5) }]));
    writer.close().unwrap();
    assert_eq!(open(directory.path()).1.repaired, []);
}

#[test]
fn a_database_set_aside_makes_room_for_an_empty_one() {
    let directory = scratch();
    assert_eq!(set_aside(directory.path()).unwrap(), None);
    for number in 1..3 {
        let (mut writer, opened) = open(directory.path());
        assert_eq!(opened.tip, None);
        grow(&mut writer, number);
        assert!(matches!(set_aside(directory.path()), Err(SetAsideError::InUse(_))));
        writer.close().unwrap();
        let aside = set_aside(directory.path()).unwrap().unwrap();
        assert!(aside.ends_with(format!("ledger.aside-{number}")));
        let (writer, opened) = open(&aside);
        assert_eq!(opened.tip, Some(tip(number)));
        assert!(is_whole(&writer.leases().lease("test"), number));
    }
}

/// Makes of a closed database what a program of format 1 would have left.
fn as_of_format_1(directory: &std::path::Path) {
    let database = fjall::Database::builder(directory.join("ledger")).open().unwrap();
    for keyspace in [Keyspace::StateHistory, Keyspace::LogIndex] {
        let handle = database.keyspace(keyspace.name(), fjall::KeyspaceCreateOptions::default).unwrap();
        database.delete_keyspace(handle).unwrap();
    }
    fs::write(directory.join("manifest.json"), r#"{"format":1}"#).unwrap();
}

#[test]
fn a_database_from_before_history_opens_and_its_history_begins() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    grow(&mut writer, 4);
    writer.close().unwrap();
    as_of_format_1(directory.path());
    for _ in 0..2 {
        let (writer, opened) = open(directory.path());
        assert_eq!((opened.tip, opened.repaired), (Some(tip(4)), vec![]));
        writer.close().unwrap();
        assert_eq!(fs::read_to_string(directory.path().join("manifest.json")).unwrap().trim(), format!(r#"{{"format":{FORMAT}}}"#));
    }
    let (mut writer, _) = open(directory.path());
    let lease = writer.leases().lease("test");
    let view = lease.view().unwrap();
    assert_eq!(view.kept_heights(), Ok(Kept { from: Height(4), to: Height(4) }));
    assert_eq!(view.log_heights(&LogQuery::default(), Height(0)..=Height(9)).unwrap().len(), 5);
    let mut batch = block(5);
    batch.keep_history(&view, Retention::Archive).unwrap();
    writer.commit(&[batch]).unwrap();
    let state = lease.view().unwrap().as_of(Height(4)).unwrap();
    assert_eq!(state.get(Keyspace::Accounts, &0u64.to_be_bytes()).unwrap().unwrap().to_vec(), 4u64.to_be_bytes());
    assert!(is_whole(&lease, 5));
}

#[test]
fn what_lies_in_a_keyspace_of_a_later_format_is_not_looked_at() {
    let directory = scratch();
    let (mut writer, _) = open(directory.path());
    grow(&mut writer, 4);
    writer.close().unwrap();
    as_of_format_1(directory.path());
    // The crash came after the new keyspaces were stamped and before the manifest said so; then the old program ran on.
    let database = fjall::Database::builder(directory.path().join("ledger")).open().unwrap();
    let keyspace = database.keyspace(Keyspace::LogIndex.name(), fjall::KeyspaceCreateOptions::default).unwrap();
    keyspace.insert("\0axolotl:height", [0; 16]).unwrap();
    drop((keyspace, database));
    open(directory.path()).0.close().unwrap();
    let (writer, opened) = open(directory.path());
    assert_eq!(opened.tip, Some(tip(4)));
    assert!(is_whole(&writer.leases().lease("test"), 4));
}
