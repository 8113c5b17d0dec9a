//! How much a node may ask and tell about addresses. No I/O; time is what the caller says it is.

use std::{collections::BTreeMap, time::Duration};

use primitives::NodeId;
use wire::MAX_RECORDS;

/// Time between two answers to one node.
const ANSWER_EVERY: Duration = Duration::from_secs(60);
/// Records that one node may tell at once: its own, an answer, and some news.
const MAX_TOLD: u32 = 3 * MAX_RECORDS as u32;
/// Records a second that it may tell for long.
const TOLD_PER_SECOND: u32 = 1;
/// Records a second that we pass on for long, and at once.
const RELAYED_PER_SECOND: u32 = 4;
const MAX_RELAYED: u32 = 128;
/// Nodes that are remembered. A new session is no new allowance.
const MAX_NODES: usize = 1_024;

/// So many a second, and after silence so many at once.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    cost: Duration,
    depth: Duration,
    full_at: Duration,
}

impl Bucket {
    fn new(per_second: u32, burst: u32) -> Self {
        let cost = Duration::from_secs(1) / per_second;
        Self { cost, depth: cost * burst, full_at: Duration::ZERO }
    }

    fn take(&mut self, count: u32, now: Duration) -> bool {
        let full_at = self.full_at.max(now) + self.cost * count;
        let is_there = full_at <= now + self.depth;
        if is_there {
            self.full_at = full_at;
        }
        is_there
    }
}

#[derive(Debug)]
struct Guest {
    told: Bucket,
    answered_at: Option<Duration>,
}

/// What everybody has asked and told lately.
#[derive(Debug)]
pub(super) struct Manners {
    guests: BTreeMap<NodeId, Guest>,
    relayed: Bucket,
}

impl Manners {
    pub fn new() -> Self {
        Self { guests: BTreeMap::new(), relayed: Bucket::new(RELAYED_PER_SECOND, MAX_RELAYED) }
    }

    /// Whether a node may have an answer now.
    pub fn may_ask(&mut self, node: NodeId, now: Duration) -> bool {
        let guest = self.guest(node, now);
        let may = guest.answered_at.is_none_or(|at| at + ANSWER_EVERY <= now);
        if may {
            guest.answered_at = Some(now);
        }
        may
    }

    /// Whether a node may tell so many records now.
    pub fn may_tell(&mut self, node: NodeId, records: usize, now: Duration) -> bool {
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        records <= MAX_TOLD && self.guest(node, now).told.take(records, now)
    }

    /// Whether so many records may be passed on now.
    pub fn may_relay(&mut self, records: usize, now: Duration) -> bool {
        self.relayed.take(records.min(MAX_RELAYED as usize) as u32, now)
    }

    fn guest(&mut self, node: NodeId, now: Duration) -> &mut Guest {
        if MAX_NODES <= self.guests.len() && !self.guests.contains_key(&node) {
            self.make_room(now);
        }
        self.guests.entry(node).or_insert_with(|| Guest { told: Bucket::new(TOLD_PER_SECOND, MAX_TOLD), answered_at: None })
    }

    /// Forgets those who owe nothing, or else whoever owes least: names that cost nothing shall not silence everybody else.
    fn make_room(&mut self, now: Duration) {
        self.guests.retain(|_, guest| guest.is_owing(now));
        let least = self.guests.iter().min_by_key(|(_, guest)| guest.told.full_at).map(|(node, _)| *node);
        if let Some(least) = least.filter(|_| MAX_NODES <= self.guests.len()) {
            self.guests.remove(&least);
        }
    }
}

impl Guest {
    /// Whether forgetting it would give it more than it has.
    fn is_owing(&self, now: Duration) -> bool {
        now < self.told.full_at || self.answered_at.is_some_and(|at| now < at + ANSWER_EVERY)
    }
}

#[cfg(test)]
mod tests {
    use primitives::Address;

    use super::*;

    fn node(number: u64) -> NodeId {
        NodeId(Address::from_slice(&[&[0; 12][..], &number.to_be_bytes()].concat()))
    }

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_node_is_answered_once_a_minute() {
        let mut manners = Manners::new();
        let asked: Vec<_> = [0, 1, 59, 60, 61].map(|at| manners.may_ask(node(1), secs(at))).into();
        assert_eq!(asked, [true, false, false, true, false]);
        assert!(manners.may_ask(node(2), secs(61)));
    }

    #[test]
    fn a_node_tells_an_answer_and_some_news_and_then_one_a_second() {
        let mut manners = Manners::new();
        assert!((0..3).all(|_| manners.may_tell(node(1), MAX_RECORDS, secs(0))));
        assert!(!manners.may_tell(node(1), 1, secs(0)) && manners.may_tell(node(1), 1, secs(1)));
        assert!(!manners.may_tell(node(1), 1_000_000, secs(100_000)));
    }

    #[test]
    fn a_crowd_is_remembered_as_far_as_there_is_room_and_forgotten_with_time() {
        let mut manners = Manners::new();
        assert!((0..MAX_NODES as u64).all(|number| manners.may_ask(node(number), secs(0))));
        assert!(manners.may_ask(node(9_999), secs(30)), "names that cost nothing silence a newcomer");
        assert!(!manners.may_ask(node(9_999), secs(31)));
        assert_eq!(manners.guests.len(), MAX_NODES);
        assert!(manners.may_ask(node(8_888), secs(61)));
        assert_eq!(manners.guests.len(), 2);
    }
}
