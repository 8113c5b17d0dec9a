//! Who is likely to propose, and who is not.
//!
//! The propose timeout is a local choice. Waiting for a dead proposer costs seconds, so while its session is down, or after
//! it missed its last two turns, the wait shrinks to a few round trips. Only the first pass over the set shrinks: from then on
//! a slow network gets all the time that the genesis grants.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use primitives::{Address, NodeId, Round, ValidatorSet};

/// Turns missed in a row that make a proposer absent.
const MISSED_TURNS: u32 = 2;
/// Round trips that a proposal of a live proposer takes at most.
const ROUND_TRIPS: u32 = 4;

#[derive(Debug, Default)]
pub(super) struct Proposers {
    links: HashMap<NodeId, Option<Address>>,
    /// Validators whose session was up and went down.
    lost: BTreeSet<Address>,
    /// Turns missed in a row; only of those that missed any.
    missed: BTreeMap<Address, u32>,
    current: Option<Turn>,
    round_trip: Duration,
}

#[derive(Debug)]
struct Turn {
    proposer: Address,
    is_heard: bool,
}

impl Proposers {
    pub fn up(&mut self, node: NodeId, validator: Option<Address>) {
        self.links.insert(node, validator);
        if let Some(validator) = validator {
            self.lost.remove(&validator);
            self.missed.remove(&validator);
        }
    }

    pub fn down(&mut self, node: NodeId) {
        let Some(Some(validator)) = self.links.remove(&node) else { return };
        if !self.links.values().any(|other| *other == Some(validator)) {
            self.lost.insert(validator);
        }
    }

    pub fn is_linked(&self, node: NodeId) -> bool {
        self.links.contains_key(&node)
    }

    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = round_trip;
    }

    /// A round began; the turn before it is over.
    pub fn round_started(&mut self, proposer: Address) {
        self.turn_is_over();
        self.current = Some(Turn { proposer, is_heard: false });
    }

    /// The height is over in whatever way: nobody missed anything.
    pub fn height_is_over(&mut self) {
        self.current = None;
    }

    /// A verified proposal arrived, in time or late.
    pub fn heard(&mut self, proposer: Address) {
        self.missed.remove(&proposer);
        if let Some(turn) = self.current.as_mut().filter(|turn| turn.proposer == proposer) {
            turn.is_heard = true;
        }
    }

    fn turn_is_over(&mut self) {
        if let Some(turn) = self.current.take().filter(|turn| !turn.is_heard) {
            *self.missed.entry(turn.proposer).or_default() += 1;
        }
    }

    /// How long to wait for a proposal in `round`, when the genesis grants `granted`.
    pub fn patience(&self, proposer: Address, round: Round, set: &ValidatorSet, granted: Duration, floor: Duration) -> Duration {
        let is_first_pass = (round.0 as usize) < set.len();
        let is_absent = self.lost.contains(&proposer) || self.missed.get(&proposer).is_some_and(|missed| MISSED_TURNS <= *missed);
        if is_first_pass && is_absent { floor.max(self.round_trip.saturating_mul(ROUND_TRIPS)).min(granted) } else { granted }
    }

    /// Power of those with a session.
    pub fn power_linked(&self, set: &ValidatorSet) -> u64 {
        let linked: BTreeSet<Address> = self.links.values().flatten().copied().collect();
        linked.iter().map(|validator| set.power_of(validator)).sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use primitives::{SecretKey, Validator};

    const GRANTED: Duration = Duration::from_secs(3);
    const FLOOR: Duration = Duration::from_millis(150);

    fn set() -> ValidatorSet {
        let key = |byte| SecretKey::from_bytes([byte; 32]).unwrap().public_key();
        ValidatorSet::new((1..=4).map(|byte| Validator { address: key(byte).address(), public_key: key(byte), power: 1 }).collect()).unwrap()
    }

    fn patience(proposers: &Proposers, proposer: Address, round: u32) -> Duration {
        proposers.patience(proposer, Round(round), &set(), GRANTED, FLOOR)
    }

    #[test]
    fn a_lost_session_shrinks_the_wait_until_it_is_back() {
        let (mut proposers, validator, node) = (Proposers::default(), Address::repeat_byte(1), NodeId(Address::repeat_byte(9)));
        assert_eq!(patience(&proposers, validator, 0), GRANTED);
        proposers.up(node, Some(validator));
        proposers.down(node);
        assert_eq!(patience(&proposers, validator, 0), FLOOR);
        proposers.up(node, Some(validator));
        assert_eq!(patience(&proposers, validator, 0), GRANTED);
    }

    #[test]
    fn two_missed_turns_shrink_the_wait_until_a_proposal_is_heard() {
        let (mut proposers, slow, other) = (Proposers::default(), Address::repeat_byte(1), Address::repeat_byte(2));
        for expected in [GRANTED, FLOOR] {
            proposers.round_started(slow);
            proposers.round_started(other);
            proposers.heard(other);
            assert_eq!(patience(&proposers, slow, 0), expected);
        }
        assert_eq!(patience(&proposers, other, 0), GRANTED);
        proposers.heard(slow);
        assert_eq!(patience(&proposers, slow, 0), GRANTED);
    }

    #[test]
    fn slow_links_and_late_rounds_get_more_time() {
        let (mut proposers, validator, node) = (Proposers::default(), Address::repeat_byte(1), NodeId(Address::repeat_byte(9)));
        proposers.up(node, Some(validator));
        proposers.down(node);
        assert_eq!(patience(&proposers, validator, 4), GRANTED);
        proposers.set_round_trip(Duration::from_millis(200));
        assert_eq!(patience(&proposers, validator, 0), Duration::from_millis(800));
    }
}
