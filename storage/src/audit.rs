//! Whether the engine's files are those that it wrote, looked at before the engine is let near them.
//!
//! ```text
//! ledger/version                 format of the engine
//! ledger/<n>.jnl                 journals: commits one after the other, from the first that some keyspace has not in its tables
//! ledger/keyspaces/<n>/current   number and checksum of the version
//! ledger/keyspaces/<n>/v<m>      the version: every table and blob file, with the checksum of the whole file
//! ledger/keyspaces/<n>/tables/   each written once and never changed
//! ledger/keyspaces/<n>/blobs/    the same
//! ```
//!
//! The engine compares few of these checksums. A rotten file makes it reserve memory by sizes that it read out of rot, or panic
//! while it holds its own locks, and both abort the process; a missing `current` makes it delete the keyspace, and that
//! of the first one every keyspace. Behind this look each of them is [`Damage::File`], and the files are as they were.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    io::{self, ErrorKind, Read},
    ops::Range,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use lsm_tree::{AbstractTree, Config, KvSeparationOptions, SeqNo, SequenceNumberCounter, TreeType};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::{
    Damage, Stamp,
    archive::{Contents, take},
    damage::FileFault,
    journal::{Journal, Next},
    record::HEIGHT,
};

const VERSION: &[u8] = b"FJL\x03";
const KEYSPACES: &str = "keyspaces";
const CURRENT: &str = "current";
const TABLES: &str = "tables";
const BLOBS: &str = "blobs";
/// The keyspace in which the engine keeps the names of the others.
const NAMES: &str = "0";
/// Bytes read at once.
const BUFFER_BYTES: usize = 256 << 10;
/// The checksum kind of the engine, XXH3 with 128 bits.
const XXH3: u8 = 0;

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Audited {
    /// Table and blob files that were compared with their checksums, byte by byte.
    pub(crate) whole: usize,
    /// Those for which there was no time: present, and their contents are where they should be.
    pub(crate) contents_only: usize,
}

/// Why the engine is not let near the files.
#[derive(Debug)]
pub(crate) enum Unsound {
    Damaged(Damage),
    Io { path: PathBuf, source: io::Error },
}

/// Looks at all files below `ledger`, which nobody may have open. Bytes of tables are compared until `limit` is over.
///
/// `is_begun` says that something was committed: then no file can be missing because the database was just being made.
pub(crate) fn audit(ledger: &Path, is_begun: bool, limit: Duration) -> Result<Audited, Unsound> {
    let mut audit = Audit { ledger, is_begun, deadline: Instant::now() + limit, audited: Audited::default() };
    audit.database()?;
    Ok(audit.audited)
}

struct Audit<'a> {
    ledger: &'a Path,
    is_begun: bool,
    deadline: Instant,
    audited: Audited,
}

/// A file that a version names: its number and the checksum of all of it.
type Named = (u64, u128);

impl Audit<'_> {
    fn database(&mut self) -> Result<(), Unsound> {
        let version = self.ledger.join("version");
        if self.read(&version)? != VERSION {
            return Err(self.fault(&version, FileFault::Malformed));
        }
        let first = self.journals()?;
        let keyspaces = self.ledger.join(KEYSPACES);
        let mut numbers = Vec::new();
        for entry in self.list(&keyspaces)? {
            // The engine passes over files, and nothing else.
            if !entry.is_file {
                numbers.push(entry.number.ok_or_else(|| self.fault(&entry.path, FileFault::Stray))?);
            }
        }
        // That of the names first, since all others hang on it.
        numbers.sort_unstable();
        if self.is_begun && numbers.first() != Some(&0) {
            return Err(self.fault(&keyspaces.join(NAMES), FileFault::Missing));
        }
        numbers.into_iter().try_for_each(|number| {
            let keyspace = keyspaces.join(number.to_string());
            let Some(kind) = self.keyspace(&keyspace)? else { return Ok(()) };
            // What the engine itself writes is no commit of ours.
            if number == 0 { Ok(()) } else { self.reaches(&keyspace, &kind, first) }
        })
    }

    /// The number of the first commit that they hold, all of them one after the other; none when they hold none.
    fn journals(&self) -> Result<Option<u64>, Unsound> {
        let mut journals = BTreeMap::new();
        for Entry { path, is_directory, .. } in self.list(self.ledger)? {
            let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
            if extension.is_some_and(|extension| extension == "jnl") {
                let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
                let number = number.filter(|_| !is_directory).ok_or_else(|| self.fault(&path, FileFault::Stray))?;
                journals.insert(number, path);
            }
        }
        if self.is_begun && journals.is_empty() {
            return Err(self.fault(&self.ledger.join("*.jnl"), FileFault::Missing));
        }
        let (mut first, mut last) = (None, None);
        for path in journals.values() {
            let mut journal = self.open(path).and_then(|file| Journal::open(file).map_err(|error| self.failed(path, error)))?;
            loop {
                match journal.next().map_err(|error| self.failed(path, error))? {
                    Next::Batch(None) => {}
                    Next::Batch(Some(found)) => {
                        if let Some(after) = last.filter(|last| last + 1 != found) {
                            return Err(Unsound::Damaged(Damage::JournalGap { file: self.below(path), after, found }));
                        }
                        first = first.or(Some(found));
                        last = Some(found);
                    }
                    Next::Nothing => break,
                    Next::Changed => return Err(self.fault(path, FileFault::Changed)),
                }
            }
        }
        Ok(first)
    }

    /// Whether the tables of a keyspace hold what was committed before the `first` commit of the journals. The stamps cannot tell:
    /// the journals bring the newest of them back.
    fn reaches(&self, keyspace: &Path, kind: &TreeType, first: Option<u64>) -> Result<(), Unsound> {
        let Some(first) = first.filter(|first| 1 < *first) else { return Ok(()) };
        let separation = matches!(kind, TreeType::Blob).then(KvSeparationOptions::default);
        let tree = Config::new(keyspace, SequenceNumberCounter::default(), SequenceNumberCounter::default()).with_kv_separation(separation).open();
        let row = tree.and_then(|tree| tree.get(HEIGHT, SeqNo::MAX));
        let row = row.map_err(|error| Unsound::Damaged(Damage::Unreadable(format!("{}: {error}", self.below(keyspace).display()))))?;
        let after = row.and_then(|row| Stamp::decode(&row)).map_or(0, |stamp| stamp.commit);
        let damage = Damage::JournalMissing { keyspace: self.below(keyspace), after, first };
        if after + 1 < first { Err(Unsound::Damaged(damage)) } else { Ok(()) }
    }

    /// What kind of tree it is; none when it is only half made.
    fn keyspace(&mut self, keyspace: &Path) -> Result<Option<TreeType>, Unsound> {
        let current = keyspace.join(CURRENT);
        if !self.is_begun && !self.is_there(&current)? && self.is_without_files(&keyspace.join(TABLES))? {
            // The process ended while it was being made; the engine makes it again.
            return Ok(None);
        }
        let bytes = self.read(&current)?;
        let (number, checksum) = parse_current(&bytes).ok_or_else(|| self.fault(&current, FileFault::Malformed))?;
        let version = keyspace.join(format!("v{number}"));
        let bytes = self.read(&version)?;
        if xxh3_128(&bytes) != checksum {
            return Err(self.fault(&version, FileFault::Changed));
        }
        let contents = self.open(&version)?;
        let contents = Contents::read(&contents).map_err(|error| self.failed(&version, error))?;
        let named = contents.and_then(|contents| parse_version(&bytes, &contents));
        let Version { kind, tables, blobs } = named.ok_or_else(|| self.fault(&version, FileFault::Malformed))?;
        self.files(&keyspace.join(TABLES), &tables)?;
        self.files(&keyspace.join(BLOBS), &blobs)?;
        Ok(Some(kind))
    }

    /// Files that no version names are what a crash leaves of a flush; the engine removes them.
    fn files(&mut self, folder: &Path, named: &[Named]) -> Result<(), Unsound> {
        if named.is_empty() && self.is_without_files(folder)? {
            return Ok(());
        }
        for entry in self.list(folder)? {
            if entry.number.is_none() || entry.is_directory {
                return Err(self.fault(&entry.path, FileFault::Stray));
            }
        }
        named.iter().try_for_each(|(number, checksum)| self.file(&folder.join(number.to_string()), *checksum))
    }

    fn file(&mut self, path: &Path, checksum: u128) -> Result<(), Unsound> {
        let mut file = self.open(path)?;
        let contents = Contents::read(&file).map_err(|error| self.failed(path, error))?;
        if contents.is_none() {
            return Err(self.fault(path, FileFault::Changed));
        }
        match hash_until(&mut file, self.deadline).map_err(|error| self.failed(path, error))? {
            Some(found) if found == checksum => self.audited.whole += 1,
            Some(_) => return Err(self.fault(path, FileFault::Changed)),
            None => self.audited.contents_only += 1,
        }
        Ok(())
    }

    fn open(&self, path: &Path) -> Result<File, Unsound> {
        File::open(path).map_err(|error| self.failed(path, error))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, Unsound> {
        fs::read(path).map_err(|error| self.failed(path, error))
    }

    fn is_there(&self, path: &Path) -> Result<bool, Unsound> {
        path.try_exists().map_err(|error| self.failed(path, error))
    }

    fn is_without_files(&self, folder: &Path) -> Result<bool, Unsound> {
        Ok(!self.is_there(folder)? || self.list(folder)?.is_empty())
    }

    fn list(&self, folder: &Path) -> Result<Vec<Entry>, Unsound> {
        let entries = || fs::read_dir(folder)?.map(|entry| Entry::of(&entry?)).collect::<io::Result<Vec<_>>>();
        let entries = entries().map_err(|error| self.failed(folder, error))?;
        Ok(entries.into_iter().filter(|entry| !entry.is_of_the_desktop()).collect())
    }

    fn failed(&self, path: &Path, error: io::Error) -> Unsound {
        match error.kind() {
            ErrorKind::NotFound => self.fault(path, FileFault::Missing),
            ErrorKind::UnexpectedEof => self.fault(path, FileFault::Changed),
            ErrorKind::IsADirectory | ErrorKind::NotADirectory => self.fault(path, FileFault::Malformed),
            _ => Unsound::Io { path: path.to_owned(), source: error },
        }
    }

    fn fault(&self, path: &Path, fault: FileFault) -> Unsound {
        Unsound::Damaged(Damage::File { file: self.below(path), fault })
    }

    fn below(&self, path: &Path) -> PathBuf {
        path.strip_prefix(self.ledger).unwrap_or(path).to_owned()
    }
}

/// One name in a folder.
struct Entry {
    path: PathBuf,
    name: OsString,
    /// The name, when it is a number.
    number: Option<u64>,
    is_file: bool,
    is_directory: bool,
}

impl Entry {
    fn of(entry: &fs::DirEntry) -> io::Result<Self> {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        let path = entry.path();
        Ok(Self { number, is_file: entry.file_type()?.is_file(), is_directory: path.is_dir(), path, name })
    }

    /// What file browsers leave; the engine passes it over too.
    fn is_of_the_desktop(&self) -> bool {
        self.name == ".DS_Store" || self.name.to_string_lossy().starts_with("._")
    }
}

/// Number and checksum of the version.
fn parse_current(mut bytes: &[u8]) -> Option<(u64, u128)> {
    let number = u64::from_le_bytes(take(&mut bytes)?);
    let checksum = u128::from_le_bytes(take(&mut bytes)?);
    (bytes == [XXH3]).then_some((number, checksum))
}

/// What a version says of its keyspace.
struct Version {
    kind: TreeType,
    tables: Vec<Named>,
    blobs: Vec<Named>,
}

fn parse_version(bytes: &[u8], contents: &Contents) -> Option<Version> {
    let section = |name| {
        let Range { start, end } = contents.section(name)?;
        bytes.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    };
    let kind = TreeType::try_from(*section("tree_type")?.first()?).ok()?;
    Some(Version { kind, tables: parse_tables(section("tables")?)?, blobs: parse_blobs(section("blob_files")?)? })
}

/// Levels of runs of tables, each with the number under which its rows were taken in.
fn parse_tables(mut rest: &[u8]) -> Option<Vec<Named>> {
    let mut tables = Vec::new();
    let [levels] = take(&mut rest)?;
    for _ in 0..levels {
        let [runs] = take(&mut rest)?;
        for _ in 0..runs {
            for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
                tables.push(parse_named(&mut rest)?);
                take::<8>(&mut rest)?;
            }
        }
    }
    rest.is_empty().then_some(tables)
}

fn parse_blobs(mut rest: &[u8]) -> Option<Vec<Named>> {
    let mut blobs = Vec::new();
    for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
        blobs.push(parse_named(&mut rest)?);
    }
    rest.is_empty().then_some(blobs)
}

fn parse_named(rest: &mut &[u8]) -> Option<Named> {
    let number = u64::from_le_bytes(take(rest)?);
    let [kind] = take(rest)?;
    let checksum = u128::from_le_bytes(take(rest)?);
    (kind == XXH3).then_some((number, checksum))
}

/// The checksum of all of `file`; none when the time was over before its end.
fn hash_until(file: &mut File, deadline: Instant) -> io::Result<Option<u128>> {
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    while Instant::now() < deadline {
        match file.read(&mut buffer)? {
            0 => return Ok(Some(hasher.digest128())),
            read => hasher.update(&buffer[..read]),
        }
    }
    Ok(None)
}
