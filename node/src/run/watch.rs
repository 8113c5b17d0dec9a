//! How a network in this process is going, for the living line.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use primitives::Height;

use crate::{
    boot::{Node, Seen},
    terminal::Progress,
};

/// Transactions per second are the mean over this long.
const WINDOW: Duration = Duration::from_secs(5);
/// Blocks read for one look; more are skipped.
const MAX_BLOCKS_PER_LOOK: u64 = 2_000;

/// Looks at the node that is furthest.
pub(super) struct Watch {
    nodes: Vec<Seen>,
    height: Height,
    moved: Option<Instant>,
    /// Transactions counted, and when.
    counted: VecDeque<(Instant, usize)>,
}

impl Watch {
    pub fn new(nodes: &[Node]) -> Self {
        Self { nodes: nodes.iter().map(|node| node.seen().clone()).collect(), height: Height::GENESIS, moved: None, counted: VecDeque::new() }
    }

    /// How it is going now; none before the first database is open.
    pub fn look(&mut self) -> Option<Progress> {
        let now = Instant::now();
        let best = self.nodes.iter().max_by_key(|node| node.ledger.tip().unwrap_or_default()).cloned();
        let tip = best.as_ref().and_then(|node| node.ledger.tip().ok())?;
        if self.height < tip {
            let is_first_look = self.moved.is_none() && self.height == Height::GENESIS;
            let transactions = best.as_ref().filter(|_| !is_first_look).map_or(0, |node| self.count(node, tip));
            self.counted.push_back((now, transactions));
            self.height = tip;
            self.moved = Some(now);
        }
        while self.counted.front().is_some_and(|(at, _)| WINDOW < now.duration_since(*at)) {
            self.counted.pop_front();
        }
        let transactions: usize = self.counted.iter().map(|(_, count)| count).sum();
        Some(Progress {
            height: tip.0,
            round: best.as_ref().map_or(0, |node| node.consensus.seen().round.0),
            since_block: self.moved.map(|moved| now.duration_since(moved)),
            transactions_per_second: transactions as f64 / WINDOW.as_secs_f64(),
            peers: best.as_ref().map_or(0, |node| node.peers.list().len()),
        })
    }

    fn count(&self, node: &Seen, tip: Height) -> usize {
        let first = (self.height.0 + 1).max(tip.0.saturating_sub(MAX_BLOCKS_PER_LOOK));
        (first..=tip.0).filter_map(|height| node.ledger.receipts(Height(height)).ok().flatten()).map(|receipts| receipts.len()).sum()
    }
}
