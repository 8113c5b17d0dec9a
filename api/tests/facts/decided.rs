//! Four validators, what they decided, and what one of them should not have said.

use alloy_primitives::B256;
use api::{Contradiction, Validators};
use primitives::{
    Certificate, CommitSignature, Domain, Height, Metadata, Proposal, Round, SecretKey, Signed, Validator, ValidatorSet, Vote, VoteKind,
};

const DOMAIN: Domain = Domain { chain_id: crate::node::CHAIN_ID, genesis_hash: B256::ZERO };

pub fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes([number; 32]).unwrap()
}

pub fn set() -> ValidatorSet {
    let validator = |number| Validator { address: key(number).address(), public_key: key(number).public_key(), power: 1 };
    ValidatorSet::new((1..=4).map(validator).collect()).unwrap()
}

/// Three of the four are here; this node is the first.
pub fn validators() -> Validators {
    Validators { set: set(), online: (1..=3).map(|number| key(number).address()).collect(), own: Some(key(1).address()) }
}

pub fn certificate(height: Height, value: B256) -> Certificate {
    let mut certificate = Certificate { height, round: Round(1), value, signatures: vec![] };
    for number in 1..=3 {
        let vote = Signed::new(certificate.vote_of(key(number).address()), &key(number), &DOMAIN);
        certificate.signatures.push(CommitSignature { validator: key(number).address(), signature: vote.signature });
    }
    certificate.canonical()
}

pub fn metadata() -> Metadata {
    Metadata { parent_certificate: None, validators_hash: set().hash(), next_validators_hash: set().hash() }
}

pub fn contradiction(number: usize) -> Contradiction {
    let (height, round, validator) = (Height(number as u64), Round(0), key(4).address());
    let hashes = [B256::repeat_byte(1), B256::repeat_byte(2)];
    if number.is_multiple_of(2) {
        let [first, second] = [None, Some(hashes[0])].map(|value| {
            let vote = Vote { kind: VoteKind::Prevote, height, round, value, validator };
            Signed::new(vote, &key(4), &DOMAIN)
        });
        return Contradiction::Votes { first, second };
    }
    let [first, second] = hashes.map(|value| {
        let proposal = Proposal { height, round, value, pol_round: None, proposer: validator };
        Signed::new(proposal, &key(4), &DOMAIN)
    });
    Contradiction::Proposals { first, second }
}
