//! Who is likely to propose, and who is not.
//!
//! The propose timeout is a local choice. Waiting for a dead proposer costs seconds, so the wait shrinks to a few round trips
//!
//! - after its session was lost, until it votes at the height at hand or the one before; a little longer once it is up again;
//! - after it missed its last two turns, until a proposal of it is heard.
//!
//! and to a quarter when it voted before and not once in the last height: it may hang behind a session that is up, or its disk
//! may be slow for a moment.
//!
//! A vote that comes during a short wait makes it a long one. Only the first pass over the set shrinks: from then on a slow
//! network gets all the time that the genesis grants.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use primitives::{Address, Height, NodeId, Round, ValidatorSet};

/// Turns missed in a row that make a proposer absent.
const MISSED_TURNS: u32 = 2;
/// Round trips that a proposal of a live proposer takes at most.
const ROUND_TRIPS: u32 = 4;
/// The part of the granted wait that a proposer gets whose session is up again, and which did not vote yet: enough to catch up
/// and propose, so that the others do not run away from it for ever.
const RETURNING_DIVISOR: u32 = 12;
/// The part of the granted wait that a silent proposer gets.
const SILENT_DIVISOR: u32 = 4;

#[derive(Debug, Default)]
pub(super) struct Proposers {
    links: HashMap<NodeId, Option<Address>>,
    /// Validators whose session was lost, and who did not vote since.
    lost: BTreeSet<Address>,
    /// The highest height at which each validator said something itself.
    spoke: BTreeMap<Address, Height>,
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
    }

    /// `validator` is said to have spoken at `height`, on the session of `node`: believed of its own session only.
    pub fn spoke(&mut self, node: NodeId, validator: Address, height: Height, current: Height) {
        if self.links.get(&node) != Some(&Some(validator)) || height.next() < current {
            return;
        }
        if self.lost.remove(&validator) {
            // The turns it missed were those of its absence.
            self.missed.remove(&validator);
        }
        let highest = self.spoke.entry(validator).or_default();
        *highest = (*highest).max(height.min(current.next()));
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

    /// How long to wait for a proposal at `height` and `round`, when the genesis grants `granted`.
    pub fn patience(&self, proposer: Address, turn: (Height, Round), set: &ValidatorSet, granted: Duration, floor: Duration) -> Duration {
        let (height, round) = turn;
        let is_silent = self.spoke.get(&proposer).is_some_and(|spoke| spoke.next() < height);
        let has_missed = self.missed.get(&proposer).is_some_and(|missed| MISSED_TURNS <= *missed);
        match () {
            () if set.len() <= round.0 as usize => granted,
            () if self.lost.contains(&proposer) && self.is_back(proposer) => floor.max(granted / RETURNING_DIVISOR).min(granted),
            () if self.lost.contains(&proposer) || has_missed => floor.max(self.round_trip.saturating_mul(ROUND_TRIPS)).min(granted),
            () if is_silent => floor.max(granted / SILENT_DIVISOR).min(granted),
            () => granted,
        }
    }

    fn is_back(&self, validator: Address) -> bool {
        self.links.values().any(|linked| *linked == Some(validator))
    }

    /// Power of the validators with a session, and of us: each counts once, however many sessions speak for it, and a node that
    /// speaks for nobody in the set counts nothing.
    pub fn power_online(&self, set: &ValidatorSet, us: Option<Address>) -> u64 {
        let online: BTreeSet<Address> = self.links.values().flatten().copied().chain(us).collect();
        online.iter().map(|validator| set.power_of(validator)).sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use primitives::{SecretKey, Validator};

    const GRANTED: Duration = Duration::from_secs(3);
    const FLOOR: Duration = Duration::from_millis(150);
    const HEIGHT: Height = Height(10);

    fn set() -> ValidatorSet {
        let key = |byte| SecretKey::from_bytes([byte; 32]).unwrap().public_key();
        ValidatorSet::new((1..=4).map(|byte| Validator { address: key(byte).address(), public_key: key(byte), power: 1 }).collect()).unwrap()
    }

    fn patience(proposers: &Proposers, proposer: Address, round: u32) -> Duration {
        proposers.patience(proposer, (HEIGHT, Round(round)), &set(), GRANTED, FLOOR)
    }

    #[test]
    fn a_lost_session_shrinks_the_wait_until_its_validator_votes_at_this_height_again() {
        let (mut proposers, validator, node) = (Proposers::default(), Address::repeat_byte(1), NodeId(Address::repeat_byte(9)));
        assert_eq!(patience(&proposers, validator, 0), GRANTED);
        proposers.up(node, Some(validator));
        proposers.down(node);
        assert_eq!(patience(&proposers, validator, 0), FLOOR);
        proposers.up(node, Some(validator));
        proposers.spoke(node, validator, Height(3), HEIGHT);
        assert_eq!(patience(&proposers, validator, 0), GRANTED / RETURNING_DIVISOR, "it still catches up");
        proposers.spoke(NodeId(Address::repeat_byte(8)), validator, HEIGHT, HEIGHT);
        assert_eq!(patience(&proposers, validator, 0), GRANTED / RETURNING_DIVISOR, "somebody else said so");
        proposers.spoke(node, validator, HEIGHT, HEIGHT);
        assert_eq!(patience(&proposers, validator, 0), GRANTED);
    }

    #[test]
    fn turns_missed_while_away_are_forgiven_to_one_that_votes_again() {
        let (mut proposers, validator, node) = (Proposers::default(), Address::repeat_byte(1), NodeId(Address::repeat_byte(9)));
        proposers.up(node, Some(validator));
        proposers.down(node);
        for _ in 0..MISSED_TURNS {
            proposers.round_started(validator);
            proposers.round_started(Address::repeat_byte(2));
        }
        proposers.up(node, Some(validator));
        proposers.spoke(node, validator, HEIGHT, HEIGHT);
        assert_eq!(patience(&proposers, validator, 0), GRANTED);
    }

    #[test]
    fn a_validator_that_fell_silent_for_a_height_is_waited_for_a_quarter_of_the_time() {
        let (mut proposers, validator, node) = (Proposers::default(), Address::repeat_byte(1), NodeId(Address::repeat_byte(9)));
        proposers.up(node, Some(validator));
        assert_eq!(patience(&proposers, validator, 0), GRANTED, "never heard, as everybody at the start");
        for (height, expected) in [(8, GRANTED / SILENT_DIVISOR), (9, GRANTED)] {
            proposers.spoke(node, validator, Height(height), Height(height));
            assert_eq!(patience(&proposers, validator, 0), expected);
        }
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
    fn power_online_counts_each_validator_once_and_followers_not_at_all() {
        let (mut proposers, set) = (Proposers::default(), set());
        let validator = |position: usize| set.at(position).unwrap().address;
        let online = |proposers: &Proposers, us| proposers.power_online(&set, us);
        let node = |byte| NodeId(Address::repeat_byte(byte));
        assert_eq!((online(&proposers, None), online(&proposers, Some(validator(0)))), (0, 1));
        proposers.up(node(1), Some(validator(1)));
        proposers.up(node(2), None);
        proposers.up(node(3), Some(Address::repeat_byte(9)));
        assert_eq!(online(&proposers, Some(validator(0))), 2, "a follower and a stranger to the set have no power");
        proposers.up(node(4), Some(validator(1)));
        assert_eq!(online(&proposers, Some(validator(0))), 2, "a second session of the same validator");
        proposers.up(node(5), Some(validator(0)));
        assert_eq!(online(&proposers, Some(validator(0))), 2, "somebody with our key");
        assert_eq!(online(&proposers, Some(Address::repeat_byte(8))), 2, "a key of ours outside the set");
        proposers.down(node(1));
        assert_eq!(online(&proposers, None), 2, "one of its sessions is left");
        proposers.down(node(4));
        assert_eq!(online(&proposers, None), 1);
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
