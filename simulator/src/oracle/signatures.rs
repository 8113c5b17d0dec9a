//! What validators sign, written down a second time, and checked with secp256k1 directly.
//!
//! This shares nothing with the code under test but the hash function: a mistake there must not hide itself here.

use std::collections::HashSet;

use primitives::{Address, B256, Proposal, PublicKey, Signature, Vote, VoteKind, keccak256};
use secp256k1::{Message, SECP256K1, ecdsa};

/// Checks signatures of one chain and remembers which held.
pub struct Signatures {
    chain_id: u64,
    genesis: B256,
    held: HashSet<(B256, Signature)>,
}

impl Signatures {
    pub fn new(chain_id: u64, genesis: B256) -> Self {
        Self { chain_id, genesis, held: HashSet::new() }
    }

    pub fn holds_vote(&mut self, vote: &Vote, signature: &Signature, key: &PublicKey) -> bool {
        let digest = vote_digest(self.chain_id, self.genesis, vote);
        self.holds(digest, signature, key)
    }

    pub fn holds_proposal(&mut self, proposal: &Proposal, signature: &Signature, key: &PublicKey) -> bool {
        let digest = proposal_digest(self.chain_id, self.genesis, proposal);
        self.holds(digest, signature, key)
    }

    fn holds(&mut self, digest: B256, signature: &Signature, key: &PublicKey) -> bool {
        if self.held.contains(&(digest, *signature)) {
            return true;
        }
        let holds = verify(digest, signature, key);
        if holds {
            self.held.insert((digest, *signature));
        }
        holds
    }
}

fn verify(digest: B256, signature: &Signature, key: &PublicKey) -> bool {
    let Ok(signature) = ecdsa::Signature::from_compact(&signature.to_bytes()) else { return false };
    let Ok(key) = secp256k1::PublicKey::from_slice(&key.to_bytes()) else { return false };
    SECP256K1.verify_ecdsa(Message::from_digest(digest.0), &signature, &key).is_ok()
}

/// tag, 0, chain id 8, genesis 32, kind 1, height 8, round 4, 0 or 1 and hash 32, validator 20; keccak.
fn vote_digest(chain_id: u64, genesis: B256, vote: &Vote) -> B256 {
    let kind = if vote.kind == VoteKind::Prevote { 1u8 } else { 2 };
    let value = vote.value.map_or(vec![0], |hash| [&[1], &hash[..]].concat());
    let mut bytes = start(b"axolotl/vote/v1\0", chain_id, genesis);
    bytes.push(kind);
    bytes.extend(vote.height.0.to_be_bytes());
    bytes.extend(vote.round.0.to_be_bytes());
    bytes.extend(value);
    bytes.extend(address(vote.validator));
    keccak256(bytes)
}

/// tag, 0, chain id 8, genesis 32, height 8, round 4, 0 or 1 and polka round 4, hash 32, proposer 20; keccak.
fn proposal_digest(chain_id: u64, genesis: B256, proposal: &Proposal) -> B256 {
    let mut bytes = start(b"axolotl/proposal/v1\0", chain_id, genesis);
    bytes.extend(proposal.height.0.to_be_bytes());
    bytes.extend(proposal.round.0.to_be_bytes());
    match proposal.pol_round {
        None => bytes.push(0),
        Some(round) => {
            bytes.push(1);
            bytes.extend(round.0.to_be_bytes());
        }
    }
    bytes.extend(&proposal.value[..]);
    bytes.extend(address(proposal.proposer));
    keccak256(bytes)
}

fn start(tag: &[u8], chain_id: u64, genesis: B256) -> Vec<u8> {
    [tag, &chain_id.to_be_bytes(), &genesis[..]].concat()
}

fn address(address: Address) -> [u8; 20] {
    address.into_array()
}
