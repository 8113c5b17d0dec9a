//! The engine's files of sections: tables, blob files and versions alike.
//!
//! ```text
//! sections | contents: "TOC!" count (4) [position (8) length (8) name length (2) name]* | trailer
//! trailer: "SFA!" format (1) checksum kind (1) checksum of the contents (16) position of the contents (8) their length (8)
//! ```
//!
//! The engine reserves memory for as many sections as the contents claim before it compares the checksum, so that one flipped
//! byte asks for 160 GB and aborts the process. Here nothing is believed before the checksum is.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt};

use xxhash_rust::xxh3::xxh3_128;

const TRAILER_BYTES: u64 = 4 + 1 + 1 + 16 + 8 + 8;
const TRAILER_MAGIC: &[u8] = b"SFA!\x01\x00";
const CONTENTS_MAGIC: &[u8] = b"TOC!";
/// The contents of a table name about ten sections, in bytes.
const MAX_CONTENTS_BYTES: u64 = 64 << 10;

/// What the trailer and the contents of one file say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contents(Vec<(Vec<u8>, Range<u64>)>);

impl Contents {
    /// Reads the end of `file`; none when it is not what the engine wrote.
    pub(crate) fn read(file: &File) -> io::Result<Option<Self>> {
        let length = file.metadata()?.len();
        let Some(end) = length.checked_sub(TRAILER_BYTES) else { return Ok(None) };
        let mut trailer = [0; TRAILER_BYTES as usize];
        file.read_exact_at(&mut trailer, end)?;
        let Some((checksum, place)) = parse_trailer(&trailer, end) else { return Ok(None) };
        let mut contents = vec![0; (place.end - place.start) as usize];
        file.read_exact_at(&mut contents, place.start)?;
        Ok((xxh3_128(&contents) == checksum).then(|| Self::parse(&contents, place.start)).flatten())
    }

    /// Where the section `name` lies.
    pub(crate) fn section(&self, name: &str) -> Option<Range<u64>> {
        self.0.iter().find(|(found, _)| found == name.as_bytes()).map(|(_, place)| place.clone())
    }

    fn parse(contents: &[u8], start: u64) -> Option<Self> {
        let mut rest = contents.strip_prefix(CONTENTS_MAGIC)?;
        let count = u32::from_le_bytes(take(&mut rest)?);
        let mut sections = Vec::new();
        for _ in 0..count {
            let position = u64::from_le_bytes(take(&mut rest)?);
            let end = position.checked_add(u64::from_le_bytes(take(&mut rest)?))?;
            let name_bytes = u16::from_le_bytes(take(&mut rest)?);
            let name = rest.split_off(..usize::from(name_bytes))?;
            sections.push((name.to_vec(), position..end));
        }
        let are_before_contents = sections.iter().all(|(_, place)| place.end <= start);
        are_before_contents.then_some(Self(sections))
    }
}

/// The checksum of the contents and where they lie, right before `end`.
fn parse_trailer(trailer: &[u8], end: u64) -> Option<(u128, Range<u64>)> {
    let mut rest = trailer.strip_prefix(TRAILER_MAGIC)?;
    let checksum = u128::from_le_bytes(take(&mut rest)?);
    let start = u64::from_le_bytes(take(&mut rest)?);
    let length = u64::from_le_bytes(take(&mut rest)?);
    let is_in_place = start.checked_add(length) == Some(end) && length <= MAX_CONTENTS_BYTES;
    is_in_place.then_some((checksum, start..end))
}

/// The next `N` bytes.
pub(crate) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    /// One section, `body`, of the four bytes "body".
    fn written() -> Vec<u8> {
        let mut contents = CONTENTS_MAGIC.to_vec();
        contents.extend(1u32.to_le_bytes());
        contents.extend(0u64.to_le_bytes());
        contents.extend(4u64.to_le_bytes());
        contents.extend(4u16.to_le_bytes());
        contents.extend(b"name");
        let mut bytes = b"body".to_vec();
        bytes.extend(&contents);
        bytes.extend(TRAILER_MAGIC);
        bytes.extend(xxh3_128(&contents).to_le_bytes());
        bytes.extend(4u64.to_le_bytes());
        bytes.extend((contents.len() as u64).to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Contents> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Contents::read(&file).unwrap()
    }

    #[test]
    fn a_section_is_found_by_its_name() {
        let contents = read(&written()).unwrap();
        assert_eq!(contents.section("name"), Some(0..4));
        assert_eq!(contents.section("other"), None);
    }

    #[test]
    fn no_flipped_byte_behind_the_sections_is_believed() {
        let whole = written();
        for at in 4..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x81;
            assert_eq!(read(&bytes), None, "byte {at}");
        }
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]), None, "{length} bytes");
        }
    }
}
