//! Whom to dial, and of whom to tell. Chance decides among ranges first and among their nodes then, so that a range with many
//! nodes is no more likely than one with few.

use std::{collections::BTreeMap, net::SocketAddr};

use primitives::NodeId;
use rand::{Rng, seq::IteratorRandom};
use wire::AddressRecord;

use super::{Book, Entry, Range};

/// Failures after which nobody is told of a node.
const MAX_FAILURES_TO_TELL: u32 = 3;

/// Who may be chosen.
pub struct Wish<'a> {
    pub now_ms: u64,
    /// Connected already, being dialled, banned, or somebody else's business.
    pub is_taken: &'a dyn Fn(&NodeId) -> bool,
    /// As many as wanted are connected in this range.
    pub is_crowded: &'a dyn Fn(Range) -> bool,
}

/// Somebody to dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub node: NodeId,
    pub address: SocketAddr,
    pub score: i64,
}

impl Book {
    /// Somebody to dial: a node of a validator if there is one, else somebody tried or somebody heard of, with equal chance.
    pub fn candidate(&self, wish: &Wish<'_>, random: &mut impl Rng) -> Option<Candidate> {
        let may_be = |entry: &&Entry| entry.is_due(wish.now_ms) && !(wish.is_taken)(&entry.node());
        let free: Vec<_> = self.entries().filter(may_be).collect();
        // Who decides blocks, and whom the operator named, is wanted wherever it is.
        if let Some(entry) = free.iter().filter(|entry| entry.is_reserved()).choose(random) {
            return Some(self.as_candidate(entry));
        }
        let wanted = || free.iter().copied().filter(|entry| !(wish.is_crowded)(entry.range()));
        let wants_tried: bool = random.random();
        let preferred = among_ranges(wanted().filter(|entry| entry.is_tried == wants_tried), random);
        let chosen = preferred.or_else(|| among_ranges(wanted(), random))?;
        Some(self.as_candidate(chosen))
    }

    /// The best that could be dialled instead of somebody.
    pub fn best(&self, wish: &Wish<'_>) -> Option<Candidate> {
        let may_be = |entry: &&Entry| entry.is_due(wish.now_ms) && entry.attempts == 0 && !(wish.is_taken)(&entry.node());
        self.entries().filter(may_be).map(|entry| self.as_candidate(entry)).max_by_key(|candidate| candidate.score)
    }

    /// A random few for somebody who asks. Local addresses are of use only to those who are local.
    pub fn sample(&self, count: usize, is_asker_local: bool, is_secret: impl Fn(&NodeId) -> bool, random: &mut impl Rng) -> Vec<AddressRecord> {
        let may_be_told =
            |entry: &&Entry| entry.attempts < MAX_FAILURES_TO_TELL && (is_asker_local || !entry.range().is_local()) && !is_secret(&entry.node());
        self.entries().filter(may_be_told).choose_multiple(random, count).into_iter().map(|entry| entry.record.clone()).collect()
    }

    fn as_candidate(&self, entry: &Entry) -> Candidate {
        let node = entry.node();
        Candidate { node, address: entry.record.address, score: self.score(&node) }
    }
}

fn among_ranges<'a>(entries: impl Iterator<Item = &'a Entry>, random: &mut impl Rng) -> Option<&'a Entry> {
    let mut ranges: BTreeMap<Range, Vec<&Entry>> = BTreeMap::new();
    entries.for_each(|entry| ranges.entry(entry.range()).or_default().push(entry));
    ranges.into_values().choose(random)?.into_iter().choose(random)
}
