//! The journal of one height: what consensus learnt and said there, in the order in which it counted.
//!
//! ```text
//! | header | header | group 1 | group 1 | group 2 | group 2 | ... zeros, preallocated
//! ```
//!
//! A flush is one group, written as two copies on pages of their own, made durable by one sync, and never begun before the
//! previous one is durable. So only the last group can be torn:
//!
//! | copies at open                     | meaning                             | what is done         |
//! |------------------------------------|-------------------------------------|----------------------|
//! | both whole                         | durable                             | read                 |
//! | one whole                          | torn between the two, or one rotten | read, other mended   |
//! | none whole, none whole behind them | torn: nothing that needs it left    | cut                  |
//! | none whole, a whole one behind     | damage                              | [`JournalError`]     |
//!
//! There are two files, written in turn: a new journal takes the place of the one before the last, whose height is promised
//! and decided, and its old groups carry another nonce. So the bytes of a journal are allocated, a sync moves nothing but
//! them, and no name has to be made durable. A header that is not whole is a torn beginning, from which nothing has left,
//! unless the promise says that the journal was there.

use std::{
    io,
    path::{Path, PathBuf},
};

use primitives::{Address, B256, Disk, DiskFile, Height};

use super::group::{self, Group, Nonce, PAGE};

/// Bytes that a fresh journal has on disk before its first group.
pub const PREALLOCATED_BYTES: usize = 512 << 10;
/// Bytes of one journal; a height that needs more is not worth signing.
pub const MAX_JOURNAL_BYTES: usize = 256 << 20;
/// Where journals are, on the disk of the chain.
pub const DIRECTORY: &str = "wal";
const HEADER_LENGTH: usize = 1 + 32 + 20;

/// Whose journal: two chains, or two keys on one, never share a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Hash of the genesis block.
    pub genesis: B256,
    /// Address of the key that signs.
    pub key: Address,
}

impl Identity {
    /// How files of this identity are called before their height.
    pub(super) fn prefix(&self) -> String {
        format!("{}-{}", &alloy_primitives::hex::encode(self.genesis)[..16], alloy_primitives::hex::encode(self.key))
    }
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal {file} is damaged at byte {offset}: {what}; keep a copy of it, nothing is signed at height {height} or below")]
    Damaged { file: String, offset: usize, height: Height, what: &'static str },
    #[error(
        "the journal {file} cannot take {bytes} bytes more; its limit is {MAX_JOURNAL_BYTES}; nothing is signed at height {height} until it is decided"
    )]
    Full { file: String, bytes: usize, height: Height },
    #[error("there is no room for the journal {file}: {source}; nothing is signed until there is")]
    NoSpace { file: String, source: io::Error },
    #[error("the disk failed under the journal {file}: {source}; check the disk, then start again")]
    Disk { file: String, source: io::Error },
}

impl JournalError {
    /// Whether trying again later may help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::NoSpace { .. })
    }
}

/// An open journal.
pub struct Journal {
    file: Box<dyn DiskFile>,
    slot: Slot,
    shown: String,
    height: Height,
    nonce: Nonce,
    /// Sequence number of the next group; the header is number 0.
    sequence: u64,
    /// Where the next group begins.
    end: usize,
}

/// A journal that was there at open.
pub struct Reopened {
    pub journal: Journal,
    /// Payloads of the groups, in order.
    pub groups: Vec<Vec<u8>>,
    /// A group that never became whole was cut.
    pub was_torn: bool,
    /// Copies that were written anew because the other one alone was whole.
    pub mended: usize,
    /// The other file holds bytes, and nothing says of which height: a torn beginning, or damage.
    pub is_other_headless: bool,
}

/// One of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Even,
    Odd,
}

impl Slot {
    /// The file that is written next.
    pub fn other(self) -> Self {
        match self {
            Self::Even => Self::Odd,
            Self::Odd => Self::Even,
        }
    }
}

/// What is in the two files.
pub enum Kept {
    Nothing,
    /// The journal of the highest height that there is.
    Newest(Reopened),
    /// The newest journal has a height, and cannot be read.
    Damaged(Height),
    /// There are bytes, and nothing says of which height.
    Headless,
}

/// Where the journals of `identity` are.
pub fn path(identity: &Identity, slot: Slot) -> PathBuf {
    let number = match slot {
        Slot::Even => 0,
        Slot::Odd => 1,
    };
    Path::new(DIRECTORY).join(format!("{}-{number}.wal", identity.prefix()))
}

/// Both files, for messages to people.
pub fn shown(disk: &dyn Disk, identity: &Identity) -> String {
    disk.locate(&Path::new(DIRECTORY).join(format!("{}-{{0,1}}.wal", identity.prefix()))).display().to_string()
}

/// Moves files that hold no readable journal out of the way of new ones, for whoever wants to know what happened to them.
pub fn set_aside(disk: &dyn Disk, identity: &Identity) -> Result<(), JournalError> {
    for path in [Slot::Even, Slot::Odd].map(|slot| path(identity, slot)) {
        let failed = |source| failed(&disk.locate(&path).display().to_string(), source);
        let (aside, bytes) = (path.with_extension("wal.unreadable"), disk.read(&path).map_err(failed)?.unwrap_or_default());
        // The first of several is the one that tells what happened.
        if bytes.iter().any(|byte| *byte != 0) && disk.read(&aside).map_err(failed)?.is_none() {
            disk.rename(&path, &aside).map_err(failed)?;
        }
    }
    Ok(())
}

impl Journal {
    /// A new journal with its first group, in the place of what `slot` held, durable when this returns.
    pub fn create(disk: &dyn Disk, identity: &Identity, slot: Slot, height: Height, nonce: Nonce, first: &[u8]) -> Result<Self, JournalError> {
        let mut journal = Self::begin(disk, identity, slot, height, nonce, first)?;
        journal.sync()?;
        Ok(journal)
    }

    /// Writes what [`Journal::create`] syncs.
    pub(super) fn begin(disk: &dyn Disk, identity: &Identity, slot: Slot, height: Height, nonce: Nonce, first: &[u8]) -> Result<Self, JournalError> {
        let path = path(identity, slot);
        let shown = disk.locate(&path).display().to_string();
        let file = prepared(disk, &path, &shown)?;
        let mut journal = Self { file, slot, shown, height, nonce, sequence: 0, end: 0 };
        let mut bytes = journal.copies(&header(identity))?;
        journal.advance(bytes.len());
        bytes.extend(journal.copies(first)?);
        journal.write(0, &bytes)?;
        journal.end = bytes.len();
        journal.sequence += 1;
        Ok(journal)
    }

    /// The newest journal as a crash, or time, left it. Everything read is durable when this returns.
    pub fn find(disk: &dyn Disk, identity: &Identity) -> Result<Kept, JournalError> {
        let (mut newest, mut is_one_headless) = (None, false);
        for slot in [Slot::Even, Slot::Odd] {
            let path = path(identity, slot);
            let shown = disk.locate(&path).display().to_string();
            let bytes = disk.read(&path).map_err(|source| failed(&shown, source))?.unwrap_or_default();
            match height(&bytes, identity) {
                None => is_one_headless |= bytes.iter().any(|byte| *byte != 0),
                Some(height) if newest.is_some_and(|(newest, _)| height < newest) => {}
                Some(height) => newest = Some((height, slot)),
            }
        }
        let Some((height, slot)) = newest else { return Ok(if is_one_headless { Kept::Headless } else { Kept::Nothing }) };
        match Self::open(disk, identity, slot, height) {
            Err(JournalError::Damaged { .. }) => Ok(Kept::Damaged(height)),
            opened => opened.map(|opened| Kept::Newest(Reopened { is_other_headless: is_one_headless, ..opened })),
        }
    }

    fn open(disk: &dyn Disk, identity: &Identity, slot: Slot, height: Height) -> Result<Reopened, JournalError> {
        let path = path(identity, slot);
        let shown = disk.locate(&path).display().to_string();
        let failed = |source| failed(&shown, source);
        let bytes = disk.read(&path).map_err(failed)?.unwrap_or_default();
        let damaged = |(offset, what)| JournalError::Damaged { file: shown.clone(), offset, height, what };
        let parsed = parse(&bytes, identity, height).map_err(damaged)?;
        let file = disk.open(&path).map_err(failed)?;
        let sequence = parsed.groups.len() as u64 + 1;
        let mut journal = Self { file, slot, shown: shown.clone(), height, nonce: parsed.nonce, sequence, end: parsed.end };
        let groups = parsed.groups.iter().map(|payload| payload.to_vec()).collect();
        for (offset, copy) in &parsed.to_mend {
            journal.write(*offset, copy)?;
        }
        // A killed process leaves groups in the page cache: what we act upon must be on the disk first.
        journal.sync()?;
        disk.sync_directory(Path::new(DIRECTORY)).map_err(|source| JournalError::Disk { file: shown.clone(), source })?;
        Ok(Reopened { journal, groups, was_torn: parsed.was_torn, mended: parsed.to_mend.len(), is_other_headless: false })
    }

    /// Makes one group of `payload` durable: one write, one sync.
    pub fn flush(&mut self, payload: &[u8]) -> Result<(), JournalError> {
        let bytes = self.copies(payload)?;
        self.write(self.end, &bytes)?;
        self.sync()?;
        self.advance(bytes.len());
        Ok(())
    }

    /// Payloads of the groups that were flushed, in order, read back from the disk.
    pub fn groups(&self) -> Result<Vec<Vec<u8>>, JournalError> {
        let mut bytes = self.file.read_at(0, self.end).map_err(|source| failed(&self.shown, source))?;
        bytes.resize(self.end.max(PREALLOCATED_BYTES), 0);
        let damaged = |(offset, what)| JournalError::Damaged { file: self.shown.clone(), offset, height: self.height, what };
        let groups = parse_groups(&bytes, self.nonce, self.height).map_err(damaged)?.groups;
        if groups.len() as u64 + 1 != self.sequence {
            return Err(damaged((self.end, "a flushed group is gone")));
        }
        Ok(groups.into_iter().map(<[u8]>::to_vec).collect())
    }

    pub fn height(&self) -> Height {
        self.height
    }

    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// Where it is, for messages to people.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    fn copies(&self, payload: &[u8]) -> Result<Vec<u8>, JournalError> {
        let full = || JournalError::Full { file: self.shown.clone(), bytes: payload.len(), height: self.height };
        let group = Group { nonce: self.nonce, height: self.height, sequence: self.sequence, payload };
        if MAX_JOURNAL_BYTES < self.end + 2 * group.padded() {
            return Err(full());
        }
        let copy = group.encode().ok_or_else(full)?;
        Ok([&copy[..], &copy[..]].concat())
    }

    fn advance(&mut self, bytes: usize) {
        self.end += bytes;
        self.sequence += 1;
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), JournalError> {
        self.file.write_at(offset as u64, bytes).map_err(|source| failed(&self.shown, source))
    }

    /// An error of a sync never heals, whatever its kind: the page cache lies afterwards.
    fn sync(&mut self) -> Result<(), JournalError> {
        self.file.sync().map_err(|source| JournalError::Disk { file: self.shown.clone(), source })
    }
}

/// The file at `path` with all its bytes allocated; its name is durable.
fn prepared(disk: &dyn Disk, path: &Path, shown: &str) -> Result<Box<dyn DiskFile>, JournalError> {
    let (failed, unsynced) = (|source| failed(shown, source), |source| JournalError::Disk { file: shown.to_owned(), source });
    let mut file = disk.open(path).map_err(failed)?;
    let bytes = file.len().map_err(failed)?;
    if bytes < PREALLOCATED_BYTES as u64 {
        file.write_at(0, &vec![0; PREALLOCATED_BYTES]).map_err(failed)?;
        file.sync().map_err(unsynced)?;
        disk.sync_directory(Path::new(DIRECTORY)).map_err(unsynced)?;
    }
    if bytes > 4 * PREALLOCATED_BYTES as u64 {
        file.set_len(PREALLOCATED_BYTES as u64).map_err(failed)?;
    }
    Ok(file)
}

fn failed(file: &str, source: io::Error) -> JournalError {
    let file = file.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => JournalError::NoSpace { file, source },
        _ => JournalError::Disk { file, source },
    }
}

fn header(identity: &Identity) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LENGTH);
    bytes.push(crate::entry::FORMAT);
    bytes.extend_from_slice(identity.genesis.as_slice());
    bytes.extend_from_slice(identity.key.as_slice());
    bytes
}

struct Parsed<'a> {
    nonce: Nonce,
    groups: Vec<&'a [u8]>,
    end: usize,
    was_torn: bool,
    to_mend: Vec<(usize, Vec<u8>)>,
}

type Damage = (usize, &'static str);

/// The height that the header of `bytes` names; none when neither copy of it is whole.
fn height(bytes: &[u8], identity: &Identity) -> Option<Height> {
    let header = self::header(identity);
    let copies = [group::at(bytes, 0), group::at(bytes, PAGE)];
    copies.into_iter().flatten().find(|group| group.sequence == 0 && group.payload == header).map(|group| group.height)
}

fn parse<'a>(bytes: &'a [u8], identity: &Identity, height: Height) -> Result<Parsed<'a>, Damage> {
    if bytes.len() < PREALLOCATED_BYTES {
        return Err((bytes.len(), "the file ends before its preallocated length"));
    }
    let first = group::at(bytes, 0).filter(|group| group.sequence == 0);
    let header = first.or_else(|| group::at(bytes, PAGE)).ok_or((0, "neither copy of the header is whole"))?;
    if header.sequence != 0 || header.height != height || header.payload != self::header(identity) {
        return Err((0, "the header is of another height, key, genesis or version"));
    }
    parse_groups(bytes, header.nonce, height)
}

fn parse_groups(bytes: &[u8], nonce: Nonce, height: Height) -> Result<Parsed<'_>, Damage> {
    let mut parsed = Parsed { nonce, groups: Vec::new(), end: 0, was_torn: false, to_mend: Vec::new() };
    let mut sequence = 0;
    while let Some(group) = next(bytes, parsed.end, &nonce, sequence)? {
        let expected = Group { nonce, height, sequence, ..group };
        if group != expected {
            return Err((parsed.end, "a group of another height"));
        }
        mend(bytes, &group, &mut parsed);
        if sequence > 0 {
            parsed.groups.push(group.payload);
        }
        parsed.end += 2 * group.padded();
        sequence += 1;
    }
    parsed.was_torn = group::was_begun(bytes, parsed.end, &nonce);
    Ok(parsed)
}

/// The group number `sequence`, whose first copy belongs at `offset`; none at the end, torn or clean.
fn next<'a>(bytes: &'a [u8], offset: usize, nonce: &Nonce, sequence: u64) -> Result<Option<Group<'a>>, Damage> {
    let ours = |at: usize| group::at(bytes, at).filter(|group| group.nonce == *nonce);
    if let Some(group) = ours(offset).filter(|group| group.sequence == sequence) {
        return Ok(Some(group));
    }
    let mut behind = (offset + PAGE..bytes.len()).step_by(PAGE).filter_map(|at| ours(at).map(|group| (at, group)));
    match behind.next() {
        None => Ok(None),
        Some((at, group)) if group.sequence == sequence && at == offset + group.padded() => Ok(Some(group)),
        Some(_) => Err((offset, "neither copy of a group is whole, and groups follow it")),
    }
}

fn mend(bytes: &[u8], group: &Group<'_>, parsed: &mut Parsed<'_>) {
    for offset in [parsed.end, parsed.end + group.padded()] {
        if group::at(bytes, offset) != Some(*group) {
            parsed.to_mend.extend(group.encode().map(|copy| (offset, copy)));
        }
    }
}

#[cfg(test)]
mod tests {
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
}
