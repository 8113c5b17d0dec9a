//! Files that rot: whatever opens must be whole.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write,
    os::unix::{fs::FileExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rand::Rng;
use storage::{Config, Damage, FileFault, Keyspace, OpenError, Writer};

use tempfile::TempDir;

use crate::chain::{block, config, flushing, grow, is_whole, note, scratch, tip};

const HEIGHT: u64 = 40;
const TRIES: usize = 100;
/// How long the engine may take to flush.
const READY_LIMIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(5);

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
    /// Forty blocks, and loose batches behind each of them, all in the journal.
    fn new() -> Self {
        Self::with(config(), |_| true)
    }

    /// The same, with most of it in tables too, to a different height in each keyspace.
    fn flushed() -> Self {
        Self::with(flushing(), |root| has_file_in(root, "tables") && has_file_in(root, "blobs"))
    }

    /// With `config`, closed when the engine has come as far as `is_ready` wants.
    fn with(config: Config, is_ready: impl Fn(&Path) -> bool) -> Self {
        let directory = scratch();
        let (mut writer, _) = Writer::open(directory.path(), config).unwrap();
        for height in 0..=HEIGHT {
            grow(&mut writer, height);
            writer.commit(&[note(&height.to_string())]).unwrap();
        }
        let begun = Instant::now();
        while !is_ready(directory.path()) {
            assert!(begun.elapsed() < READY_LIMIT, "nothing was flushed");
            thread::sleep(LOOK_EVERY);
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

    fn lay_out(&self) -> TempDir {
        let directory = scratch();
        for (path, contents) in &self.files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut file = fs::File::create(path).unwrap();
            file.write_all(&contents.used).unwrap();
            file.set_len(contents.length).unwrap();
        }
        directory
    }

    fn flip(&self, directory: &TempDir, path: &Path, at: usize, flip: u8) {
        let file = fs::File::options().write(true).open(directory.path().join(path)).unwrap();
        file.write_at(&[self.files[path].used[at] ^ flip], at as u64).unwrap();
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
    let templates = [Template::new(), Template::flushed()];
    let mut refused = 0;
    for number in 0..TRIES {
        let template = &templates[number % 2];
        let (journal, used) = template.journal();
        let (at, flip) = (rand::rng().random_range(0..used), rand::rng().random_range(1..=255u8));
        let directory = template.lay_out();
        template.flip(&directory, journal, at, flip);
        refused += usize::from(is_refused(directory.path(), &format!("byte {at} of {used} xor {flip:#x}")));
    }
    assert!(refused > TRIES / 2, "only {refused} of {TRIES} were noticed");
}

/// The engine protects the contents of a commit by a checksum, but not the number by which it orders commits.
#[test]
fn a_commit_that_changed_its_place_is_noticed() {
    let template = Template::new();
    let (journal, _) = template.journal();
    let used = &template.files[journal].used;
    let ends = used.windows(TRAILER.len()).enumerate().filter(|(_, window)| *window == TRAILER).map(|(at, _)| at + TRAILER.len());
    let numbers = ends.map(|start| start + NUMBER_OFFSET).filter(|number| number + 8 < used.len()).collect::<Vec<_>>();
    assert!(numbers.len() as u64 > HEIGHT);
    let mut refused = 0;
    for (batch, at) in numbers.iter().enumerate() {
        let flip = if batch % 2 == 0 { 0x7f } else { 1 << (batch % 7) };
        let directory = template.lay_out();
        template.flip(&directory, journal, *at, flip);
        refused += usize::from(is_refused(directory.path(), &format!("number of batch {batch} xor {flip:#x}")));
    }
    // To swap with nobody is no damage.
    assert!(refused > numbers.len() / 2, "only {refused} of {} were noticed", numbers.len());
}

/// What ends every batch in the journal.
const TRAILER: &[u8] = b"FJL\x03";
/// Behind a tag and the number of items.
const NUMBER_OFFSET: usize = 5;

#[test]
fn a_cut_journal_is_never_a_silent_rollback() {
    let templates = [Template::new(), Template::flushed()];
    for number in 0..TRIES {
        let template = &templates[number % 2];
        let (journal, used) = template.journal();
        let length = rand::rng().random_range(0..used);
        let directory = template.lay_out();
        fs::File::options().write(true).open(directory.path().join(journal)).unwrap().set_len(length as u64).unwrap();
        assert!(is_refused(directory.path(), &format!("cut to {length} of {used}")), "cut to {length} of {used}: believed");
    }
}

/// Each in a process of its own, since what is being asked is whether the engine aborts it.
#[test]
fn damage_anywhere_is_harmless_or_named_and_never_ends_the_process() {
    let template = Template::flushed();
    let places = template.places();
    let mut named = 0;
    for place in &places {
        let directory = template.lay_out();
        let what = format!("{} {:?}", place.path.display(), place.wound);
        place.wound.inflict(&directory.path().join(&place.path));
        let before = names_below(directory.path());
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "damage::a_child_reads_what_is_left", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), None, "{what}: {said}{told}");
        assert!(output.status.success(), "{what}: {said}{told}");
        if let Some(error) = said.lines().find_map(|line| line.strip_prefix(REFUSED)) {
            assert!(error.contains("set it aside and rebuild it"), "{what}: {error}");
            if !place.is_journal() {
                assert!(error.contains(place.name()), "{what}: {error}");
                assert_eq!(names_below(directory.path()), before, "{what}: the engine changed what it could not read");
            }
            named += 1;
        }
    }
    assert!(named * 2 > places.len(), "only {named} of {} were noticed", places.len());
}

const DIRECTORY: &str = "STORAGE_TEST_ROT_DIRECTORY";
const REFUSED: &str = "refused: ";

/// What happens to a file.
#[derive(Clone, Copy, Debug)]
enum Wound {
    Flip { at: u64, with: u8 },
    Cut { to: u64 },
    Delete,
}

struct Place {
    path: PathBuf,
    wound: Wound,
}

impl Place {
    fn is_journal(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "jnl")
    }

    /// What an error must name: the file, below the database. A `current` and the version that it names contradict each other.
    fn name(&self) -> &str {
        let file = self.path.strip_prefix("ledger").unwrap();
        let named = if file.ends_with("current") { file.parent().unwrap() } else { file };
        named.to_str().unwrap()
    }
}

impl Wound {
    fn inflict(self, path: &Path) {
        let file = || fs::File::options().read(true).write(true).open(path).unwrap();
        match self {
            Self::Flip { at, with } => {
                let mut byte = [0];
                file().read_exact_at(&mut byte, at).unwrap();
                file().write_all_at(&[byte[0] ^ with], at).unwrap();
            }
            Self::Cut { to } => file().set_len(to).unwrap(),
            Self::Delete => fs::remove_file(path).unwrap(),
        }
    }
}

impl Template {
    /// Every file of the database deleted, cut, and with a byte flipped: anywhere, and at its end, where the engine keeps sizes.
    fn places(&self) -> Vec<Place> {
        const END_BYTES: usize = 200;
        let has = |folder: &str| self.files.keys().any(|path| path.parent().is_some_and(|parent| parent.ends_with(folder)));
        assert!(has("tables") && has("blobs"), "what was flushed is not there");
        let mut places = Vec::new();
        let files = self.files.iter().filter(|(path, _)| path.starts_with("ledger"));
        for (path, Contents { used, .. }) in files {
            let mut wounds = vec![Wound::Delete];
            if !used.is_empty() {
                let flip = |range| Wound::Flip { at: rand::rng().random_range(range) as u64, with: rand::rng().random_range(1..=255) };
                wounds.push(Wound::Cut { to: rand::rng().random_range(0..used.len()) as u64 });
                wounds.push(flip(0..used.len()));
                wounds.push(flip(used.len().saturating_sub(END_BYTES)..used.len()));
            }
            places.extend(wounds.into_iter().map(|wound| Place { path: path.clone(), wound }));
        }
        places
    }
}

/// Whether any folder of that name has a file, while the engine makes and removes others.
fn has_file_in(root: &Path, folder: &str) -> bool {
    let entries: Vec<_> = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.iter().any(|path| if path.is_dir() { has_file_in(path, folder) } else { root.ends_with(folder) })
}

/// Every file with its length.
fn names_below(root: &Path) -> BTreeMap<PathBuf, u64> {
    let mut names = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap().map(Result::unwrap) {
        match entry.metadata().unwrap() {
            folder if folder.is_dir() => names.extend(names_below(&entry.path())),
            file => drop(names.insert(entry.path(), file.len())),
        }
    }
    names
}

/// The process that may be aborted; without its variable it has nothing to do.
#[test]
fn a_child_reads_what_is_left() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    // The test harness has written the beginning of a line.
    println!();
    match Writer::open(Path::new(&directory), config()) {
        Err(error) => println!("{REFUSED}{error}"),
        Ok((writer, opened)) => {
            assert_eq!(opened.tip, Some(tip(HEIGHT)));
            let lease = writer.leases().lease("test");
            assert!(is_whole(&lease, HEIGHT));
            assert_eq!(lease.prefix(Keyspace::Mempool, b"", 1_000).unwrap().len() as u64, HEIGHT + 1);
        }
    }
}

/// The contents of a table hold the sizes by which the engine reserves memory.
#[test]
fn without_time_to_compare_a_table_its_contents_are_compared_all_the_same() {
    const TRAILER_BYTES: usize = 38;
    let template = Template::flushed();
    let is_table = |path: &&PathBuf| path.parent().is_some_and(|parent| parent.ends_with("tables"));
    let table = template.files.keys().find(is_table).unwrap();
    let in_a_hurry = Config { audit_limit: Duration::ZERO, ..config() };
    let directory = template.lay_out();
    Writer::open(directory.path(), in_a_hurry.clone()).unwrap().0.close().unwrap();
    let directory = template.lay_out();
    template.flip(&directory, table, template.files[table].used.len() - TRAILER_BYTES - 1, 0x40);
    let Err(OpenError::Damaged { damage, .. }) = Writer::open(directory.path(), in_a_hurry) else { panic!("believed") };
    let file = table.strip_prefix("ledger").unwrap().to_owned();
    assert_eq!(damage, Damage::File { file, fault: FileFault::Changed });
}

/// A keyspace that is rarely written is in no table yet when the journal of its first rows is already sealed, and every later
/// commit stamps it anew.
#[test]
fn a_sealed_journal_that_is_lost_or_cut_is_noticed() {
    // The engine removes the sealed one as soon as every keyspace is flushed, which may be before we close.
    const ATTEMPTS: usize = 20;
    let (directory, height) = (0..ATTEMPTS).find_map(|_| with_a_sealed_journal()).expect("no journal stayed sealed");
    let sealed = journals(directory.path()).remove(0);
    let file = || fs::File::options().write(true).open(&sealed).unwrap();
    let refused = || match Writer::open(directory.path(), config()) {
        Err(error @ OpenError::Damaged { .. }) => error.to_string(),
        Ok((_, opened)) => panic!("believed at {:?}", opened.tip),
        Err(other) => panic!("{other}"),
    };
    let away = directory.path().join("away");
    fs::copy(&sealed, &away).unwrap();
    fs::remove_file(&sealed).unwrap();
    let error = refused();
    assert!(error.contains("a journal is missing"), "{error}");
    fs::copy(&away, &sealed).unwrap();
    file().set_len(rand::rng().random_range(0..32 << 20)).unwrap();
    let error = refused();
    assert!(error.contains("follows commit") || error.contains("a journal is missing"), "{error}");
    fs::copy(&away, &sealed).unwrap();
    let (writer, opened) = Writer::open(directory.path(), config()).unwrap();
    assert_eq!(opened.tip, Some(tip(height)));
    assert!(is_whole(&writer.leases().lease("test"), height));
}

/// A closed chain with two journals, and its height; none when the engine was done with the first one.
fn with_a_sealed_journal() -> Option<(TempDir, u64)> {
    const ROW_BYTES: usize = 2 << 20;
    const MAX_ROWS: u64 = 70;
    let directory = scratch();
    let (mut writer, _) = Writer::open(directory.path(), config()).unwrap();
    let sealing = (0..MAX_ROWS).find(|height| {
        let mut batch = block(*height);
        // Random, or the engine would compress it.
        let mut value = vec![0; ROW_BYTES];
        rand::rng().fill(value.as_mut_slice());
        batch.put(Keyspace::Trie, height.to_be_bytes(), value);
        writer.commit(&[batch]).unwrap();
        journals(directory.path()).len() == 2
    })?;
    // Commits behind the seal, so that the newest stamps are in the journal that stays.
    grow(&mut writer, sealing + 4);
    writer.close().unwrap();
    (journals(directory.path()).len() == 2).then_some((directory, sealing + 4))
}

/// From the oldest to the active one; there are fewer than ten.
fn journals(directory: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(directory.join("ledger")).unwrap().map(|entry| entry.unwrap().path());
    let mut journals = files.filter(|path| path.extension().is_some_and(|extension| extension == "jnl")).collect::<Vec<_>>();
    journals.sort();
    journals
}

#[test]
fn a_lost_journal_or_database_is_noticed() {
    let (template, flushed) = (Template::new(), Template::flushed());
    for (template, lost) in [(&template, template.journal().0), (&flushed, flushed.journal().0), (&template, Path::new("ledger"))] {
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
