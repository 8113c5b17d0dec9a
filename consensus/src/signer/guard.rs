//! The last look at what leaves: nothing of ours may contradict what left before.
//!
//! The guard knows what this key said at one height. It refuses a message of ours, or a certificate that carries a signature
//! of ours, which says something else for the same round and step. It is never stricter than the journal: what replay legally
//! derives again is the same and passes. What it learns is journalled in the group that must be durable before the message
//! leaves, so a new incarnation knows it, too.

use std::collections::BTreeMap;

use primitives::{Address, B256, CommitSignature, ConsensusMessage, Height, Proposal, Round, Vote, VoteKind};
use serde::{Deserialize, Serialize};

/// One thing that our key says at a height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    Vote { kind: VoteKind, round: Round, value: Option<B256> },
    Proposal { round: Round, value: B256, pol_round: Option<Round> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Proposal,
    Vote(VoteKind),
}

/// Why a message does not leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this key said {before:?} at height {height}, and this would be {now:?}")]
    Contradiction { height: Height, before: Said, now: Said },
    #[error("the message is of height {of}, the journal of height {height}")]
    WrongHeight { of: Height, height: Height },
    #[error("nothing is signed at height {height}")]
    Mute { height: Height },
}

/// What our key said at one height.
#[derive(Debug)]
pub struct Guard {
    key: Address,
    height: Height,
    said: BTreeMap<(Round, Slot), Said>,
    /// Not durable yet.
    unflushed: Vec<(Round, Slot)>,
}

impl Said {
    fn slot(&self) -> (Round, Slot) {
        match self {
            Self::Vote { kind, round, .. } => (*round, Slot::Vote(*kind)),
            Self::Proposal { round, .. } => (*round, Slot::Proposal),
        }
    }
}

impl From<&Vote> for Said {
    fn from(vote: &Vote) -> Self {
        Self::Vote { kind: vote.kind, round: vote.round, value: vote.value }
    }
}

impl From<&Proposal> for Said {
    fn from(proposal: &Proposal) -> Self {
        Self::Proposal { round: proposal.round, value: proposal.value, pol_round: proposal.pol_round }
    }
}

/// What `message` says in the name of `key`.
pub fn said_by(key: Address, message: &ConsensusMessage) -> Vec<Said> {
    let is_among = |signatures: &[CommitSignature]| signatures.iter().any(|signature| signature.validator == key);
    match message {
        ConsensusMessage::Vote(signed) if signed.message.validator == key => vec![(&signed.message).into()],
        ConsensusMessage::Proposal(signed) if signed.message.proposer == key => vec![(&signed.message).into()],
        ConsensusMessage::Polka(polka) if is_among(&polka.signatures) => {
            vec![Said::Vote { kind: VoteKind::Prevote, round: polka.round, value: Some(polka.value) }]
        }
        ConsensusMessage::Round(certificate) => {
            let ours = certificate.votes.iter().filter(|vote| vote.validator == key);
            ours.map(|vote| Said::Vote { kind: vote.kind, round: certificate.round, value: vote.value }).collect()
        }
        _ => Vec::new(),
    }
}

impl Guard {
    /// A guard that knows what the journal of `height` says was said.
    pub fn new(key: Address, height: Height, said: impl IntoIterator<Item = Said>) -> Self {
        let said = said.into_iter().map(|said| (said.slot(), said)).collect();
        Self { key, height, said, unflushed: Vec::new() }
    }

    pub fn height(&self) -> Height {
        self.height
    }

    /// Agrees to `message` and returns what it says that was not said before, to be journalled; or says why it must not leave.
    pub fn check(&mut self, message: &ConsensusMessage) -> Result<Vec<Said>, Refusal> {
        let said = said_by(self.key, message);
        if !said.is_empty() && message.height() != self.height {
            return Err(Refusal::WrongHeight { of: message.height(), height: self.height });
        }
        if let Some((before, now)) = said.iter().find_map(|now| Some((self.said.get(&now.slot()).filter(|before| *before != now)?, now))) {
            return Err(Refusal::Contradiction { height: self.height, before: before.clone(), now: now.clone() });
        }
        let news: Vec<Said> = said.into_iter().filter(|said| !self.said.contains_key(&said.slot())).collect();
        for said in &news {
            self.unflushed.push(said.slot());
            self.said.insert(said.slot(), said.clone());
        }
        Ok(news)
    }

    /// Whether exactly this was said.
    pub fn knows(&self, said: &Said) -> bool {
        self.said.get(&said.slot()) == Some(said)
    }

    /// What was agreed to so far is durable.
    pub fn flushed(&mut self) {
        self.unflushed.clear();
    }

    /// What was agreed to and never became durable has not left: it counts for nothing.
    pub fn forget_unflushed(&mut self) {
        for slot in self.unflushed.drain(..) {
            self.said.remove(&slot);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use primitives::{PolkaCertificate, RoundCertificate, RoundCertificateKind, RoundVote, SecretKey, Signature, Signed};

    const HEIGHT: Height = Height(4);
    const US: Address = Address::repeat_byte(1);
    const A: Option<B256> = Some(B256::repeat_byte(0xa));
    const B: Option<B256> = Some(B256::repeat_byte(0xb));

    fn signature() -> Signature {
        SecretKey::from_bytes([1; 32]).unwrap().sign(B256::ZERO)
    }

    fn vote(validator: Address, round: u32, value: Option<B256>) -> ConsensusMessage {
        let message = Vote { kind: VoteKind::Prevote, height: HEIGHT, round: Round(round), value, validator };
        ConsensusMessage::Vote(Signed { message, signature: signature() })
    }

    fn proposal(round: u32, value: Option<B256>, pol_round: Option<Round>) -> ConsensusMessage {
        let message = Proposal { height: HEIGHT, round: Round(round), value: value.unwrap(), pol_round, proposer: US };
        ConsensusMessage::Proposal(Signed { message, signature: signature() })
    }

    fn polka(round: u32, value: Option<B256>) -> ConsensusMessage {
        let signatures = vec![CommitSignature { validator: US, signature: signature() }];
        ConsensusMessage::Polka(PolkaCertificate { height: HEIGHT, round: Round(round), value: value.unwrap(), signatures })
    }

    fn round_certificate(round: u32, value: Option<B256>) -> ConsensusMessage {
        let votes = vec![RoundVote { kind: VoteKind::Prevote, value, validator: US, signature: signature() }];
        ConsensusMessage::Round(RoundCertificate { height: HEIGHT, round: Round(round), kind: RoundCertificateKind::Skip, votes })
    }

    fn passes(first: &ConsensusMessage, second: &ConsensusMessage) -> bool {
        let mut guard = Guard::new(US, HEIGHT, []);
        guard.check(first).unwrap();
        guard.check(second).is_ok()
    }

    #[test]
    fn the_same_may_be_said_again_and_something_else_may_not() {
        assert!(passes(&vote(US, 0, A), &vote(US, 0, A)));
        assert!(passes(&vote(US, 0, A), &vote(US, 1, B)));
        assert!(!passes(&vote(US, 0, A), &vote(US, 0, B)));
        assert!(!passes(&vote(US, 0, A), &vote(US, 0, None)));
        assert!(!passes(&vote(US, 0, None), &vote(US, 0, A)));
        assert!(!passes(&proposal(1, A, None), &proposal(1, B, None)));
        assert!(!passes(&proposal(1, A, None), &proposal(1, A, Some(Round(0)))));
    }

    #[test]
    fn a_certificate_carries_our_signature_too() {
        assert!(passes(&vote(US, 0, A), &polka(0, A)));
        assert!(!passes(&vote(US, 0, A), &polka(0, B)));
        assert!(!passes(&vote(US, 0, A), &round_certificate(0, None)));
        assert!(!passes(&polka(0, A), &vote(US, 0, None)));
    }

    #[test]
    fn others_may_say_what_they_like() {
        let other = Address::repeat_byte(2);
        assert!(passes(&vote(other, 0, A), &vote(other, 0, B)));
    }

    #[test]
    fn only_what_is_new_needs_the_journal() {
        let mut guard = Guard::new(US, HEIGHT, []);
        assert_eq!(guard.check(&vote(US, 0, A)).unwrap().len(), 1);
        assert!(guard.check(&vote(US, 0, A)).unwrap().is_empty());
    }

    #[test]
    fn what_never_became_durable_counts_for_nothing() {
        let mut guard = Guard::new(US, HEIGHT, []);
        guard.check(&vote(US, 0, A)).unwrap();
        guard.flushed();
        guard.check(&vote(US, 1, A)).unwrap();
        guard.forget_unflushed();
        assert!(guard.check(&vote(US, 1, B)).is_ok());
        assert!(guard.check(&vote(US, 0, B)).is_err());
    }

    #[test]
    fn a_vote_of_ours_for_another_height_does_not_leave() {
        let mut guard = Guard::new(US, Height(5), []);
        assert_eq!(guard.check(&vote(US, 0, A)), Err(Refusal::WrongHeight { of: HEIGHT, height: Height(5) }));
        assert!(guard.check(&vote(Address::ZERO, 0, A)).is_ok());
    }
}
