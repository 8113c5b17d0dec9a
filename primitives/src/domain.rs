//! What ties a signature to one chain.

use alloy_primitives::{B256, keccak256};

/// The chain a signature is made for. Two networks never share one, so a signature made on one is worthless on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Domain {
    /// The Ethereum chain id (EIP-155).
    pub chain_id: u64,
    /// Hash of the genesis block, which covers the consensus section of the genesis file.
    pub genesis_hash: B256,
}

impl Domain {
    /// keccak of the tag, this chain and `content`. `tag` names the kind of message; no two kinds share one.
    pub fn digest(&self, tag: &str, content: &[u8]) -> B256 {
        let mut bytes = Vec::with_capacity(tag.len() + 1 + 8 + 32 + content.len());
        bytes.extend_from_slice(tag.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&self.chain_id.to_be_bytes());
        bytes.extend_from_slice(self.genesis_hash.as_slice());
        bytes.extend_from_slice(content);
        keccak256(bytes)
    }
}
