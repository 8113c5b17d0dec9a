//! The tip file: what was acknowledged last, kept outside the database.
//!
//! ```text
//! slot 0 at byte 0, slot 1 at byte 4096:
//! magic (8) | sequence (8) | has tip (1) | height (8) | hash (32) | keccak of all before (32)
//! ```
//!
//! A record is written into the slot that does *not* hold the last synced one, so that a torn write always leaves
//! that one. Heights are synced; the sequence of a loose commit is written and left to the next sync, because losing
//! it in a power cut only makes the file older, which is no lie.

use std::{io, path::Path};

use primitives::{Disk, DiskFile, keccak256};

use crate::{
    Tip, keys,
    record::{TIP_BYTES, decode_tip, encode_tip},
};

/// A slot does not share a disk block with the other one.
const SLOT_BYTES: u64 = 4096;
const MAGIC: &[u8; 8] = b"axotip01";
const PLAIN_BYTES: usize = 8 + 8 + 1 + TIP_BYTES;
const RECORD_BYTES: usize = PLAIN_BYTES + 32;

/// What was acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// Number of the commit.
    pub(crate) sequence: u64,
    pub(crate) tip: Option<Tip>,
}

/// What the tip file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is none, or it was never written to the end.
    Absent,
    /// Neither slot holds a whole record.
    Damaged,
    /// The newer record, and which slot, if any, holds rubbish.
    Whole { acknowledged: Acknowledged, damaged_slot: Option<usize> },
}

/// What one slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Empty,
    Damaged,
    Whole(Acknowledged),
}

/// Why the tip file does not say what it should. Only a write that found no room may be tried again.
#[derive(Debug)]
pub(crate) enum MarkError {
    Write(io::Error),
    Sync(io::Error),
}

impl From<MarkError> for io::Error {
    fn from(error: MarkError) -> Self {
        match error {
            MarkError::Write(error) | MarkError::Sync(error) => error,
        }
    }
}

/// The open tip file.
pub(crate) struct Watermark {
    file: Box<dyn DiskFile>,
    /// The slot that is written next: not the one that was synced last.
    next: usize,
}

impl Watermark {
    /// Reads the file without touching it.
    pub(crate) fn find(disk: &dyn Disk, path: &Path) -> io::Result<Found> {
        let Some(bytes) = disk.read(path)? else { return Ok(Found::Absent) };
        Ok(newest([slot(&bytes, 0), slot(&bytes, 1)]))
    }

    /// Opens the file, made at its full size when it is new, and writes `acknowledged` durably into both slots, one after the other.
    pub(crate) fn start(disk: &dyn Disk, path: &Path, acknowledged: Acknowledged) -> io::Result<Self> {
        let mut file = disk.open(path)?;
        let kept = match Self::find(disk, path)? {
            Found::Whole { acknowledged, .. } => slot_of(&disk.read(path)?.unwrap_or_default(), acknowledged),
            Found::Absent | Found::Damaged => 0,
        };
        if file.len()? < 2 * SLOT_BYTES {
            let present = file.len()?;
            file.write_at(present, &vec![0; (2 * SLOT_BYTES - present) as usize])?;
            file.sync()?;
            disk.sync_directory(path.parent().unwrap_or(Path::new("")))?;
        }
        let mut watermark = Self { file, next: 1 - kept };
        watermark.write_synced(acknowledged)?;
        watermark.write_synced(acknowledged)?;
        Ok(watermark)
    }

    /// Returns when `acknowledged` is durable.
    pub(crate) fn write_synced(&mut self, acknowledged: Acknowledged) -> Result<(), MarkError> {
        self.write(acknowledged)?;
        self.file.sync().map_err(MarkError::Sync)?;
        self.next = 1 - self.next;
        Ok(())
    }

    /// Leaves durability to the next sync.
    pub(crate) fn write(&mut self, acknowledged: Acknowledged) -> Result<(), MarkError> {
        self.file.write_at(self.next as u64 * SLOT_BYTES, &encode(acknowledged)).map_err(MarkError::Write)
    }
}

fn encode(acknowledged: Acknowledged) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(acknowledged.sequence.to_be_bytes());
    bytes.push(u8::from(acknowledged.tip.is_some()));
    bytes.extend(acknowledged.tip.as_ref().map_or([0; TIP_BYTES], encode_tip));
    let checksum = keccak256(&bytes);
    bytes.extend(checksum);
    bytes
}

fn decode(record: &[u8]) -> Option<Acknowledged> {
    let (plain, checksum) = record.split_at_checked(PLAIN_BYTES)?;
    let is_whole = plain.starts_with(MAGIC) && keccak256(plain).as_slice() == checksum;
    if !is_whole {
        return None;
    }
    let sequence = keys::parse_height(&plain[8..16])?.0;
    let tip = if plain[16] == 1 { Some(decode_tip(&plain[17..])?) } else { None };
    Some(Acknowledged { sequence, tip })
}

fn slot(bytes: &[u8], number: usize) -> Slot {
    let from = number * SLOT_BYTES as usize;
    let Some(record) = bytes.get(from..from + RECORD_BYTES) else { return Slot::Empty };
    match decode(record) {
        Some(acknowledged) => Slot::Whole(acknowledged),
        None if record.iter().all(|byte| *byte == 0) => Slot::Empty,
        None => Slot::Damaged,
    }
}

fn slot_of(bytes: &[u8], acknowledged: Acknowledged) -> usize {
    usize::from(slot(bytes, 0) != Slot::Whole(acknowledged))
}

fn newest(slots: [Slot; 2]) -> Found {
    let damaged_slot = slots.iter().position(|slot| *slot == Slot::Damaged);
    let whole = slots.iter().filter_map(|slot| match slot {
        Slot::Whole(acknowledged) => Some(*acknowledged),
        Slot::Empty | Slot::Damaged => None,
    });
    match whole.max_by_key(|acknowledged| acknowledged.sequence) {
        Some(acknowledged) => Found::Whole { acknowledged, damaged_slot },
        None if damaged_slot.is_some() => Found::Damaged,
        None => Found::Absent,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use primitives::{B256, Height, LossyDisk, Survival};

    use super::*;

    const PATH: &str = "ledger.tip";

    fn acknowledged(number: u64) -> Acknowledged {
        Acknowledged { sequence: number, tip: Some(Tip { height: Height(number), hash: B256::with_last_byte(number as u8) }) }
    }

    fn started(disk: &LossyDisk) -> Watermark {
        Watermark::start(disk, Path::new(PATH), acknowledged(1)).unwrap()
    }

    fn found(disk: &LossyDisk) -> Found {
        Watermark::find(disk, Path::new(PATH)).unwrap()
    }

    fn sequence(found: &Found) -> Option<u64> {
        match found {
            Found::Whole { acknowledged, .. } => Some(acknowledged.sequence),
            Found::Absent | Found::Damaged => None,
        }
    }

    #[test]
    fn a_synced_record_survives_a_power_cut() {
        let disk = LossyDisk::new();
        let mut watermark = started(&disk);
        for number in 2..20 {
            watermark.write_synced(acknowledged(number)).unwrap();
            disk.crash(Survival::SyncedOnly);
            assert_eq!(found(&disk), Found::Whole { acknowledged: acknowledged(number), damaged_slot: None });
        }
    }

    #[test]
    fn a_torn_write_leaves_the_last_synced_record() {
        for bytes in 0..=RECORD_BYTES {
            for loose in [1, 2, 3] {
                let disk = LossyDisk::new();
                let mut watermark = started(&disk);
                watermark.write_synced(acknowledged(2)).unwrap();
                for number in 0..loose {
                    watermark.write(acknowledged(3 + number)).unwrap();
                }
                disk.crash(Survival::Torn { bytes });
                assert!(sequence(&found(&disk)) >= Some(2), "torn after {bytes} bytes");
            }
        }
    }

    #[test]
    fn one_damaged_slot_is_noticed_and_the_other_believed() {
        let disk = LossyDisk::new();
        let mut watermark = started(&disk);
        watermark.write_synced(acknowledged(2)).unwrap();
        for slot in 0..2 {
            for offset in 0..RECORD_BYTES as u64 {
                let mut file = disk.open(Path::new(PATH)).unwrap();
                let at = slot as u64 * SLOT_BYTES + offset;
                let byte = file.read_at(at, 1).unwrap()[0];
                file.write_at(at, &[byte ^ 0x10]).unwrap();
                let Found::Whole { acknowledged, damaged_slot } = found(&disk) else { panic!("byte {offset} of slot {slot} ruined both") };
                assert_eq!(damaged_slot, Some(slot));
                assert!([1, 2].contains(&acknowledged.sequence));
                file.write_at(at, &[byte]).unwrap();
            }
        }
    }

    #[test]
    fn two_damaged_slots_are_damage_and_an_unwritten_file_is_none() {
        let disk = LossyDisk::new();
        assert_eq!(found(&disk), Found::Absent);
        let mut file = disk.open(Path::new(PATH)).unwrap();
        file.set_len(2 * SLOT_BYTES).unwrap();
        assert_eq!(found(&disk), Found::Absent);
        file.write_at(0, &[1]).unwrap();
        file.write_at(SLOT_BYTES, &[1]).unwrap();
        assert_eq!(found(&disk), Found::Damaged);
    }

    #[test]
    fn starting_again_mends_a_damaged_slot() {
        let disk = LossyDisk::new();
        started(&disk).write_synced(acknowledged(2)).unwrap();
        disk.open(Path::new(PATH)).unwrap().write_at(SLOT_BYTES, &[0xff; 16]).unwrap();
        Watermark::start(&disk, Path::new(PATH), acknowledged(2)).unwrap();
        assert_eq!(found(&disk), Found::Whole { acknowledged: acknowledged(2), damaged_slot: None });
    }
}
