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
mod tests;
