//! Blocks as Ethereum knows them, with the consensus metadata that travels beside them.

use alloy_consensus::{EthereumTxEnvelope, TxEip4844, transaction::Recovered};
use alloy_primitives::{B256, Bytes};
use alloy_rlp::{Decodable, Encodable};

use crate::{Metadata, limits};

/// An Ethereum header.
pub type Header = alloy_consensus::Header;
/// A signed transaction as it stands in a block; blob transactions without their sidecars.
pub type Transaction = EthereumTxEnvelope<TxEip4844>;
/// A transaction with its sender, recovered once on admission.
pub type RecoveredTransaction = Recovered<Transaction>;
/// An Ethereum block.
pub type Block = alloy_consensus::Block<Transaction>;

/// Hash of a block: keccak of its header's RLP; the value that votes sign.
pub fn block_hash(block: &Block) -> B256 {
    block.header.hash_slow()
}

/// A proposed or decided block as bytes: its RLP and the RLP of its metadata. What is streamed, journalled and stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// RLP of the Ethereum block.
    pub block: Bytes,
    /// RLP of the consensus metadata.
    pub metadata: Bytes,
}

/// Bytes that hold no block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedBody {
    #[error("the body has {bytes} bytes; at most {max} are possible")]
    TooLarge { bytes: usize, max: usize },
    #[error("the body is not [block, metadata] in canonical RLP: {0}")]
    Envelope(String),
    #[error("the block is not canonical RLP: {0}")]
    Block(String),
    #[error(transparent)]
    Metadata(#[from] crate::MalformedMetadata),
}

impl Body {
    pub fn new(block: &Block, metadata: &Metadata) -> Self {
        let mut bytes = Vec::new();
        block.encode(&mut bytes);
        Self { block: bytes.into(), metadata: metadata.encode().into() }
    }

    /// The RLP list of the two, for streams, journals and stores.
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(self.block.len() + self.metadata.len() + 12);
        vec![self.block.clone(), self.metadata.clone()].encode(&mut bytes);
        bytes.into()
    }

    /// Reads what [`Body::encode`] wrote; says nothing yet about the block inside.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, MalformedBody> {
        if limits::MAX_BODY_BYTES < bytes.len() {
            return Err(MalformedBody::TooLarge { bytes: bytes.len(), max: limits::MAX_BODY_BYTES });
        }
        let parts: Vec<Bytes> = Vec::decode(&mut bytes).map_err(|error| MalformedBody::Envelope(error.to_string()))?;
        let [block, metadata] = <[Bytes; 2]>::try_from(parts).map_err(|_| MalformedBody::Envelope("not two items".into()))?;
        if !bytes.is_empty() {
            return Err(MalformedBody::Envelope("bytes after the list".into()));
        }
        Ok(Self { block, metadata })
    }

    /// The block and metadata inside, each canonical. Their rules are not checked here.
    pub fn open(&self) -> Result<(Block, Metadata), MalformedBody> {
        let mut rest = &self.block[..];
        let block = Block::decode(&mut rest).map_err(|error| MalformedBody::Block(error.to_string()))?;
        if !rest.is_empty() {
            return Err(MalformedBody::Block("bytes after the block".into()));
        }
        Ok((block, Metadata::decode(&self.metadata)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn body() -> Body {
        let metadata = Metadata { parent_certificate: None, validators_hash: B256::ZERO, next_validators_hash: B256::ZERO };
        Body::new(&Block::default(), &metadata)
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        let decoded = Body::decode(&body().encode()).unwrap();
        assert_eq!(decoded, body());
        assert_eq!(decoded.open().unwrap().0, Block::default());
    }

    #[test]
    fn rubbish_is_refused_with_its_place() {
        assert!(matches!(Body::decode(b"rubbish"), Err(MalformedBody::Envelope(_))));
        let no_block = Body { block: Bytes::from_static(b"x"), ..body() };
        assert!(matches!(no_block.open(), Err(MalformedBody::Block(_))));
        let trailing = Body { block: [&body().block[..], &[1]].concat().into(), ..body() };
        assert!(matches!(trailing.open(), Err(MalformedBody::Block(_))));
    }
}
