//! The records of all peers that we remember. No I/O; time is what the caller says it is.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use primitives::NodeId;
use serde::{Deserialize, Serialize};

use super::score::{Fading, Score};

/// Peers that are remembered, connected or not. A name costs nothing, so there must be an end.
pub const MAX_SCORES: usize = 4_096;
/// Points below which a record is as good as none.
const TRACE: f64 = 0.5;

/// Records by node.
#[derive(Clone, Debug, Default)]
pub struct Scores(BTreeMap<NodeId, Score>);

/// A record as it outlives the process, at the moment it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptScore {
    pub node: NodeId,
    pub useful: f64,
    pub penalty: f64,
}

impl Scores {
    pub fn get(&self, node: &NodeId) -> Option<&Score> {
        self.0.get(node)
    }

    /// The record of `node`, begun if there is none.
    pub fn of(&mut self, node: NodeId, now: Duration) -> &mut Score {
        let is_new = !self.0.contains_key(&node);
        if is_new && MAX_SCORES <= self.0.len() {
            self.make_room(now);
        }
        match self.0.entry(node) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Score::default()),
        }
    }

    /// Forgets those of whom nothing is left to tell, or else the one with least.
    fn make_room(&mut self, now: Duration) {
        self.0.retain(|_, score| TRACE < score.weight(now));
        let least = || self.0.iter().min_by(|(_, a), (_, b)| a.weight(now).total_cmp(&b.weight(now))).map(|(node, _)| *node);
        if MAX_SCORES <= self.0.len()
            && let Some(least) = least()
        {
            self.0.remove(&least);
        }
    }

    /// What is worth keeping over a restart.
    pub fn snapshot(&self, now: Duration) -> Vec<KeptScore> {
        let worth = self.0.iter().filter(|(_, score)| TRACE < score.weight(now));
        worth.map(|(node, score)| KeptScore { node: *node, useful: score.useful.left(now), penalty: score.penalty.left(now) }).collect()
    }

    /// Takes back what [`Scores::snapshot`] gave, so that it fades from now on. What is known already stays.
    pub fn restore(&mut self, kept: impl IntoIterator<Item = KeptScore>, now: Duration) {
        for KeptScore { node, useful, penalty } in kept.into_iter().take(MAX_SCORES) {
            let is_sane = useful.is_finite() && penalty.is_finite() && 0.0 <= useful && 0.0 <= penalty;
            if is_sane && !self.0.contains_key(&node) && self.0.len() < MAX_SCORES {
                let score = Score { useful: Fading::new(useful, now), penalty: Fading::new(penalty, now), ..Score::default() };
                self.0.insert(node, score);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use primitives::Address;

    use super::{
        super::{offence::Offence, score::Deed},
        *,
    };

    fn node(number: u64) -> NodeId {
        NodeId(Address::from_word(primitives::U256::from(number).into()))
    }

    #[test]
    fn new_names_do_not_wash_off_what_an_old_one_did() {
        let mut scores = Scores::default();
        scores.of(node(0), Duration::ZERO).offend(Offence::Broken, Duration::ZERO);
        for number in 1..=2 * MAX_SCORES as u64 {
            scores.of(node(number), Duration::ZERO).useful(Deed::Block, 10, Duration::ZERO);
        }
        assert_eq!(scores.0.len(), MAX_SCORES);
        assert_eq!(scores.get(&node(0)).map(|score| score.offences()[&Offence::Broken]), Some(1));
    }

    #[test]
    fn a_restart_forgets_neither_good_nor_bad() {
        let (now, later) = (Duration::from_secs(50), Duration::from_secs(3));
        let mut scores = Scores::default();
        scores.of(node(1), now).offend(Offence::Broken, now);
        scores.of(node(2), now).useful(Deed::Block, 10, now);
        scores.of(node(3), now);
        let kept = scores.snapshot(now);
        assert_eq!(kept.len(), 2, "of the third nothing is to tell");
        let mut restored = Scores::default();
        restored.restore(kept.clone(), later);
        assert_eq!(restored.snapshot(later), kept);
    }

    #[test]
    fn numbers_that_are_none_are_not_taken_back() {
        let mut scores = Scores::default();
        let kept = |useful, penalty| KeptScore { node: node(1), useful, penalty };
        scores.restore([kept(f64::NAN, 1.0), kept(1.0, f64::INFINITY), kept(-1.0, 5.0)], Duration::ZERO);
        assert!(scores.get(&node(1)).is_none());
    }
}
