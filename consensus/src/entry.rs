//! What consensus wants remembered: the entries of the journal.
//!
//! An entry stands in the journal before any message that follows from it may leave. Fed to a fresh core in the same order,
//! the entries of a height lead to the same votes again. As bytes an entry is MessagePack with its fields by position;
//! [`FORMAT`] names the version and belongs into the header of the file.

use primitives::{Address, B256, Bytes, Height, PolkaCertificate, Proposal, Round, Signed, Vote, limits};
use serde::{Deserialize, Serialize};

/// Version of the byte form of entries.
pub const FORMAT: u8 = 1;

/// One thing to remember about a height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A verified proposal, ours or another's.
    Proposal(Signed<Proposal>),
    /// A verified vote, ours or another's.
    Vote(Signed<Vote>),
    /// A verified polka certificate.
    Polka(PolkaCertificate),
    /// A timeout that elapsed and was acted upon.
    Timeout(TimeoutEntry),
    /// A block that was judged.
    Judged(JudgedEntry),
    /// The bytes of a proposed block, of at most [`limits::MAX_JOURNALLED_BODY_BYTES`]. Never fed to the core.
    Body(BodyEntry),
}

/// Which of the protocol's three waits ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Step {
    Propose,
    Prevote,
    Precommit,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeoutEntry {
    pub height: Height,
    pub round: Round,
    pub step: Step,
}

/// A judged block, as the core was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedEntry {
    pub height: Height,
    pub round: Round,
    pub pol_round: Option<Round>,
    pub proposer: Address,
    pub value: B256,
    pub is_valid: bool,
}

/// A proposed block by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyEntry {
    pub height: Height,
    pub round: Round,
    pub value: B256,
    /// What `primitives::Body::encode` wrote.
    pub body: Bytes,
}

/// Bytes that hold no entry, or one that could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedEntry {
    #[error("the bytes are no journal entry: {0}")]
    Bytes(String),
    #[error("a body of {bytes} bytes does not belong into the journal; at most {max} do")]
    BodyTooLarge { bytes: usize, max: usize },
}

impl Entry {
    /// The height it belongs to.
    pub fn height(&self) -> Height {
        match self {
            Self::Proposal(signed) => signed.message.height,
            Self::Vote(signed) => signed.message.height,
            Self::Polka(certificate) => certificate.height,
            Self::Timeout(timeout) => timeout.height,
            Self::Judged(judged) => judged.height,
            Self::Body(body) => body.height,
        }
    }

    /// A short name, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Proposal(_) => "proposal",
            Self::Vote(_) => "vote",
            Self::Polka(_) => "polka",
            Self::Timeout(_) => "timeout",
            Self::Judged(_) => "judged",
            Self::Body(_) => "body",
        }
    }

    /// The bytes that stand in the journal.
    pub fn encode(&self) -> Result<Vec<u8>, MalformedEntry> {
        check(self)?;
        rmp_serde::to_vec(self).map_err(|error| MalformedEntry::Bytes(error.to_string()))
    }

    /// Reads what [`Entry::encode`] wrote; bytes after it are refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, MalformedEntry> {
        let mut rest = bytes;
        let entry = Self::deserialize(&mut rmp_serde::Deserializer::new(&mut rest)).map_err(|error| MalformedEntry::Bytes(error.to_string()))?;
        if !rest.is_empty() {
            return Err(MalformedEntry::Bytes("bytes after the entry".into()));
        }
        check(&entry)?;
        Ok(entry)
    }
}

fn check(entry: &Entry) -> Result<(), MalformedEntry> {
    match entry {
        Entry::Body(entry) if limits::MAX_JOURNALLED_BODY_BYTES < entry.body.len() => {
            Err(MalformedEntry::BodyTooLarge { bytes: entry.body.len(), max: limits::MAX_JOURNALLED_BODY_BYTES })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use primitives::{CommitSignature, Domain, SecretKey, VoteKind};

    const DOMAIN: Domain = Domain { chain_id: 1, genesis_hash: B256::ZERO };

    fn entries() -> Vec<Entry> {
        let key = SecretKey::from_bytes([1; 32]).unwrap();
        let (height, round, value, validator) = (Height(u64::MAX), Round(u32::MAX), B256::repeat_byte(7), key.address());
        let vote = Vote { kind: VoteKind::Precommit, height, round, value: None, validator };
        let proposal = Proposal { height, round, value, pol_round: Some(Round(0)), proposer: validator };
        let signature = key.sign(value);
        vec![
            Entry::Vote(Signed::new(vote, &key, &DOMAIN)),
            Entry::Proposal(Signed::new(proposal, &key, &DOMAIN)),
            Entry::Polka(PolkaCertificate { height, round, value, signatures: vec![CommitSignature { validator, signature }] }),
            Entry::Timeout(TimeoutEntry { height, round, step: Step::Prevote }),
            Entry::Judged(JudgedEntry { height, round, pol_round: None, proposer: validator, value, is_valid: true }),
            Entry::Body(BodyEntry { height, round, value, body: vec![1; 1000].into() }),
        ]
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        for entry in entries() {
            let bytes = entry.encode().unwrap();
            assert_eq!(Entry::decode(&bytes), Ok(entry.clone()), "{}", entry.name());
            assert_eq!(entry.height(), Height(u64::MAX));
        }
    }

    #[test]
    fn one_byte_more_or_less_is_refused() {
        for entry in entries() {
            let bytes = entry.encode().unwrap();
            assert!(Entry::decode(&bytes[..bytes.len() - 1]).is_err());
            assert!(Entry::decode(&[&bytes[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn a_body_too_large_for_the_journal_is_refused() {
        let body = vec![0; limits::MAX_JOURNALLED_BODY_BYTES + 1].into();
        let entry = Entry::Body(BodyEntry { height: Height(1), round: Round(0), value: B256::ZERO, body });
        assert!(matches!(entry.encode(), Err(MalformedEntry::BodyTooLarge { .. })));
    }
}
