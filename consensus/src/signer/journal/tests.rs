#![allow(clippy::unwrap_used)]
use super::*;
use primitives::{LossyDisk, Survival};

const IDENTITY: Identity = Identity { genesis: B256::repeat_byte(1), key: Address::repeat_byte(2) };
const HEIGHT: Height = Height(9);
const NONCE: Nonce = [3; 16];

fn create(disk: &LossyDisk) -> Journal {
    Journal::create(disk, &IDENTITY, Slot::Even, HEIGHT, NONCE, b"first").unwrap()
}

fn journal_of(groups: &[&[u8]]) -> (LossyDisk, Journal) {
    let disk = LossyDisk::new();
    let mut journal = create(&disk);
    for group in groups {
        journal.flush(group).unwrap();
    }
    (disk, journal)
}

fn open(disk: &LossyDisk) -> Result<Reopened, JournalError> {
    Journal::open(disk, &IDENTITY, Slot::Even, HEIGHT)
}

fn overwrite(disk: &LossyDisk, offset: usize, bytes: &[u8]) {
    disk.open(&path(&IDENTITY, Slot::Even)).unwrap().write_at(offset as u64, bytes).unwrap();
}

#[test]
fn what_was_flushed_outlives_a_power_cut() {
    let (disk, _) = journal_of(&[b"second", &[7; 10_000]]);
    disk.crash(Survival::SyncedOnly);
    let reopened = open(&disk).unwrap();
    assert_eq!(reopened.groups, [b"first".to_vec(), b"second".to_vec(), vec![7; 10_000]]);
    assert_eq!((reopened.was_torn, reopened.mended), (false, 0));
}

#[test]
fn a_flush_costs_one_sync_and_so_does_a_new_journal_in_a_file_that_is_there() {
    let (disk, mut journal) = journal_of(&[]);
    disk.crash(Survival::Everything);
    let before = disk.syncs();
    journal.flush(b"x").unwrap();
    assert_eq!(disk.syncs() - before, 1);
    Journal::create(&disk, &IDENTITY, Slot::Even, HEIGHT.next(), NONCE, b"").unwrap();
    assert_eq!(disk.syncs() - before, 2);
}

#[test]
fn one_flipped_byte_anywhere_loses_nothing() {
    let (disk, journal) = journal_of(&[b"second"]);
    let whole = disk.read(&path(&IDENTITY, Slot::Even)).unwrap().unwrap();
    for offset in 0..journal.end + 2 * PAGE {
        let mut bytes = whole.clone();
        bytes[offset] ^= 0x55;
        let parsed = parse(&bytes, &IDENTITY, HEIGHT).unwrap();
        assert_eq!(parsed.groups, [&b"first"[..], b"second"], "flipped at {offset}");
        for (at, copy) in parsed.to_mend {
            assert_eq!(whole[at..at + copy.len()], copy);
        }
    }
}

#[test]
fn a_rotten_copy_is_mended_from_the_other() {
    for copy in [0, 1] {
        let (disk, _) = journal_of(&[b"second"]);
        overwrite(&disk, 4 * PAGE + copy * PAGE, &[0; 60]);
        assert_eq!(open(&disk).unwrap().mended, 1);
        let again = open(&disk).unwrap();
        assert_eq!((again.groups.len(), again.mended), (2, 0));
    }
}

#[test]
fn a_write_torn_at_any_byte_is_whole_or_cut_and_the_rest_is_untouched() {
    let payload = [5; 5_000];
    for bytes in (0..4 * PAGE).step_by(97).chain(2 * PAGE - 2..2 * PAGE + 2) {
        let (disk, mut journal) = journal_of(&[b"second"]);
        let copies = journal.copies(&payload).unwrap();
        journal.write(journal.end, &copies).unwrap();
        disk.crash(Survival::Torn { bytes });
        let mut reopened = open(&disk).unwrap();
        assert_eq!(reopened.groups[..2], [b"first".to_vec(), b"second".to_vec()]);
        assert!(reopened.groups.get(2).is_none_or(|group| *group == payload), "torn at {bytes}");
        let kept = reopened.groups.len();
        reopened.journal.flush(b"later").unwrap();
        disk.crash(Survival::SyncedOnly);
        assert_eq!(open(&disk).unwrap().groups[kept], b"later");
    }
}

#[test]
fn a_bad_group_before_a_good_one_is_damage_and_says_where() {
    let (disk, _) = journal_of(&[b"second"]);
    overwrite(&disk, 2 * PAGE, &[0; 2 * PAGE]);
    let error = open(&disk).err().unwrap().to_string();
    assert!(error.contains("damaged at byte 8192") && error.contains(".wal") && error.contains("height 9"), "{error}");
}

#[test]
fn a_journal_cut_short_is_damage() {
    let (disk, _) = journal_of(&[b"second"]);
    let whole = disk.read(&path(&IDENTITY, Slot::Even)).unwrap().unwrap();
    for length in [0, 1, PAGE, 5 * PAGE, whole.len() - 1] {
        assert!(parse(&whole[..length], &IDENTITY, HEIGHT).is_err());
    }
}

#[test]
fn of_two_journals_the_newer_counts_and_one_without_a_header_does_not() {
    let newest = |disk: &LossyDisk| match Journal::find(disk, &IDENTITY).unwrap() {
        Kept::Newest(reopened) => Some(reopened.journal.height()),
        Kept::Nothing | Kept::Damaged(_) | Kept::Headless => None,
    };
    let disk = LossyDisk::new();
    assert!(matches!(Journal::find(&disk, &IDENTITY), Ok(Kept::Nothing)));
    Journal::create(&disk, &IDENTITY, Slot::Odd, HEIGHT.next(), NONCE, b"newer").unwrap();
    create(&disk);
    assert_eq!(newest(&disk), Some(HEIGHT.next()));
    overwrite(&disk, 0, &[0; 2 * PAGE]);
    assert_eq!(newest(&disk), Some(HEIGHT.next()));
    disk.remove(&path(&IDENTITY, Slot::Odd)).unwrap();
    assert!(matches!(Journal::find(&disk, &IDENTITY), Ok(Kept::Headless)));
    set_aside(&disk, &IDENTITY).unwrap();
    assert!(matches!(Journal::find(&disk, &IDENTITY), Ok(Kept::Nothing)));
    assert!(disk.list(Path::new(DIRECTORY)).unwrap()[0].ends_with(".wal.unreadable"));
}

#[test]
fn a_journal_of_another_height_key_or_genesis_is_refused() {
    let (disk, _) = journal_of(&[]);
    let bytes = disk.read(&path(&IDENTITY, Slot::Even)).unwrap().unwrap();
    assert!(parse(&bytes, &IDENTITY, HEIGHT.next()).is_err());
    assert!(parse(&bytes, &Identity { key: Address::ZERO, ..IDENTITY }, HEIGHT).is_err());
    assert!(parse(&bytes, &Identity { genesis: B256::ZERO, ..IDENTITY }, HEIGHT).is_err());
}

#[test]
fn groups_of_an_earlier_life_of_the_file_are_not_read() {
    let (disk, journal) = journal_of(&[b"second", b"third"]);
    drop(journal);
    Journal::create(&disk, &IDENTITY, Slot::Even, HEIGHT, [4; 16], b"new").unwrap();
    let reopened = open(&disk).unwrap();
    assert_eq!((reopened.groups, reopened.was_torn), (vec![b"new".to_vec()], false));
}

#[test]
fn what_a_killed_process_left_in_the_page_cache_is_durable_once_it_was_read() {
    let (disk, mut journal) = journal_of(&[]);
    let copies = journal.copies(b"second").unwrap();
    journal.write(journal.end, &copies).unwrap();
    let seen = open(&disk).unwrap().groups;
    disk.crash(Survival::SyncedOnly);
    assert_eq!(open(&disk).unwrap().groups, seen);
}
