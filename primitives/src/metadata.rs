//! The consensus metadata of a block: what a light client needs besides the header.
//!
//! `parentBeaconBlockRoot` of block h is the hash of this list, which travels and is stored with the block:
//!
//! ```text
//! [ certificate of h-1, or the empty list for block 1 ; hash of the validator set of h ; hash of that of h+1 ]
//! ```

use alloy_primitives::{B256, keccak256};
use alloy_rlp::{Decodable, Encodable, Header};

use crate::{Certificate, certificate::Encoded};

/// What a block says about consensus. One header, its metadata and one certificate are a light-client proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The whole commit certificate of the parent; none in block 1.
    pub parent_certificate: Option<Certificate>,
    /// Hash of the validator set of this height.
    pub validators_hash: B256,
    /// Hash of the validator set of the next height.
    pub next_validators_hash: B256,
}

/// The bytes are not the canonical RLP of any metadata.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the consensus metadata is not canonical RLP: {0}")]
pub struct MalformedMetadata(pub String);

impl Metadata {
    /// keccak of the canonical RLP; the block's `parentBeaconBlockRoot`.
    pub fn hash(&self) -> B256 {
        keccak256(self.encode())
    }

    /// `mixHash` of the block: keccak of the metadata hash.
    pub fn mix_hash(&self) -> B256 {
        keccak256(self.hash())
    }

    /// The canonical RLP.
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        match &self.parent_certificate {
            None => Header { list: true, payload_length: 0 }.encode(&mut payload),
            Some(certificate) => Encoded::from(certificate).encode(&mut payload),
        }
        self.validators_hash.encode(&mut payload);
        self.next_validators_hash.encode(&mut payload);
        let mut bytes = Vec::with_capacity(payload.len() + 4);
        Header { list: true, payload_length: payload.len() }.encode(&mut bytes);
        bytes.extend_from_slice(&payload);
        bytes
    }

    /// Reads what [`Metadata::encode`] wrote; anything but its exact bytes is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, MalformedMetadata> {
        let metadata = decode(bytes).map_err(|error| MalformedMetadata(error.to_string()))?;
        if metadata.encode() != bytes {
            return Err(MalformedMetadata("another encoding of the same values".into()));
        }
        Ok(metadata)
    }
}

fn decode(mut bytes: &[u8]) -> Result<Metadata, alloy_rlp::Error> {
    let mut payload = Header::decode_bytes(&mut bytes, true)?;
    if !bytes.is_empty() {
        return Err(alloy_rlp::Error::Custom("bytes after the list"));
    }
    let is_first = payload.first() == Some(&alloy_rlp::EMPTY_LIST_CODE);
    let parent_certificate = if is_first {
        payload = &payload[1..];
        None
    } else {
        Some(Encoded::decode(&mut payload)?.try_into()?)
    };
    let metadata = Metadata { parent_certificate, validators_hash: B256::decode(&mut payload)?, next_validators_hash: B256::decode(&mut payload)? };
    if !payload.is_empty() {
        return Err(alloy_rlp::Error::Custom("more than three items"));
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{CommitSignature, Height, Round, SecretKey};

    fn metadata(parent_certificate: Option<Certificate>) -> Metadata {
        Metadata { parent_certificate, validators_hash: B256::repeat_byte(1), next_validators_hash: B256::repeat_byte(2) }
    }

    fn certificate() -> Certificate {
        let key = SecretKey::from_bytes([1; 32]).unwrap();
        let signature = key.sign(B256::ZERO);
        Certificate {
            height: Height(7),
            round: Round(1),
            value: B256::repeat_byte(3),
            signatures: vec![CommitSignature { validator: key.address(), signature }],
        }
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        for metadata in [metadata(None), metadata(Some(certificate()))] {
            assert_eq!(Metadata::decode(&metadata.encode()), Ok(metadata));
        }
    }

    #[test]
    fn one_byte_more_or_less_is_refused() {
        let bytes = metadata(Some(certificate())).encode();
        assert!(Metadata::decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(Metadata::decode(&[&bytes[..], &[0]].concat()).is_err());
        assert!(Metadata::decode(&[]).is_err());
    }

    #[test]
    fn a_certificate_changes_the_hash() {
        assert_ne!(metadata(None).hash(), metadata(Some(certificate())).hash());
    }
}
