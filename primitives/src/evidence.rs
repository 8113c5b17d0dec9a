//! Proof that a validator contradicted itself.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use crate::{Domain, Height, Proposal, Round, Signable, Signed, ValidatorSet, Vote, VoteKind};

/// Two signed messages of one validator that cannot both be honest. Holding one says nothing about its validity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    Votes(Signed<Vote>, Signed<Vote>),
    Proposals(Signed<Proposal>, Signed<Proposal>),
}

/// What an honest validator signs once at most: the proposal of a round, or its vote in one step of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Offence {
    pub validator: Address,
    pub height: Height,
    pub round: Round,
    /// None: the proposal.
    pub vote: Option<VoteKind>,
}

/// Why a piece of evidence proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    #[error("the two messages are not about one step of one round by one validator")]
    Unrelated,
    #[error("the two messages say the same")]
    Same,
    #[error("{validator} is no validator of height {height}")]
    Stranger { validator: Address, height: Height },
    #[error("a signature of {validator} does not hold")]
    BadSignature { validator: Address },
}

impl Evidence {
    /// Who contradicted himself, and where. Several pairs may prove one offence.
    pub fn offence(&self) -> Offence {
        match self {
            Self::Votes(first, _) => offence_of_vote(&first.message),
            Self::Proposals(first, _) => offence_of_proposal(&first.message),
        }
    }

    /// Who contradicted himself.
    pub fn validator(&self) -> Address {
        self.offence().validator
    }

    /// Where.
    pub fn height(&self) -> Height {
        self.offence().height
    }

    /// Whether both messages are of one validator of `set`, about the same step, and different. What a vote says besides the value is
    /// where it was given, so two that are different there are no contradiction.
    pub fn verify(&self, set: &ValidatorSet, domain: &Domain) -> Result<(), EvidenceError> {
        match self {
            Self::Votes(first, second) => pair(first, second, offence_of_vote, set, domain),
            Self::Proposals(first, second) => pair(first, second, offence_of_proposal, set, domain),
        }
    }
}

fn offence_of_vote(vote: &Vote) -> Offence {
    Offence { validator: vote.validator, height: vote.height, round: vote.round, vote: Some(vote.kind) }
}

fn offence_of_proposal(proposal: &Proposal) -> Offence {
    Offence { validator: proposal.proposer, height: proposal.height, round: proposal.round, vote: None }
}

fn pair<T: Signable + PartialEq>(
    first: &Signed<T>,
    second: &Signed<T>,
    offence: fn(&T) -> Offence,
    set: &ValidatorSet,
    domain: &Domain,
) -> Result<(), EvidenceError> {
    let Offence { validator, height, .. } = offence(&first.message);
    if offence(&first.message) != offence(&second.message) {
        return Err(EvidenceError::Unrelated);
    }
    if first.message == second.message {
        return Err(EvidenceError::Same);
    }
    let member = set.get(&validator).ok_or(EvidenceError::Stranger { validator, height })?;
    match [first, second].iter().all(|signed| signed.is_by(&member.public_key, domain)) {
        true => Ok(()),
        false => Err(EvidenceError::BadSignature { validator }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{B256, SecretKey, Validator};

    const DOMAIN: Domain = Domain { chain_id: 1337, genesis_hash: B256::repeat_byte(9) };

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_bytes([byte; 32]).unwrap()
    }

    fn set() -> ValidatorSet {
        let validator = |key: SecretKey| Validator { address: key.address(), public_key: key.public_key(), power: 1 };
        ValidatorSet::new((1..=4).map(|byte| validator(key(byte))).collect()).unwrap()
    }

    fn vote(signer: u8, round: u32, value: Option<u8>) -> Signed<Vote> {
        let (height, round, value) = (Height(3), Round(round), value.map(B256::repeat_byte));
        Signed::new(Vote { kind: VoteKind::Prevote, height, round, value, validator: key(signer).address() }, &key(signer), &DOMAIN)
    }

    fn proposal(signer: u8, value: u8, pol_round: Option<u32>) -> Signed<Proposal> {
        let (value, pol_round) = (B256::repeat_byte(value), pol_round.map(Round));
        Signed::new(Proposal { height: Height(3), round: Round(1), value, pol_round, proposer: key(signer).address() }, &key(signer), &DOMAIN)
    }

    fn check(evidence: Evidence, expected: Result<(), EvidenceError>) {
        assert_eq!(evidence.verify(&set(), &DOMAIN), expected, "{evidence:?}");
    }

    #[test]
    fn two_different_words_on_one_step_are_a_contradiction() {
        check(Evidence::Votes(vote(1, 0, Some(1)), vote(1, 0, None)), Ok(()));
        check(Evidence::Votes(vote(1, 0, Some(1)), vote(1, 0, Some(2))), Ok(()));
        check(Evidence::Proposals(proposal(1, 1, None), proposal(1, 2, None)), Ok(()));
        check(Evidence::Proposals(proposal(1, 1, None), proposal(1, 1, Some(0))), Ok(()));
    }

    #[test]
    fn what_no_validator_signed_proves_nothing() {
        check(Evidence::Votes(vote(1, 0, Some(1)), vote(1, 0, Some(1))), Err(EvidenceError::Same));
        check(Evidence::Votes(vote(1, 0, Some(1)), vote(1, 1, Some(2))), Err(EvidenceError::Unrelated));
        check(Evidence::Votes(vote(1, 0, Some(1)), vote(2, 0, Some(2))), Err(EvidenceError::Unrelated));
        let stranger = key(9).address();
        check(Evidence::Votes(vote(9, 0, Some(1)), vote(9, 0, Some(2))), Err(EvidenceError::Stranger { validator: stranger, height: Height(3) }));
        let forged = Signed { message: vote(1, 0, Some(2)).message, signature: vote(2, 0, Some(2)).signature };
        check(Evidence::Votes(vote(1, 0, Some(1)), forged), Err(EvidenceError::BadSignature { validator: key(1).address() }));
    }

    #[test]
    fn evidence_of_another_chain_proves_nothing() {
        let evidence = Evidence::Votes(vote(1, 0, Some(1)), vote(1, 0, None));
        let other = Domain { chain_id: 1338, ..DOMAIN };
        assert_eq!(evidence.verify(&set(), &other), Err(EvidenceError::BadSignature { validator: key(1).address() }));
    }
}
