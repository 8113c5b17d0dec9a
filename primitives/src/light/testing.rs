//! A network by hand: keys, headers, metadata and certificates as validators would make them.
#![allow(clippy::unwrap_used)]

use super::{Bundle, Trust};
use crate::{B256, Certificate, CommitSignature, Domain, Genesis, Header, Height, Metadata, Round, SecretKey, Signed, Validator, ValidatorSet};

/// The validators of the genesis.
pub const FIRST: &[u8] = &[1, 2, 3, 4];

pub fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes([byte; 32]).unwrap()
}

/// Validators of power 1, by their keys.
pub fn set(keys: &[u8]) -> ValidatorSet {
    let validator = |byte: &u8| Validator { address: key(*byte).address(), public_key: key(*byte).public_key(), power: 1 };
    ValidatorSet::new(keys.iter().map(validator).collect()).unwrap()
}

pub fn trust() -> Trust {
    Trust::genesis(&Genesis::development(1337, set(FIRST)))
}

pub fn domain() -> Domain {
    trust().domain
}

/// The block of each height from 1 on; `sets[i]` decides height `i + 1`, and the last set goes on after it.
pub fn chain(sets: &[&[u8]]) -> Vec<Bundle> {
    let mut bundles: Vec<Bundle> = Vec::new();
    for (index, keys) in sets.iter().enumerate() {
        let next = sets.get(index + 1).unwrap_or(keys);
        bundles.push(block(bundles.last(), keys, next));
    }
    bundles
}

/// The block after `parent` (or the genesis), decided by all of `keys`; `next` decides the one after it.
pub fn block(parent: Option<&Bundle>, keys: &[u8], next: &[u8]) -> Bundle {
    let (validators, next) = (set(keys), set(next));
    let metadata = Metadata {
        parent_certificate: parent.map(|parent| parent.certificate.clone()),
        validators_hash: validators.hash(),
        next_validators_hash: next.hash(),
    };
    let header = Header {
        number: parent.map_or(1, |parent| parent.header.number + 1),
        parent_hash: parent.map_or(trust().block, |parent| parent.header.hash_slow()),
        parent_beacon_block_root: Some(metadata.hash()),
        mix_hash: metadata.mix_hash(),
        base_fee_per_gas: Some(7),
        withdrawals_root: Some(B256::ZERO),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        ..Header::default()
    };
    let certificate = certify(&header, keys, &domain());
    let next_validators = (next != validators).then_some(next);
    Bundle { header, metadata, certificate, validators: Some(validators), next_validators }
}

/// Precommits for `header` by `keys`.
pub fn certify(header: &Header, keys: &[u8], domain: &Domain) -> Certificate {
    let mut certificate = Certificate { height: Height(header.number), round: Round(1), value: header.hash_slow(), signatures: vec![] };
    for byte in keys {
        let validator = key(*byte).address();
        let signature = Signed::new(certificate.vote_of(validator), &key(*byte), domain).signature;
        certificate.signatures.push(CommitSignature { validator, signature });
    }
    certificate.canonical()
}
