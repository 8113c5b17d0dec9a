//! A decided block with its proof, as sync sends it.

use primitives::{Bytes, Certificate};
use serde::{Deserialize, Serialize};

use crate::octets;

/// What a stream of block chunks holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidedBlock {
    /// `Body::encode` of the block and its metadata.
    #[serde(with = "octets")]
    pub body: Bytes,
    /// A certificate for it, not checked yet.
    pub certificate: Certificate,
}

/// The bytes hold no decided block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no decided block: {0}")]
pub struct MalformedDecidedBlock(String);

impl DecidedBlock {
    /// The MessagePack form, which is what is cut into chunks.
    pub fn encode(&self) -> Bytes {
        rmp_serde::to_vec(self).expect("values in memory always have a MessagePack form").into()
    }

    /// Reads what [`DecidedBlock::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, MalformedDecidedBlock> {
        rmp_serde::from_slice(bytes).map_err(|error| MalformedDecidedBlock(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use primitives::{B256, Height, Round};

    use super::*;

    #[test]
    fn what_was_encoded_is_decoded_and_rubbish_is_refused() {
        let certificate = Certificate { height: Height(1), round: Round(2), value: B256::ZERO, signatures: vec![] };
        let block = DecidedBlock { body: Bytes::from_static(b"body"), certificate };
        assert_eq!(DecidedBlock::decode(&block.encode()), Ok(block));
        assert!(DecidedBlock::decode(b"rubbish").is_err());
    }
}
