//! All that is seen of the network while it runs. Shared by those who watch it.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{
    agreement::{Agreement, Block},
    truth::{Judged, Probe, judge},
};
use crate::figures::statistics::longest_gap;

/// Contradictions that are kept; further ones say nothing new.
const MAX_KEPT: usize = 100;

/// What was seen so far; clones share it.
#[derive(Clone, Debug)]
pub struct Record {
    seen: Arc<Mutex<Seen>>,
    stale_after: Duration,
}

#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub agreement: Agreement,
    /// When each validator was first seen to have each new block.
    moments: Vec<Vec<Instant>>,
    pub probes: u64,
    /// Probes of a node that had something to admit.
    pub unwell: u64,
    pub lies: Vec<String>,
    /// Validators that signed two things, as some node told.
    pub equivocations: BTreeSet<String>,
    /// Answers that say that there is no evidence.
    pub acquittals: u64,
}

impl Record {
    pub fn new(nodes: usize, stale_after: Duration) -> Self {
        let seen = Seen { moments: vec![Vec::new(); nodes], ..Seen::default() };
        Self { seen: Arc::new(Mutex::new(seen)), stale_after }
    }

    /// Node number `node` shows this height for the first time.
    pub fn tip(&self, node: usize, name: &str, height: u64) {
        let seen = &mut *self.seen.lock();
        seen.moments[node].push(Instant::now());
        seen.agreement.tip(node, name, height);
    }

    pub fn block(&self, name: &str, block: Block) {
        self.seen.lock().agreement.block(name, block);
    }

    pub fn probe(&self, name: &str, probe: &Probe) {
        let Judged { was_unwell, lies } = judge(name, probe, self.stale_after);
        let seen = &mut *self.seen.lock();
        seen.probes += 1;
        seen.unwell += u64::from(was_unwell);
        let room = MAX_KEPT.saturating_sub(seen.lies.len());
        seen.lies.extend(lies.into_iter().take(room));
    }

    /// What a node holds of double signatures.
    pub fn evidence(&self, name: &str, pieces: &[String]) {
        let seen = &mut *self.seen.lock();
        seen.acquittals += u64::from(pieces.is_empty());
        let room = MAX_KEPT.saturating_sub(seen.equivocations.len());
        seen.equivocations.extend(pieces.iter().take(room).map(|piece| format!("{name} holds {piece}")));
    }

    /// The highest that anybody has shown.
    pub fn height(&self) -> u64 {
        self.seen.lock().agreement.heights().next_back().map_or(0, |(height, _)| height)
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }
}

impl Seen {
    /// The longest time without a block at any of `nodes`.
    pub fn gap(&self, nodes: impl Iterator<Item = usize>, from: Instant, until: Instant) -> Option<Duration> {
        nodes.map(|node| longest_gap(&self.moments[node], from, until)).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_holds_of_double_signatures_is_kept_once_and_silence_acquits_nobody() {
        let record = Record::new(2, Duration::from_secs(1));
        record.evidence("a", &[]);
        record.evidence("b", &["two prevotes of c".to_owned()]);
        record.evidence("b", &["two prevotes of c".to_owned()]);
        let seen = record.seen();
        assert_eq!((seen.acquittals, seen.equivocations.len()), (1, 1));
        assert!(seen.equivocations.contains("b holds two prevotes of c"));
    }

    #[test]
    fn the_gap_is_that_of_the_slowest_and_of_those_only_who_are_asked_about() {
        let record = Record::new(2, Duration::from_secs(1));
        let from = Instant::now();
        record.tip(0, "a", 1);
        let until = from + Duration::from_secs(4);
        let seen = record.seen();
        assert_eq!(seen.gap([1].into_iter(), from, until), Some(Duration::from_secs(4)), "it never had a block");
        assert!(seen.gap([0].into_iter(), from, until) < Some(Duration::from_secs(4)));
        assert_eq!(seen.gap(std::iter::empty(), from, until), None);
    }
}
