//! What was verified at the current height: the source of every answer to a peer that missed something.

use std::collections::BTreeMap;

use primitives::{
    Address, B256, ConsensusMessage, Height, PolkaCertificate, Proposal, Round, RoundCertificate, Signed, ValidatorSet, Vote, VoteKind,
};

use crate::Entry;

/// Rounds remembered, newest first. With capped timeouts these are hours.
const MAX_ROUNDS: usize = 256;
/// Contradicting proposals of one round that are remembered; the core admits no more either.
const MAX_PROPOSALS_PER_ROUND: usize = 4;

#[derive(Debug)]
pub(super) struct HeightLog {
    height: Height,
    rounds: BTreeMap<Round, RoundLog>,
    /// The newest reason to be in a round.
    entered: Option<RoundCertificate>,
}

#[derive(Debug, Default)]
struct RoundLog {
    proposals: Vec<Signed<Proposal>>,
    votes: BTreeMap<(VoteKind, Address), Signed<Vote>>,
    polka: Option<PolkaCertificate>,
}

impl HeightLog {
    pub fn new(height: Height) -> Self {
        Self { height, rounds: BTreeMap::new(), entered: None }
    }

    /// Remembers what the core verified.
    pub fn record(&mut self, entry: &Entry) {
        if entry.height() != self.height {
            return;
        }
        match entry {
            Entry::Proposal(signed) => {
                let proposals = &mut self.round(signed.message.round).proposals;
                if !proposals.contains(signed) && proposals.len() < MAX_PROPOSALS_PER_ROUND {
                    proposals.push(signed.clone());
                }
            }
            Entry::Vote(signed) => {
                let key = (signed.message.kind, signed.message.validator);
                self.round(signed.message.round).votes.entry(key).or_insert_with(|| signed.clone());
            }
            Entry::Polka(polka) => self.round(polka.round).polka = Some(polka.clone()),
            Entry::Timeout(_) | Entry::Judged(_) | Entry::Body(_) => return,
        }
        while MAX_ROUNDS < self.rounds.len() {
            self.rounds.pop_first();
        }
    }

    /// Remembers why a round may be entered.
    pub fn record_entered(&mut self, certificate: &RoundCertificate) {
        let is_newer = self.entered.as_ref().is_none_or(|known| known.round <= certificate.round);
        if certificate.height == self.height && is_newer {
            self.entered = Some(certificate.clone());
        }
    }

    fn round(&mut self, round: Round) -> &mut RoundLog {
        self.rounds.entry(round).or_default()
    }

    /// Everything of use to a peer at this height, oldest round first, certificates before what rests on them.
    pub fn messages(&self) -> Vec<ConsensusMessage> {
        let entered = self.entered.iter().cloned().map(ConsensusMessage::Round);
        entered.chain(self.rounds.values().flat_map(RoundLog::messages)).collect()
    }

    /// The proposals of one round with the polkas they rest on.
    pub fn proposals(&self, round: Round) -> Vec<ConsensusMessage> {
        let Some(log) = self.rounds.get(&round) else { return Vec::new() };
        let polkas = log.proposals.iter().filter_map(|signed| self.rounds.get(&signed.message.pol_round?)?.polka.clone());
        let polkas: Vec<_> = polkas.map(ConsensusMessage::Polka).collect();
        polkas.into_iter().chain(log.proposals.iter().cloned().map(ConsensusMessage::Proposal)).collect()
    }

    /// Whether a verified proposal of round `last` or an earlier one names this block.
    pub fn is_proposed(&self, value: B256, last: Round) -> bool {
        let near = self.rounds.range(..=last).flat_map(|(_, log)| &log.proposals);
        near.into_iter().any(|signed| signed.message.value == value)
    }

    /// What `validator` voted.
    pub fn votes_of(&self, validator: Address) -> Vec<Signed<Vote>> {
        let all = self.rounds.values().flat_map(|log| log.votes.values());
        all.filter(|signed| signed.message.validator == validator).cloned().collect()
    }

    /// What `validator` proposed.
    pub fn proposals_of(&self, validator: Address) -> Vec<Signed<Proposal>> {
        let all = self.rounds.values().flat_map(|log| &log.proposals);
        all.filter(|signed| signed.message.proposer == validator).cloned().collect()
    }

    /// Whether exactly this vote is here; true for rounds so old that they were forgotten.
    pub fn knows_vote(&self, vote: &Vote) -> bool {
        self.is_forgotten(vote.round)
            || self.rounds.get(&vote.round).and_then(|log| log.votes.get(&(vote.kind, vote.validator))).is_some_and(|known| known.message == *vote)
    }

    /// Whether exactly this proposal is here; true for rounds so old that they were forgotten.
    pub fn knows_proposal(&self, proposal: &Proposal) -> bool {
        self.is_forgotten(proposal.round)
            || self.rounds.get(&proposal.round).is_some_and(|log| log.proposals.iter().any(|known| known.message == *proposal))
    }

    fn is_forgotten(&self, round: Round) -> bool {
        MAX_ROUNDS <= self.rounds.len() && self.rounds.first_key_value().is_some_and(|(oldest, _)| round < *oldest)
    }

    /// The highest round of which anything is known.
    pub fn highest_round(&self) -> Round {
        self.rounds.last_key_value().map(|(round, _)| *round).unwrap_or_default()
    }

    /// Whether more than 2/3 of the power precommitted `value` in some round.
    pub fn is_certified(&self, value: B256, set: &ValidatorSet) -> bool {
        self.rounds.values().any(|log| set.quorum() <= log.precommitted(Some(value), set))
    }

    /// Whether more than 2/3 of the power precommitted nil, so that nothing can be decided in `round` any more.
    pub fn is_lost(&self, round: Round, set: &ValidatorSet) -> bool {
        self.rounds.get(&round).is_some_and(|log| set.quorum() <= log.precommitted(None, set))
    }
}

impl RoundLog {
    /// Power of those who precommitted exactly this.
    fn precommitted(&self, value: Option<B256>, set: &ValidatorSet) -> u64 {
        let precommits = self.votes.values().filter(|signed| signed.message.kind == VoteKind::Precommit && signed.message.value == value);
        precommits.map(|signed| set.power_of(&signed.message.validator)).sum()
    }

    fn messages(&self) -> impl Iterator<Item = ConsensusMessage> {
        let polka = self.polka.iter().cloned().map(ConsensusMessage::Polka);
        let proposals = self.proposals.iter().cloned().map(ConsensusMessage::Proposal);
        polka.chain(proposals).chain(self.votes.values().cloned().map(ConsensusMessage::Vote))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use primitives::{Domain, SecretKey, Validator};

    const DOMAIN: Domain = Domain { chain_id: 1, genesis_hash: B256::ZERO };

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_bytes([byte; 32]).unwrap()
    }

    fn vote(byte: u8, kind: VoteKind, round: u32, value: Option<B256>) -> Entry {
        let vote = Vote { kind, height: Height(1), round: Round(round), value, validator: key(byte).address() };
        Entry::Vote(Signed::new(vote, &key(byte), &DOMAIN))
    }

    #[test]
    fn a_value_is_certified_by_precommits_of_one_round() {
        let validator = |byte| Validator { address: key(byte).address(), public_key: key(byte).public_key(), power: 1 };
        let set = ValidatorSet::new((1..=4).map(validator).collect()).unwrap();
        let (mut log, value) = (HeightLog::new(Height(1)), B256::repeat_byte(7));
        for (byte, round, kind) in [(1, 0, VoteKind::Precommit), (2, 0, VoteKind::Precommit), (3, 1, VoteKind::Precommit), (4, 0, VoteKind::Prevote)]
        {
            log.record(&vote(byte, kind, round, Some(value)));
        }
        assert!(!log.is_certified(value, &set));
        log.record(&vote(4, VoteKind::Precommit, 0, Some(value)));
        assert!(log.is_certified(value, &set) && !log.is_certified(B256::ZERO, &set));
    }

    #[test]
    fn only_the_newest_rounds_are_remembered() {
        let mut log = HeightLog::new(Height(1));
        (0..1_000).for_each(|round| log.record(&vote(1, VoteKind::Prevote, round, None)));
        assert_eq!(log.messages().len(), MAX_ROUNDS);
        let Entry::Vote(old) = vote(1, VoteKind::Prevote, 3, Some(B256::ZERO)) else { unreachable!() };
        assert!(log.knows_vote(&old.message), "nobody is accused of what was forgotten");
    }
}
