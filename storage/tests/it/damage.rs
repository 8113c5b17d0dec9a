//! Files that rot: whatever opens must be whole.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use rand::Rng;
use storage::{Damage, Keyspace, OpenError, Writer};

use crate::chain::{config, grow, is_whole, note, open, tip};

const HEIGHT: u64 = 40;
const TRIES: usize = 100;

/// A closed chain, kept in memory to be laid out again and again.
struct Template {
    files: BTreeMap<PathBuf, Contents>,
}

/// Preallocated files are mostly zeros.
struct Contents {
    used: Vec<u8>,
    length: u64,
}

impl Template {
    /// Forty blocks, and loose batches behind each of them.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (mut writer, _) = open(directory.path());
        for height in 0..=HEIGHT {
            grow(&mut writer, height);
            writer.commit(&[note(&height.to_string())]).unwrap();
        }
        writer.close().unwrap();
        let mut files = BTreeMap::new();
        read_below(directory.path(), Path::new(""), &mut files);
        Self { files }
    }

    fn journal(&self) -> (&Path, usize) {
        let (path, contents) = self.files.iter().find(|(path, _)| path.extension().is_some_and(|extension| extension == "jnl")).unwrap();
        (path, contents.used.len())
    }

    fn lay_out(&self) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (path, contents) in &self.files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut file = fs::File::create(path).unwrap();
            file.write_all(&contents.used).unwrap();
            file.set_len(contents.length).unwrap();
        }
        directory
    }
}

fn read_below(root: &Path, below: &Path, files: &mut BTreeMap<PathBuf, Contents>) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            read_below(root, &path, files);
            continue;
        }
        let mut used = fs::read(root.join(&path)).unwrap();
        let length = used.len() as u64;
        used.truncate(used.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        files.insert(path, Contents { used, length });
    }
}

/// Opens what was damaged: either it is refused, twice, or nothing at all is missing. Says which.
fn is_refused(directory: &Path, what: &str) -> bool {
    match Writer::open(directory, config()) {
        Ok((writer, opened)) => {
            let lease = writer.leases().lease("test");
            assert_eq!(opened.tip, Some(tip(HEIGHT)), "{what}: silently rolled back");
            assert!(is_whole(&lease, HEIGHT), "{what}: rows are missing");
            assert_eq!(lease.prefix(Keyspace::Mempool, b"", 1_000).unwrap().len() as u64, HEIGHT + 1, "{what}: loose rows are missing");
            false
        }
        Err(OpenError::Damaged { .. }) => {
            // The engine may have cut its journal meanwhile. It must not pass for whole the second time.
            assert!(matches!(Writer::open(directory, config()), Err(OpenError::Damaged { .. })), "{what}: believed at the second open");
            true
        }
        Err(other) => panic!("{what}: {other}"),
    }
}

#[test]
fn a_flipped_byte_in_the_journal_is_never_a_silent_rollback() {
    let template = Template::new();
    let (journal, used) = template.journal();
    let mut refused = 0;
    for _ in 0..TRIES {
        let (at, flip) = (rand::rng().random_range(0..used), rand::rng().random_range(1..=255u8));
        let directory = template.lay_out();
        let path = directory.path().join(journal);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= flip;
        fs::write(&path, bytes).unwrap();
        refused += usize::from(is_refused(directory.path(), &format!("byte {at} of {used} xor {flip:#x}")));
    }
    assert!(refused > TRIES / 2, "only {refused} of {TRIES} were noticed");
}

#[test]
fn a_cut_journal_is_never_a_silent_rollback() {
    let template = Template::new();
    let (journal, used) = template.journal();
    for _ in 0..TRIES {
        let length = rand::rng().random_range(0..used);
        let directory = template.lay_out();
        fs::File::options().write(true).open(directory.path().join(journal)).unwrap().set_len(length as u64).unwrap();
        assert!(is_refused(directory.path(), &format!("cut to {length} of {used}")), "cut to {length} of {used}: believed");
    }
}

#[test]
fn a_lost_journal_or_database_is_noticed() {
    let template = Template::new();
    for lost in [template.journal().0, Path::new("ledger")] {
        let directory = template.lay_out();
        let path = directory.path().join(lost);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap()
        } else {
            fs::remove_file(path).unwrap()
        }
        assert!(is_refused(directory.path(), &format!("{} lost", lost.display())));
    }
}

#[test]
fn a_tip_file_is_needed_and_one_good_slot_of_it_is_enough() {
    const SLOTS: [usize; 2] = [0, 4096];
    let template = Template::new();
    let damaged = |slots: &[usize]| {
        let directory = template.lay_out();
        let path = directory.path().join("ledger.tip");
        let mut bytes = fs::read(&path).unwrap();
        slots.iter().for_each(|slot| bytes[slot + 20] ^= 1);
        fs::write(&path, bytes).unwrap();
        let result = Writer::open(directory.path(), config()).map(|(_, opened)| opened);
        (directory, result)
    };
    for slot in SLOTS {
        let opened = damaged(&[slot]).1.unwrap();
        assert_eq!(opened.tip, Some(tip(HEIGHT)));
        assert!(!opened.repaired.is_empty());
    }
    let (directory, both) = damaged(&SLOTS);
    assert!(matches!(both, Err(OpenError::Damaged { damage: Damage::TipFileUnreadable { database: Some(_) }, .. })));
    fs::remove_file(directory.path().join("ledger.tip")).unwrap();
    let missing = Writer::open(directory.path(), config()).map(|(_, opened)| opened);
    let Err(error @ OpenError::Damaged { damage: Damage::TipFileMissing { .. }, .. }) = missing else { panic!("opened without a tip file") };
    assert!(error.to_string().contains("set it aside"), "{error}");
}
