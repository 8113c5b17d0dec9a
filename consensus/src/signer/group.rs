//! One group of a journal as bytes: what one flush writes, and how it is known again.
//!
//! ```text
//! magic 8 | nonce 16 | height 8 | sequence 8 | length 4 | checksum 4 | payload ...          padded to whole pages
//! ```
//!
//! Numbers are big endian. The checksum is CRC-32 over everything but itself. Groups begin on page borders, so that writing
//! one never rewrites a sector of another; the random nonce keeps bytes that others chose, and groups of an earlier life of
//! the file, from passing for groups of this one.

use primitives::Height;

/// Groups begin at multiples of this many bytes.
pub const PAGE: usize = 4096;
const MAGIC: &[u8; 8] = b"axoWAL\0\x01";
const HEAD: usize = 48;

/// The random name of one life of a journal file.
pub type Nonce = [u8; 16];

/// A group whose checksum holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    pub nonce: Nonce,
    pub height: Height,
    pub sequence: u64,
    pub payload: &'a [u8],
}

impl Group<'_> {
    /// The group in whole pages; none when the payload is longer than a length field can say.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let length = u32::try_from(self.payload.len()).ok()?;
        let mut bytes = Vec::with_capacity(padded(self.payload.len()));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&self.height.to_be_bytes());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&checksum(&bytes, self.payload).to_be_bytes());
        bytes.extend_from_slice(self.payload);
        bytes.resize(padded(self.payload.len()), 0);
        Some(bytes)
    }

    /// How many bytes of the file one copy takes.
    pub fn padded(&self) -> usize {
        padded(self.payload.len())
    }
}

/// The whole group that begins at `offset`, if there is one.
pub fn at(bytes: &[u8], offset: usize) -> Option<Group<'_>> {
    let bytes = bytes.get(offset..)?;
    let head = bytes.get(..HEAD)?;
    if &head[..8] != MAGIC {
        return None;
    }
    let length = u32::from_be_bytes(head[40..44].try_into().ok()?) as usize;
    let payload = bytes.get(HEAD..HEAD.checked_add(length)?)?;
    if checksum(&head[..44], payload) != u32::from_be_bytes(head[44..48].try_into().ok()?) {
        return None;
    }
    let height = Height(u64::from_be_bytes(head[24..32].try_into().ok()?));
    let sequence = u64::from_be_bytes(head[32..40].try_into().ok()?);
    Some(Group { nonce: head[8..24].try_into().ok()?, height, sequence, payload })
}

/// Whether a group of this life of the file was begun at `offset`, whole or not.
pub fn was_begun(bytes: &[u8], offset: usize, nonce: &Nonce) -> bool {
    bytes.get(offset..offset.saturating_add(24)).is_some_and(|head| &head[..8] == MAGIC && &head[8..] == nonce)
}

fn padded(payload: usize) -> usize {
    (HEAD + payload).next_multiple_of(PAGE)
}

fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GROUP: Group<'static> = Group { nonce: [7; 16], height: Height(3), sequence: 4, payload: b"payload" };

    #[test]
    fn what_was_encoded_is_found_again() {
        let bytes = GROUP.encode().unwrap();
        assert_eq!(bytes.len(), PAGE);
        assert_eq!(at(&bytes, 0), Some(GROUP));
    }

    #[test]
    fn no_flipped_bit_passes() {
        let whole = GROUP.encode().unwrap();
        for bit in 0..(HEAD + GROUP.payload.len()) * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(at(&bytes, 0), None, "bit {bit}");
        }
    }

    #[test]
    fn a_beginning_of_a_group_is_no_group() {
        let whole = GROUP.encode().unwrap();
        for length in 0..HEAD + GROUP.payload.len() {
            assert_eq!(at(&whole[..length], 0), None);
        }
    }
}
