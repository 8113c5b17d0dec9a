//! The storage's own rows, by which a damaged database is recognised.
//!
//! ```text
//! every keyspace   \0axolotl:height         number of the commit, height    by every commit, loose ones too
//! Meta             \0tip                    tip, and the tip before its group
//! Meta             \0commit:<sequence>      nothing                         by every commit, which removes the one before
//! Meta             \0hash:<height>          block hash                      so that a repeated height can be recognised
//! ```
//!
//! A keyspace that a commit did not touch is stamped all the same: keyspaces are flushed one by one, so that a lost journal
//! can take the commit from one and leave it in another.
//!
//! The engine orders commits by a number that no checksum protects. A commit that changed its place brings the row of
//! the commit before it back, or its own: exactly one `\0commit:` row is there when all commits are in order.

use primitives::{B256, Height};

use crate::{Keyspace, Tip, keys};

/// The row in every keyspace that holds the stamp of the last commit.
pub(crate) const HEIGHT: &[u8] = b"\0axolotl:height";
/// The row in `Meta` that holds the tip.
pub(crate) const TIP: &[u8] = b"\0tip";
/// What the rows in `Meta` begin with that count commits.
pub(crate) const COMMIT_PREFIX: &[u8] = b"\0commit:";

const HASH_PREFIX: &[u8] = b"\0hash:";

/// The row in `Meta` that holds the hash of the block at `height`.
pub(crate) fn hash_key(height: Height) -> Vec<u8> {
    [HASH_PREFIX, &keys::height(height)].concat()
}

/// The row in `Meta` that the commit number `sequence` leaves.
pub(crate) fn commit_key(sequence: u64) -> Vec<u8> {
    [COMMIT_PREFIX, &sequence.to_be_bytes()].concat()
}

/// Reads what [`commit_key`] wrote.
pub(crate) fn parse_commit_key(key: &[u8]) -> Option<u64> {
    let number = key.strip_prefix(COMMIT_PREFIX)?;
    Some(u64::from_be_bytes(number.try_into().ok()?))
}

/// Whether nobody else may write or see this row.
pub(crate) fn is_ours(keyspace: Keyspace, key: &[u8]) -> bool {
    key == HEIGHT || (keyspace == Keyspace::Meta && key.first() == Some(&0))
}

/// What every commit writes into every keyspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Number of the commit.
    pub commit: u64,
    /// Height of the newest block then; none before the first.
    pub height: Option<Height>,
}

impl Stamp {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.commit.to_be_bytes().to_vec();
        bytes.extend(self.height.iter().flat_map(|height| keys::height(*height)));
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (commit, height) = bytes.split_at_checked(8)?;
        let height = if height.is_empty() { None } else { Some(keys::parse_height(height)?) };
        Some(Self { commit: u64::from_be_bytes(commit.try_into().ok()?), height })
    }
}

/// The tip and the one before the group that moved it there. A crash between the batch and the tip file leaves the file at the latter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TipRecord {
    pub(crate) tip: Tip,
    pub(crate) before: Option<Tip>,
}

impl TipRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = encode_tip(&self.tip).to_vec();
        bytes.extend(self.before.iter().flat_map(encode_tip));
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes.len() {
            TIP_BYTES => Some(Self { tip: decode_tip(bytes)?, before: None }),
            _ => {
                let (tip, before) = bytes.split_at_checked(TIP_BYTES)?;
                Some(Self { tip: decode_tip(tip)?, before: Some(decode_tip(before)?) })
            }
        }
    }
}

/// Length of an encoded tip, in bytes.
pub(crate) const TIP_BYTES: usize = 40;

pub(crate) fn encode_tip(tip: &Tip) -> [u8; TIP_BYTES] {
    let mut bytes = [0; TIP_BYTES];
    bytes[..8].copy_from_slice(&keys::height(tip.height));
    bytes[8..].copy_from_slice(tip.hash.as_slice());
    bytes
}

pub(crate) fn decode_tip(bytes: &[u8]) -> Option<Tip> {
    let (height, hash) = bytes.split_at_checked(8)?;
    Some(Tip { height: keys::parse_height(height)?, hash: B256::try_from(hash).ok()? })
}
