//! What validators sign: votes and proposals.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::{Domain, Height, PublicKey, Round, SecretKey, Signature};

/// The two voting steps of Tendermint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoteKind {
    Prevote,
    Precommit,
}

/// A validator's word on one step of one round.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Vote {
    pub kind: VoteKind,
    pub height: Height,
    pub round: Round,
    /// Hash of the block voted for; none is a nil vote.
    pub value: Option<B256>,
    pub validator: Address,
}

/// The proposer's word on what the block of a round is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Proposal {
    pub height: Height,
    pub round: Round,
    /// Hash of the proposed block.
    pub value: B256,
    /// The round whose polka (more than 2/3 of prevotes) this re-proposal rests on; none for a fresh proposal.
    pub pol_round: Option<Round>,
    pub proposer: Address,
}

/// A message with its author's signature over [`Signable::digest`]. Holding one says nothing about its validity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signed<T> {
    pub message: T,
    pub signature: Signature,
}

/// A message with one canonical digest on each chain.
pub trait Signable {
    /// The 32 bytes that are signed: domain tag, chain id, genesis hash and the fields in a fixed order.
    fn digest(&self, domain: &Domain) -> B256;
}

impl Vote {
    pub fn is_nil(&self) -> bool {
        self.value.is_none()
    }
}

impl Signable for Vote {
    fn digest(&self, domain: &Domain) -> B256 {
        let mut content = Vec::with_capacity(1 + 8 + 4 + 33 + 20);
        content.push(match self.kind {
            VoteKind::Prevote => 1,
            VoteKind::Precommit => 2,
        });
        content.extend_from_slice(&self.height.to_be_bytes());
        content.extend_from_slice(&self.round.0.to_be_bytes());
        match &self.value {
            None => content.push(0),
            Some(hash) => {
                content.push(1);
                content.extend_from_slice(hash.as_slice());
            }
        }
        content.extend_from_slice(self.validator.as_slice());
        domain.digest("axolotl/vote/v1", &content)
    }
}

impl Signable for Proposal {
    fn digest(&self, domain: &Domain) -> B256 {
        let mut content = Vec::with_capacity(8 + 4 + 5 + 32 + 20);
        content.extend_from_slice(&self.height.to_be_bytes());
        content.extend_from_slice(&self.round.0.to_be_bytes());
        match self.pol_round {
            None => content.push(0),
            Some(round) => {
                content.push(1);
                content.extend_from_slice(&round.0.to_be_bytes());
            }
        }
        content.extend_from_slice(self.value.as_slice());
        content.extend_from_slice(self.proposer.as_slice());
        domain.digest("axolotl/proposal/v1", &content)
    }
}

impl<T: Signable> Signed<T> {
    /// Signs `message` with `key`. Only tests, tools and the consensus crypto call this; a node publishes through its signer.
    pub fn new(message: T, key: &SecretKey, domain: &Domain) -> Self {
        let signature = key.sign(message.digest(domain));
        Self { message, signature }
    }

    /// Whether `key` made this signature.
    pub fn is_by(&self, key: &PublicKey, domain: &Domain) -> bool {
        key.verify(self.message.digest(domain), &self.signature)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DOMAIN: Domain = Domain { chain_id: 1337, genesis_hash: B256::repeat_byte(9) };

    fn vote() -> Vote {
        Vote { kind: VoteKind::Prevote, height: Height(3), round: Round(1), value: Some(B256::repeat_byte(1)), validator: Address::repeat_byte(2) }
    }

    #[test]
    fn every_field_of_a_vote_is_signed() {
        let variants = [
            vote(),
            Vote { kind: VoteKind::Precommit, ..vote() },
            Vote { height: Height(4), ..vote() },
            Vote { round: Round(2), ..vote() },
            Vote { value: None, ..vote() },
            Vote { value: Some(B256::ZERO), ..vote() },
            Vote { validator: Address::ZERO, ..vote() },
        ];
        let digests: std::collections::BTreeSet<B256> = variants.iter().map(|vote| vote.digest(&DOMAIN)).collect();
        assert_eq!(digests.len(), variants.len());
    }

    #[test]
    fn the_same_vote_on_another_chain_has_another_digest() {
        let other_chain = Domain { chain_id: 1, ..DOMAIN };
        let other_genesis = Domain { genesis_hash: B256::ZERO, ..DOMAIN };
        assert_ne!(vote().digest(&DOMAIN), vote().digest(&other_chain));
        assert_ne!(vote().digest(&DOMAIN), vote().digest(&other_genesis));
    }

    #[test]
    fn a_fresh_proposal_and_one_with_a_polka_in_round_zero_differ() {
        let fresh = Proposal { height: Height(3), round: Round(1), value: B256::ZERO, pol_round: None, proposer: Address::ZERO };
        let again = Proposal { pol_round: Some(Round(0)), ..fresh.clone() };
        assert_ne!(fresh.digest(&DOMAIN), again.digest(&DOMAIN));
    }
}
