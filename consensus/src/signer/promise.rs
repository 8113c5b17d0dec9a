//! The promise: "this key signs at height h". It outlives the ledger and the journals.
//!
//! The file is named by genesis and key. It has two slots on pages of their own, each whole or not by its checksum; a new
//! promise overwrites the older slot and is synced, strictly after the journal of its height is durable. So a crash leaves
//! the old promise or the new one.
//!
//! ```text
//! slot: magic 8 | genesis 32 | key 20 | counter 8 | height 8 | checksum 4          big endian, CRC-32
//! ```

use std::{
    io,
    path::{Path, PathBuf},
};

use primitives::{Disk, DiskFile, Height};

use super::journal::Identity;

/// Where promises are, on the disk of the chain.
pub const DIRECTORY: &str = "signing";
const PAGE: usize = 4096;
const MAGIC: &[u8; 8] = b"axoPRM\0\x01";
const SLOT: usize = 80;

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is no file.
    Missing,
    /// Both slots hold; this is the newer one's height.
    Whole(Height),
    /// One slot holds. The other may have said more.
    OneSlot(Height),
    /// Neither slot holds.
    Unreadable,
}

/// The disk failed under the promise.
#[derive(Debug, thiserror::Error)]
#[error("the disk failed under the promise {file}: {source}; check the disk, then start again")]
pub struct PromiseError {
    pub file: String,
    pub source: io::Error,
    /// The write found no room, and nothing was synced: trying again later may help.
    pub is_retryable: bool,
}

/// The open promise file of one identity.
pub struct Promise {
    file: Box<dyn DiskFile>,
    identity: Identity,
    shown: String,
    height: Height,
    counter: u64,
}

/// Where the promise of `identity` is.
pub fn path(identity: &Identity) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{}.promise", identity.prefix()))
}

/// Whether the disk holds promises of this key for other chains, or of other keys: they say nothing about this identity.
pub fn has_others(disk: &dyn Disk, identity: &Identity) -> io::Result<bool> {
    let ours = format!("{}.promise", identity.prefix());
    Ok(disk.list(Path::new(DIRECTORY))?.iter().any(|name| name.ends_with(".promise") && *name != ours))
}

/// Writes down that `identity` has signed nothing, unless there is a record already. Durable when this returns.
///
/// For whoever makes the key, or a whole network anew: afterwards nobody could tell such a key from one whose record was lost, and
/// it would have to watch for [`super::OBSERVED_HEIGHTS`] heights when it starts later than the others.
pub fn record_nothing_signed(disk: &dyn Disk, identity: &Identity) -> Result<(), PromiseError> {
    let path = path(identity);
    let there = disk.read(&path).map_err(|source| failed(&disk.locate(&path).display().to_string(), source))?;
    there.map_or_else(|| Promise::create(disk, identity, Height::GENESIS).map(drop), |_| Ok(()))
}

impl Promise {
    /// What the file says, and the file itself unless nothing in it can be trusted. What was read is durable when this returns.
    pub fn open(disk: &dyn Disk, identity: &Identity) -> Result<(Found, Option<Self>), PromiseError> {
        let path = path(identity);
        let shown = disk.locate(&path).display().to_string();
        let failed = |source| failed(&shown, source);
        let Some(bytes) = disk.read(&path).map_err(failed)? else { return Ok((Found::Missing, None)) };
        let slots = [slot(&bytes, 0, identity), slot(&bytes, PAGE, identity)];
        let Some((counter, height)) = slots.into_iter().flatten().max() else { return Ok((Found::Unreadable, None)) };
        let found = if slots.iter().all(Option::is_some) { Found::Whole(height) } else { Found::OneSlot(height) };
        let mut file = disk.open(&path).map_err(failed)?;
        file.sync().map_err(|source| poisoned(&shown, source))?;
        disk.sync_directory(Path::new(DIRECTORY)).map_err(|source| poisoned(&shown, source))?;
        Ok((found, Some(Self { file, identity: *identity, shown, height, counter })))
    }

    /// The first promise of `identity`; replaces an unreadable one. Durable when this returns.
    pub fn create(disk: &dyn Disk, identity: &Identity, height: Height) -> Result<Self, PromiseError> {
        let path = path(identity);
        let shown = disk.locate(&path).display().to_string();
        let failed = |source| failed(&shown, source);
        let fresh = path.with_extension("new");
        let mut file = disk.open(&fresh).map_err(failed)?;
        let mut bytes = vec![0; 2 * PAGE];
        for counter in [0, 1] {
            let offset = offset(counter);
            bytes[offset..offset + SLOT].copy_from_slice(&encode(identity, counter, height));
        }
        file.write_at(0, &bytes).map_err(failed)?;
        file.sync().map_err(|source| poisoned(&shown, source))?;
        disk.rename(&fresh, &path).map_err(failed)?;
        for directory in [DIRECTORY, ""] {
            disk.sync_directory(Path::new(directory)).map_err(|source| poisoned(&shown, source))?;
        }
        Ok(Self { file, identity: *identity, shown, height, counter: 1 })
    }

    /// The height it was moved to last.
    pub fn height(&self) -> Height {
        self.height
    }

    /// Promises `height`, durable when this returns: one write, one sync. A promise never goes back: a lower height changes nothing.
    pub fn raise(&mut self, height: Height) -> Result<(), PromiseError> {
        if height <= self.height {
            return Ok(());
        }
        let counter = self.counter + 1;
        let slot = encode(&self.identity, counter, height);
        self.file.write_at(offset(counter) as u64, &slot).map_err(|source| failed(&self.shown, source))?;
        self.file.sync().map_err(|source| poisoned(&self.shown, source))?;
        (self.counter, self.height) = (counter, height);
        Ok(())
    }
}

fn offset(counter: u64) -> usize {
    if counter.is_multiple_of(2) { 0 } else { PAGE }
}

fn failed(file: &str, source: io::Error) -> PromiseError {
    let is_retryable = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    PromiseError { file: file.to_owned(), source, is_retryable }
}

fn poisoned(file: &str, source: io::Error) -> PromiseError {
    PromiseError { file: file.to_owned(), source, is_retryable: false }
}

fn encode(identity: &Identity, counter: u64, height: Height) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..40].copy_from_slice(identity.genesis.as_slice());
    bytes[40..60].copy_from_slice(identity.key.as_slice());
    bytes[60..68].copy_from_slice(&counter.to_be_bytes());
    bytes[68..76].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32fast::hash(&bytes[..76]);
    bytes[76..].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// Counter and height of the slot at `offset`; none unless it is exactly what [`encode`] wrote there.
fn slot(bytes: &[u8], at: usize, identity: &Identity) -> Option<(u64, Height)> {
    let slot = bytes.get(at..at + SLOT)?;
    let counter = u64::from_be_bytes(slot[60..68].try_into().ok()?);
    let height = Height(u64::from_be_bytes(slot[68..76].try_into().ok()?));
    let is_exact = slot == encode(identity, counter, height) && offset(counter) == at;
    is_exact.then_some((counter, height))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use primitives::{Address, B256, LossyDisk, Survival};

    #[test]
    fn nothing_signed_is_recorded_once_and_never_over_a_promise() {
        let disk = LossyDisk::default();
        record_nothing_signed(&disk, &IDENTITY).unwrap();
        let (found, promise) = Promise::open(&disk, &IDENTITY).unwrap();
        assert_eq!(found, Found::Whole(Height::GENESIS));
        promise.unwrap().raise(Height(7)).unwrap();
        record_nothing_signed(&disk, &IDENTITY).unwrap();
        assert_eq!(Promise::open(&disk, &IDENTITY).unwrap().0, Found::Whole(Height(7)));
    }

    const IDENTITY: Identity = Identity { genesis: B256::repeat_byte(1), key: Address::repeat_byte(2) };

    fn promised(heights: &[u64]) -> (LossyDisk, Promise) {
        let disk = LossyDisk::new();
        let mut promise = Promise::create(&disk, &IDENTITY, Height(0)).unwrap();
        for height in heights {
            promise.raise(Height(*height)).unwrap();
        }
        (disk, promise)
    }

    fn found(disk: &LossyDisk) -> Found {
        Promise::open(disk, &IDENTITY).unwrap().0
    }

    #[test]
    fn a_promise_outlives_a_power_cut_and_costs_one_sync() {
        let (disk, mut promise) = promised(&[1]);
        let before = disk.syncs();
        promise.raise(Height(2)).unwrap();
        assert_eq!(disk.syncs() - before, 1);
        disk.crash(Survival::SyncedOnly);
        assert_eq!(found(&disk), Found::Whole(Height(2)));
    }

    #[test]
    fn a_promise_never_goes_back() {
        let (disk, mut promise) = promised(&[5]);
        promise.raise(Height(3)).unwrap();
        assert_eq!((promise.height(), found(&disk)), (Height(5), Found::Whole(Height(5))));
    }

    #[test]
    fn a_write_torn_at_any_byte_leaves_the_old_promise_or_the_new_one() {
        for bytes in 0..=SLOT {
            let (disk, promise) = promised(&[6, 7]);
            let torn = encode(&IDENTITY, promise.counter + 1, Height(8));
            disk.open(&path(&IDENTITY)).unwrap().write_at(offset(promise.counter + 1) as u64, &torn).unwrap();
            disk.crash(Survival::Torn { bytes });
            let expected = [Found::Whole(Height(7)), Found::OneSlot(Height(7)), Found::Whole(Height(8))];
            assert!(expected.contains(&found(&disk)), "torn at {bytes}: {:?}", found(&disk));
        }
    }

    #[test]
    fn one_flipped_byte_anywhere_is_seen_or_harmless() {
        let (disk, promise) = promised(&[6, 7]);
        let whole = disk.read(&path(&IDENTITY)).unwrap().unwrap();
        for (at, byte) in whole.iter().enumerate() {
            disk.open(&path(&IDENTITY)).unwrap().write_at(at as u64, &[byte ^ 0x55]).unwrap();
            let newer = offset(promise.counter);
            let expected = match at {
                _ if (newer..newer + SLOT).contains(&at) => Found::OneSlot(Height(6)),
                _ if at % PAGE < SLOT => Found::OneSlot(Height(7)),
                _ => Found::Whole(Height(7)),
            };
            assert_eq!(found(&disk), expected, "flipped at {at}");
            disk.open(&path(&IDENTITY)).unwrap().write_at(at as u64, &[*byte]).unwrap();
        }
    }

    #[test]
    fn the_next_promise_mends_a_bad_slot() {
        let (disk, promise) = promised(&[6, 7]);
        disk.open(&path(&IDENTITY)).unwrap().write_at(offset(promise.counter + 1) as u64, &[0; 8]).unwrap();
        let (found_first, again) = Promise::open(&disk, &IDENTITY).unwrap();
        assert_eq!(found_first, Found::OneSlot(Height(7)));
        again.unwrap().raise(Height(8)).unwrap();
        assert_eq!(found(&disk), Found::Whole(Height(8)));
    }

    #[test]
    fn another_chain_or_key_has_a_promise_of_its_own() {
        let (disk, _) = promised(&[6]);
        let elsewhere = Identity { genesis: B256::ZERO, ..IDENTITY };
        assert_eq!(Promise::open(&disk, &elsewhere).unwrap().0, Found::Missing);
        assert!(has_others(&disk, &elsewhere).unwrap());
        assert!(!has_others(&disk, &IDENTITY).unwrap());
    }

    #[test]
    fn a_file_cut_short_is_seen() {
        let (disk, _) = promised(&[6, 7]);
        let mut file = disk.open(&path(&IDENTITY)).unwrap();
        file.set_len(PAGE as u64 + 10).unwrap();
        assert!(matches!(found(&disk), Found::OneSlot(_)));
        file.set_len(0).unwrap();
        assert_eq!(found(&disk), Found::Unreadable);
    }
}
