//! What keys were seen to say, and whether an honest one contradicted itself or forgot a lock.

use std::collections::{BTreeMap, HashMap};

use primitives::{Address, B256, Height, Proposal, Round, Vote, VoteKind};

/// Prevotes or precommits of one height and round, by validator: one for honest ones, in the order of their appearance.
type Tally = HashMap<Address, Vec<Option<B256>>>;

/// Everything that was said.
#[derive(Default)]
pub struct Statements {
    votes: BTreeMap<(Height, VoteKind, Round), Tally>,
    proposals: BTreeMap<(Height, Round, Address), Proposal>,
    bodies: HashMap<(Height, Round, Address), B256>,
}

/// Validators with their power, as the genesis says.
pub struct Powers {
    pub of: HashMap<Address, u64>,
    pub total: u64,
}

impl Powers {
    /// Whether `power` is more than two thirds.
    pub fn is_quorum(&self, power: u64) -> bool {
        power * 3 > self.total * 2
    }

    /// Whether `power` is more than a third.
    pub fn is_third(&self, power: u64) -> bool {
        power * 3 > self.total
    }
}

impl Statements {
    /// Takes note of a vote whose signature holds. What is wrong with it if its author is honest.
    pub fn vote(&mut self, vote: &Vote, powers: &Powers) -> Vec<String> {
        let tally = self.votes.entry((vote.height, vote.kind, vote.round)).or_default();
        let Vote { kind, height, round, value, validator } = vote;
        let said = tally.entry(*validator).or_default();
        if said.contains(value) {
            return Vec::new();
        }
        said.push(*value);
        if let [before, .., now] = said[..] {
            return vec![format!("{validator} said {before:?} and {now:?}: {kind:?} of height {height}, round {round}")];
        }
        let Some(value) = *value else { return Vec::new() };
        match kind {
            VoteKind::Precommit if !self.has_polka(*height, *round, value, powers) => {
                vec![format!("{validator} precommitted {value} without a polka: height {height}, round {round}")]
            }
            VoteKind::Prevote => self.forgotten_lock(vote, value, powers).into_iter().collect(),
            VoteKind::Precommit => Vec::new(),
        }
    }

    /// Takes note of a proposal whose signature holds.
    pub fn proposal(&mut self, proposal: &Proposal) -> Vec<String> {
        let key = (proposal.height, proposal.round, proposal.proposer);
        let before = self.proposals.entry(key).or_insert_with(|| proposal.clone());
        let is_other = before != proposal;
        is_other
            .then(|| format!("{} proposed {} and {} at height {}, round {}", proposal.proposer, before.value, proposal.value, key.0, key.1))
            .into_iter()
            .collect()
    }

    /// Takes note of a body that `proposer` sent as its own proposal.
    pub fn body(&mut self, height: Height, round: Round, proposer: Address, hash: B256) -> Vec<String> {
        let before = *self.bodies.entry((height, round, proposer)).or_insert(hash);
        let is_other = before != hash;
        is_other.then(|| format!("{proposer} sent the bodies {before} and {hash} at height {height}, round {round}")).into_iter().collect()
    }

    fn has_polka(&self, height: Height, round: Round, value: B256, powers: &Powers) -> bool {
        let tally = self.votes.get(&(height, VoteKind::Prevote, round));
        let signed = tally.into_iter().flatten().filter(|(_, prevoted)| prevoted.contains(&Some(value)));
        powers.is_quorum(signed.map(|(validator, _)| powers.of.get(validator).copied().unwrap_or(0)).sum())
    }

    /// Who precommitted a value may prevote another one only after a later polka for that.
    fn forgotten_lock(&self, vote: &Vote, value: B256, powers: &Powers) -> Option<String> {
        let before = self.votes.range((vote.height, VoteKind::Precommit, Round(0))..(vote.height, VoteKind::Precommit, vote.round));
        let (round, locked) = before.rev().find_map(|((_, _, round), tally)| Some((*round, (*tally.get(&vote.validator)?.first()?)?)))?;
        let is_excused = (round.0..vote.round.0).any(|round| self.has_polka(vote.height, Round(round), value, powers));
        let is_forgotten = locked != value && !is_excused;
        is_forgotten.then(|| {
            let Vote { height, validator, .. } = vote;
            format!("{validator} precommitted {locked} in round {round} and prevoted {value} in round {} of height {height}", vote.round)
        })
    }
}
