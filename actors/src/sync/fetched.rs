//! Decided blocks on their way in: put together from chunks, then checked.

use std::collections::HashMap;

use primitives::{Body, Certificate, Domain, Height, NodeId, ValidatorSet, block_hash, limits};
use wire::{Assembly, BlockChunk, ChunkError, DecidedBlock};

/// What a certificate may add to a body, in bytes.
const MAX_CERTIFICATE_BYTES: usize = 200 * limits::MAX_VALIDATORS;

/// A decided block whose certificate holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub certificate: Certificate,
    pub body: Body,
}

/// Streams of blocks, each from one peer.
#[derive(Debug, Default)]
pub struct Incoming(HashMap<(NodeId, Height), Assembly>);

impl Incoming {
    /// Takes a chunk; the block when it was the last one.
    pub fn chunk(&mut self, peer: NodeId, chunk: BlockChunk) -> Result<Option<DecidedBlock>, String> {
        let key = (peer, chunk.height);
        let fresh = || Assembly::new(chunk.outline, limits::MAX_BODY_BYTES + MAX_CERTIFICATE_BYTES).map_err(|error| error.to_string());
        let assembly = match self.0.entry(key) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => entry.insert(fresh()?),
        };
        if *assembly.outline() != chunk.outline {
            return Err("the outline of a block changed amid its stream".into());
        }
        match assembly.insert(chunk.index, chunk.bytes) {
            Ok(true) => {}
            // Asked for again while the first answer was still on its way.
            Ok(false) | Err(ChunkError::Duplicate { .. }) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        }
        let whole = self.0.remove(&key).and_then(|assembly| assembly.finish().transpose()).transpose().map_err(|error| error.to_string())?;
        whole.map(|bytes| DecidedBlock::decode(&bytes).map_err(|error| error.to_string())).transpose()
    }

    /// Forgets what is at or below `tip`.
    pub fn committed(&mut self, tip: Height) {
        self.0.retain(|(_, height), _| tip < *height);
    }

    pub fn left(&mut self, peer: &NodeId) {
        self.0.retain(|(sender, _), _| sender != peer);
    }
}

/// Whether `block` is the decided block of `height`.
pub fn check(block: &DecidedBlock, height: Height, set: &ValidatorSet, domain: &Domain) -> Result<Fetched, String> {
    let certificate = block.certificate.clone();
    if certificate.height != height {
        return Err(format!("a certificate of height {} came for height {height}", certificate.height));
    }
    certificate.verify(set, domain).map_err(|error| error.to_string())?;
    let body = Body::decode(&block.body).map_err(|error| error.to_string())?;
    let (opened, _) = body.open().map_err(|error| error.to_string())?;
    let hash = block_hash(&opened);
    if hash != certificate.value {
        return Err(format!("block {hash} came with the certificate of {}", certificate.value));
    }
    Ok(Fetched { certificate, body })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use primitives::{B256, Block, CommitSignature, Header, Metadata, Round, SecretKey, Signed, Validator};
    use wire::{Outline, chunks};

    use super::*;

    const DOMAIN: Domain = Domain { chain_id: 1, genesis_hash: B256::ZERO };
    const PEER: NodeId = NodeId(primitives::Address::ZERO);

    fn keys() -> Vec<SecretKey> {
        (1..=4).map(|byte| SecretKey::from_bytes([byte; 32]).unwrap()).collect()
    }

    fn set() -> ValidatorSet {
        let validator = |key: &SecretKey| Validator { address: key.address(), public_key: key.public_key(), power: 1 };
        ValidatorSet::new(keys().iter().map(validator).collect()).unwrap()
    }

    fn decided(signers: usize, extra: usize) -> DecidedBlock {
        let header = Header { extra_data: vec![7; extra].into(), ..Header::default() };
        let block = Block { header, ..Block::default() };
        let metadata = Metadata { parent_certificate: None, validators_hash: B256::ZERO, next_validators_hash: B256::ZERO };
        let mut certificate = Certificate { height: Height(3), round: Round(0), value: block_hash(&block), signatures: vec![] };
        for key in &keys()[..signers] {
            let signature = Signed::new(certificate.vote_of(key.address()), key, &DOMAIN).signature;
            certificate.signatures.push(CommitSignature { validator: key.address(), signature });
        }
        DecidedBlock { body: Body::new(&block, &metadata).encode(), certificate: certificate.canonical() }
    }

    fn through_chunks(block: &DecidedBlock) -> Result<Option<DecidedBlock>, String> {
        let (mut incoming, bytes) = (Incoming::default(), block.encode());
        let outline = Outline::of(&bytes);
        let chunks = chunks::cut(&bytes).map(|(index, bytes)| BlockChunk { height: Height(3), outline, index, bytes });
        chunks.map(|chunk| incoming.chunk(PEER, chunk)).last().unwrap()
    }

    #[test]
    fn a_block_survives_its_chunks() {
        let block = decided(3, 2 * limits::MAX_CHUNK_BYTES);
        assert_eq!(through_chunks(&block), Ok(Some(block)));
    }

    #[test]
    fn a_block_needs_a_certificate_of_its_own() {
        assert!(check(&decided(3, 1), Height(3), &set(), &DOMAIN).is_ok());
        assert!(check(&decided(2, 1), Height(3), &set(), &DOMAIN).unwrap_err().contains("needed"));
        assert!(check(&decided(3, 1), Height(4), &set(), &DOMAIN).unwrap_err().contains("height"));
        let swapped = DecidedBlock { body: decided(3, 2).body, ..decided(3, 1) };
        assert!(check(&swapped, Height(3), &set(), &DOMAIN).unwrap_err().contains("came with"));
    }

    #[test]
    fn a_chunk_that_comes_twice_does_no_harm() {
        let block = decided(3, 2 * limits::MAX_CHUNK_BYTES);
        let (mut incoming, bytes) = (Incoming::default(), block.encode());
        let outline = Outline::of(&bytes);
        let chunks: Vec<_> = chunks::cut(&bytes).map(|(index, bytes)| BlockChunk { height: Height(3), outline, index, bytes }).collect();
        let first = chunks[0].clone();
        let outcomes: Vec<_> = [first].into_iter().chain(chunks).map(|chunk| incoming.chunk(PEER, chunk)).collect();
        assert_eq!(outcomes.last(), Some(&Ok(Some(block))));
    }

    #[test]
    fn a_stream_that_changes_its_mind_is_refused() {
        let bytes = decided(3, 2 * limits::MAX_CHUNK_BYTES).encode();
        let mut incoming = Incoming::default();
        let mut outline = Outline::of(&bytes);
        for (index, bytes) in chunks::cut(&bytes).take(2) {
            let outcome = incoming.chunk(PEER, BlockChunk { height: Height(3), outline, index, bytes });
            assert_eq!(outcome.is_err(), index == 1);
            outline.hash = B256::ZERO;
        }
    }
}
