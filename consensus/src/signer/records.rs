//! What stands in a group of the journal: entries of consensus, and what our key said.
//!
//! ```text
//! record: length 4, big endian | kind 1 | bytes
//! ```

use super::guard::Said;
use crate::entry::{Entry, MalformedEntry};

const ENTRY: u8 = 1;
const SAID: u8 = 2;

/// The records of one journal, sorted by what they are.
#[derive(Debug, Default)]
pub struct Records {
    /// In the order in which they were appended.
    pub entries: Vec<Entry>,
    pub said: Vec<Said>,
}

/// Appends an entry to the payload of a group.
pub fn push_entry(payload: &mut Vec<u8>, entry: &Entry) -> Result<(), MalformedEntry> {
    push(payload, ENTRY, &entry.encode()?)
}

/// Appends what our key says to the payload of a group.
pub fn push_said(payload: &mut Vec<u8>, said: &Said) -> Result<(), MalformedEntry> {
    let bytes = rmp_serde::to_vec(said).map_err(|error| MalformedEntry::Bytes(error.to_string()))?;
    push(payload, SAID, &bytes)
}

/// The records in the payloads of all groups.
pub fn read(groups: &[Vec<u8>]) -> Result<Records, MalformedEntry> {
    let mut records = Records::default();
    for group in groups {
        let mut rest = &group[..];
        while !rest.is_empty() {
            let (kind, bytes) = next(&mut rest).ok_or_else(|| MalformedEntry::Bytes("a record ends behind its group".into()))?;
            match kind {
                ENTRY => records.entries.push(Entry::decode(bytes)?),
                SAID => records.said.push(rmp_serde::from_slice(bytes).map_err(|error| MalformedEntry::Bytes(error.to_string()))?),
                other => return Err(MalformedEntry::Bytes(format!("a record of unknown kind {other}"))),
            }
        }
    }
    Ok(records)
}

fn push(payload: &mut Vec<u8>, kind: u8, bytes: &[u8]) -> Result<(), MalformedEntry> {
    let length = u32::try_from(bytes.len()).map_err(|_| MalformedEntry::Bytes("the record is longer than 4 GiB".into()))?;
    payload.extend_from_slice(&length.to_be_bytes());
    payload.push(kind);
    payload.extend_from_slice(bytes);
    Ok(())
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
    let kind = *rest.get(4)?;
    let bytes = rest.get(5..5usize.checked_add(length)?)?;
    *rest = &rest[5 + length..];
    Some((kind, bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::entry::{Step, TimeoutEntry};
    use primitives::{B256, Height, Round, VoteKind};

    #[test]
    fn what_was_pushed_is_read_in_order() {
        let timeout = |round| Entry::Timeout(TimeoutEntry { height: Height(1), round: Round(round), step: Step::Propose });
        let said = Said::Vote { kind: VoteKind::Prevote, round: Round(1), value: Some(B256::ZERO) };
        let proposed = Said::Proposal { round: Round(2), value: B256::ZERO, pol_round: Some(Round(0)) };
        let (mut first, mut second) = (Vec::new(), Vec::new());
        push_entry(&mut first, &timeout(0)).unwrap();
        push_said(&mut first, &said).unwrap();
        push_entry(&mut second, &timeout(1)).unwrap();
        push_said(&mut second, &proposed).unwrap();
        let records = read(&[first.clone(), second]).unwrap();
        assert_eq!((records.entries, records.said), (vec![timeout(0), timeout(1)], vec![said, proposed]));
        for length in 1..first.len() {
            let _ = read(&[first[..length].to_vec()]);
        }
    }

    #[test]
    fn a_record_of_an_unknown_kind_is_refused() {
        assert!(read(&[vec![0, 0, 0, 0, 9]]).is_err());
        assert!(read(&[vec![0, 0, 0, 1, 1]]).is_err());
    }
}
