//! The engine's journals, read before the engine reads them.
//!
//! ```text
//! batch: start [item | clear]* end
//! start: 1 (1) number of entries (4) order (8)
//! item:  2 (1) kind (1) compression (1) keyspace (8) key length (2) value length (4) stored length (4) key value
//! end:   3 (1) checksum of the entries (8) "FJL" 3
//! clear: 4 (1) keyspace (8)
//! ```
//!
//! Each commit of ours leaves a row with its number, so that commits which are missing between two journals show. What follows
//! the last whole batch is what a crash leaves: the engine cuts it off, and the tip file says whether it was acknowledged.

use std::{
    fs::File,
    io::{self, BufReader, Read},
};

use xxhash_rust::xxh3::Xxh3;

use crate::{archive::take, record::parse_commit_key};

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const END_MAGIC: &[u8] = b"FJL\x03";
/// For a value that claims to be longer, in bytes, the engine would reserve the memory before it looks whether it is there.
const MAX_CLAIMED_BYTES: u32 = 256 << 20;
/// The engine panics at an order above this.
const MAX_ORDER: u64 = u64::MAX >> 1;
const BUFFER_BYTES: usize = 256 << 10;

/// Reads one journal, batch by batch.
pub(crate) struct Journal {
    file: BufReader<File>,
    /// Bytes of the file that are not read yet.
    left: u64,
    /// The entry that was read last, as it lies in the file.
    entry: Vec<u8>,
}

/// What comes next in a journal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A whole batch, with the number of the commit where it says so.
    Batch(Option<u64>),
    /// Nothing, or what a crash left of a batch.
    Nothing,
    /// A batch that no crash explains.
    Changed,
}

/// A batch that cannot be read to its end.
enum Broken {
    Cut,
    Changed,
    Io(io::Error),
}

impl Journal {
    pub(crate) fn open(file: File) -> io::Result<Self> {
        let left = file.metadata()?.len();
        Ok(Self { file: BufReader::with_capacity(BUFFER_BYTES, file), left, entry: Vec::new() })
    }

    pub(crate) fn next(&mut self) -> io::Result<Next> {
        match self.batch() {
            Ok(commit) => Ok(Next::Batch(commit)),
            Err(Broken::Cut) => Ok(Next::Nothing),
            Err(Broken::Changed) => Ok(Next::Changed),
            Err(Broken::Io(error)) => Err(error),
        }
    }

    fn batch(&mut self) -> Result<Option<u64>, Broken> {
        self.entry.clear();
        if self.read::<1>()? != [START] {
            return Err(Broken::Cut);
        }
        let entries = u32::from_le_bytes(self.read()?);
        if MAX_ORDER < u64::from_le_bytes(self.read()?) {
            return Err(Broken::Changed);
        }
        let (mut seen, mut commit) = (0, None);
        let mut hasher = Xxh3::new();
        loop {
            self.entry.clear();
            match self.read::<1>()? {
                [ITEM] => commit = commit.max(self.item()?),
                [CLEAR] => drop(self.read::<8>()?),
                [END] if seen == entries && self.is_end(&hasher)? => return Ok(commit),
                [END] => return Err(Broken::Changed),
                _ => return Err(Broken::Cut),
            }
            hasher.update(&self.entry);
            seen += 1;
            if entries < seen {
                return Err(Broken::Changed);
            }
        }
    }

    /// The number of the commit, when this is its row, or that of the one before, which goes with it.
    fn item(&mut self) -> Result<Option<u64>, Broken> {
        let [_kind, _compression] = self.read()?;
        let _keyspace = self.read::<8>()?;
        let key_bytes = usize::from(u16::from_le_bytes(self.read()?));
        let (value_bytes, stored_bytes) = (u32::from_le_bytes(self.read()?), u32::from_le_bytes(self.read()?));
        if MAX_CLAIMED_BYTES < value_bytes.max(stored_bytes) {
            return Err(Broken::Changed);
        }
        let commit = parse_commit_key(self.read_more(key_bytes)?);
        self.read_more(stored_bytes as usize)?;
        Ok(commit)
    }

    fn is_end(&mut self, hasher: &Xxh3) -> Result<bool, Broken> {
        let checksum = u64::from_le_bytes(self.read()?);
        if self.read_more(END_MAGIC.len())? != END_MAGIC {
            return Err(Broken::Cut);
        }
        Ok(checksum == hasher.digest())
    }

    fn read<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        take(&mut self.read_more(N)?).ok_or(Broken::Cut)
    }

    fn read_more(&mut self, bytes: usize) -> Result<&[u8], Broken> {
        self.left = self.left.checked_sub(bytes as u64).ok_or(Broken::Cut)?;
        let start = self.entry.len();
        self.entry.resize(start + bytes, 0);
        self.file.read_exact(&mut self.entry[start..]).map_err(Broken::Io)?;
        Ok(&self.entry[start..])
    }
}
