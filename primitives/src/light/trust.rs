//! What a light client believes without proof: a genesis, or a block that it has verified before.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use crate::{Domain, Genesis, Height, ValidatorSet};

/// A block that is believed, and who decides the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    pub domain: Domain,
    pub height: Height,
    /// Hash of the block at `height`.
    pub block: B256,
    /// The set that decides the next height.
    pub validators: ValidatorSet,
}

/// Text that is no checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedCheckpoint {
    #[error("{0}")]
    Json(String),
    #[error("validators_hash is {named}, but the validators listed have {listed}")]
    Validators { named: B256, listed: B256 },
    #[error("at height 0 block_hash must be the genesis_hash {genesis}, not {found}")]
    Genesis { genesis: B256, found: B256 },
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checkpoint {
    chain_id: u64,
    genesis_hash: B256,
    height: Height,
    block_hash: B256,
    /// Hash of the set below, so that a slip of the hand is found.
    validators_hash: B256,
    validators: ValidatorSet,
}

impl Trust {
    /// Trust in a genesis: its block 0 and its validators, who decide height 1.
    pub fn genesis(genesis: &Genesis) -> Self {
        Self { domain: genesis.domain(), height: Height::GENESIS, block: genesis.hash(), validators: genesis.validators.clone() }
    }

    /// Reads what [`Trust::to_json`] wrote.
    pub fn from_json(text: &str) -> Result<Self, MalformedCheckpoint> {
        let file: Checkpoint = serde_json::from_str(text).map_err(|error| MalformedCheckpoint::Json(error.to_string()))?;
        let (named, listed) = (file.validators_hash, file.validators.hash());
        if named != listed {
            return Err(MalformedCheckpoint::Validators { named, listed });
        }
        if file.height == Height::GENESIS && file.block_hash != file.genesis_hash {
            return Err(MalformedCheckpoint::Genesis { genesis: file.genesis_hash, found: file.block_hash });
        }
        let domain = Domain { chain_id: file.chain_id, genesis_hash: file.genesis_hash };
        Ok(Self { domain, height: file.height, block: file.block_hash, validators: file.validators })
    }

    /// The checkpoint file that [`Trust::from_json`] reads back to the same trust.
    pub fn to_json(&self) -> String {
        let file = Checkpoint {
            chain_id: self.domain.chain_id,
            genesis_hash: self.domain.genesis_hash,
            height: self.height,
            block_hash: self.block,
            validators_hash: self.validators.hash(),
            validators: self.validators.clone(),
        };
        serde_json::to_string_pretty(&file).expect("a checkpoint is always JSON") + "\n"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::testing, *};

    #[test]
    fn a_checkpoint_is_read_back_as_it_was_written() {
        let trust = Trust { height: Height(7), block: B256::repeat_byte(7), ..testing::trust() };
        assert_eq!(Trust::from_json(&trust.to_json()), Ok(trust));
    }

    #[test]
    fn a_checkpoint_that_was_edited_by_hand_is_refused_by_what_is_wrong() {
        let text = testing::trust().to_json();
        let refused = |from: &str, to: &str| Trust::from_json(&text.replacen(from, to, 1)).unwrap_err();
        assert!(matches!(refused("\"power\": 1", "\"power\": 2"), MalformedCheckpoint::Validators { .. }));
        assert!(refused("\"power\": 1", "\"power\": 0").to_string().contains("has no power"));
        assert!(matches!(refused("\"block_hash\": \"0x", "\"block_hash\": \"0xff"), MalformedCheckpoint::Json(_)));
        assert!(refused("\"height\"", "\"size\"").to_string().contains("unknown field `size`"));
        let elsewhere = Trust { block: B256::ZERO, ..testing::trust() };
        assert!(matches!(Trust::from_json(&elsewhere.to_json()), Err(MalformedCheckpoint::Genesis { .. })));
    }
}
