//! The rules of catching up: whom to ask for which blocks, and in what order they are handed on.
//!
//! A node that is a height behind for a moment is not lagging: consensus will bring the block. It asks when it stood
//! still for [`GRACE`] while somebody is ahead, or when it is [`FAR_BEHIND`] heights behind. Once blocks come it goes on
//! asking until it is one height behind: the others do not stand still meanwhile. A node that only follows has no other road to a
//! block, and asks whoever announces one at once.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use primitives::{Height, NodeId};

/// How long a node may stand still behind others before it asks for blocks.
pub const GRACE: Duration = Duration::from_millis(100);
/// From this many heights on it asks at once.
pub const FAR_BEHIND: u64 = 8;
/// This many heights behind, consensus brings the rest.
const ALMOST_THERE: u64 = 1;
/// Blocks in one request.
pub const MAX_BLOCKS_PER_REQUEST: u64 = 32;
/// Requests under way at once.
pub const MAX_REQUESTS: usize = 4;
/// How far ahead of the tip blocks are fetched.
pub const MAX_BLOCKS_AHEAD: u64 = MAX_BLOCKS_PER_REQUEST * MAX_REQUESTS as u64;
/// After this long without a block, a request is given up and its peer is asked less readily.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// A question for blocks `from`, `from + 1`, ... `from + count - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    pub peer: NodeId,
    pub from: Height,
    pub count: u64,
}

/// Where this node stands, where the others stand, and what was asked of whom. `B` is a block with its certificate.
#[derive(Debug)]
pub struct Plan<B> {
    tip: Height,
    grace: Duration,
    /// Where the ledger ended when it was looked at last.
    stored: Height,
    /// When the tip moved last, or when the first peer came to be ahead of it.
    still_since: Option<Duration>,
    is_catching_up: bool,
    peers: HashMap<NodeId, Peer>,
    open: Vec<Open>,
    arrived: BTreeMap<Height, (NodeId, B)>,
}

#[derive(Debug, Default)]
struct Peer {
    tip: Height,
    failures: u32,
}

#[derive(Debug)]
struct Open {
    request: Request,
    deadline: Duration,
}

impl<B> Plan<B> {
    /// A plan for a validator whose highest committed block is `tip`.
    pub fn new(tip: Height) -> Self {
        Self {
            tip,
            grace: GRACE,
            stored: tip,
            still_since: None,
            is_catching_up: false,
            peers: HashMap::new(),
            open: Vec::new(),
            arrived: BTreeMap::new(),
        }
    }

    /// The same for a node that only follows.
    pub fn following(tip: Height) -> Self {
        Self { grace: Duration::ZERO, ..Self::new(tip) }
    }

    /// `peer` says that its highest committed block is `tip`.
    pub fn status(&mut self, peer: NodeId, tip: Height, now: Duration) {
        self.peers.entry(peer).or_default().tip = tip;
        if self.tip < tip {
            self.still_since.get_or_insert(now);
        }
    }

    /// `peer` is gone, and what was asked of it will not come.
    pub fn left(&mut self, peer: &NodeId) {
        self.peers.remove(peer);
        self.open.retain(|open| open.request.peer != *peer);
    }

    /// `height` is committed, by whatever road.
    pub fn committed(&mut self, height: Height, now: Duration) {
        self.tip = self.tip.max(height);
        self.arrived.retain(|arrived, _| self.tip < *arrived);
        let tip = self.tip;
        self.open.retain(|open| tip < open.last());
        self.still_since = (self.behind() > 0).then_some(now);
        self.is_catching_up &= ALMOST_THERE < self.behind();
    }

    /// Whether blocks come from others, and more are needed.
    pub fn is_catching_up(&self) -> bool {
        self.is_catching_up
    }

    /// The ledger ends at `tip`. Says what to count as committed: what was there at the previous look and nobody told us of.
    ///
    /// What has only just got there is not counted, because consensus may not have heard of it yet, and a block that
    /// reaches consensus before its turn is thrown away.
    pub fn stored(&mut self, tip: Height) -> Option<Height> {
        let before = std::mem::replace(&mut self.stored, tip);
        (self.tip < before).then_some(before)
    }

    /// Asks at the next look, however short the standstill.
    pub fn hurry(&mut self) {
        self.still_since = (self.behind() > 0).then_some(Duration::ZERO);
    }

    /// How many heights the best peer is ahead.
    pub fn behind(&self) -> u64 {
        self.target().0.saturating_sub(self.tip.0)
    }

    /// The highest block any peer has committed.
    pub fn target(&self) -> Height {
        self.peers.values().map(|peer| peer.tip).max().unwrap_or_default()
    }

    /// Whether `height` was asked of `peer` and has not come yet.
    pub fn expects(&self, peer: &NodeId, height: Height) -> bool {
        self.tip < height && !self.arrived.contains_key(&height) && self.open.iter().any(|open| open.request.peer == *peer && open.covers(height))
    }

    /// A block came. It is kept when it was asked of this peer and is still of use; says whether it was.
    pub fn arrived(&mut self, peer: NodeId, height: Height, block: B, now: Duration) -> bool {
        let Some(open) = self.open.iter_mut().find(|open| open.request.peer == peer && open.covers(height)) else { return false };
        open.deadline = now + REQUEST_LIMIT;
        let is_last = height == open.last();
        if is_last {
            self.open.retain(|open| !(open.request.peer == peer && open.covers(height)));
        }
        if self.tip < height {
            self.arrived.insert(height, (peer, block));
            self.is_catching_up = ALMOST_THERE < self.behind();
        }
        true
    }

    /// The block after the tip, if it has come. It is handed out once; whoever takes it reports [`Plan::committed`] or
    /// [`Plan::refused`].
    pub fn next(&mut self) -> Option<(Height, NodeId, B)> {
        let height = self.tip.next();
        let (peer, block) = self.arrived.remove(&height)?;
        Some((height, peer, block))
    }

    /// `peer` sent a block that is none: everything of it is thrown away and it is asked last from now on.
    pub fn refused(&mut self, peer: NodeId) {
        self.arrived.retain(|_, (sender, _)| *sender != peer);
        self.open.retain(|open| open.request.peer != peer);
        self.fail(peer);
    }

    /// Gives up what is late and says what to ask now.
    pub fn requests(&mut self, now: Duration) -> Vec<Request> {
        self.give_up(now);
        if !self.is_lagging(now) {
            return Vec::new();
        }
        let mut requests = Vec::new();
        while self.open.len() < MAX_REQUESTS {
            let Some(request) = self.next_request() else { break };
            self.open.push(Open { request, deadline: now + REQUEST_LIMIT });
            requests.push(request);
        }
        requests
    }

    fn is_lagging(&self, now: Duration) -> bool {
        let stood_still = self.still_since.is_some_and(|since| since + self.grace <= now);
        FAR_BEHIND <= self.behind() || self.is_catching_up || (0 < self.behind() && stood_still)
    }

    fn give_up(&mut self, now: Duration) {
        let late: Vec<NodeId> = self.open.iter().filter(|open| open.deadline <= now).map(|open| open.request.peer).collect();
        self.open.retain(|open| now < open.deadline);
        late.into_iter().for_each(|peer| self.fail(peer));
    }

    fn fail(&mut self, peer: NodeId) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.failures = peer.failures.saturating_add(1);
        }
    }

    fn next_request(&self) -> Option<Request> {
        let last = self.target().0.min(self.tip.0 + MAX_BLOCKS_AHEAD);
        let from = (self.tip.0 + 1..=last).map(Height).find(|height| !self.is_covered(*height))?;
        let is_free = |peer: &NodeId| !self.open.iter().any(|open| open.request.peer == *peer);
        let able = self.peers.iter().filter(|(_, peer)| from <= peer.tip);
        let (peer, standing) = able.min_by_key(|(id, peer)| (!is_free(id), peer.failures, **id))?;
        let end = last.min(standing.tip.0).min(from.0 + MAX_BLOCKS_PER_REQUEST - 1);
        let count = (from.0..=end).take_while(|height| !self.is_covered(Height(*height))).count() as u64;
        Some(Request { peer: *peer, from, count })
    }

    fn is_covered(&self, height: Height) -> bool {
        self.arrived.contains_key(&height) || self.open.iter().any(|open| open.covers(height))
    }
}

impl Open {
    fn last(&self) -> Height {
        Height(self.request.from.0 + self.request.count - 1)
    }

    fn covers(&self, height: Height) -> bool {
        (self.request.from..=self.last()).contains(&height)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use primitives::Address;

    use super::*;

    fn peer(byte: u8) -> NodeId {
        NodeId(Address::repeat_byte(byte))
    }

    const START: Duration = Duration::ZERO;
    const LATER: Duration = Duration::from_secs(1);

    fn plan_behind(tips: &[u64]) -> Plan<u64> {
        let mut plan = Plan::new(Height(10));
        for (number, tip) in tips.iter().enumerate() {
            plan.status(peer(number as u8 + 1), Height(*tip), START);
        }
        plan
    }

    #[test]
    fn who_catches_up_asks_until_it_is_almost_there() {
        let mut plan = plan_behind(&[18]);
        let asked = plan.requests(START);
        assert_eq!((asked.len(), asked[0].count), (1, 8));
        (11..=18).for_each(|height| assert!(plan.arrived(peer(1), Height(height), height, START)));
        plan.status(peer(1), Height(21), START);
        plan.committed(Height(18), START);
        assert_eq!(plan.requests(START)[0].from, Height(19), "three behind, and not one moment of standing still");
        plan.committed(Height(20), START);
        plan.status(peer(1), Height(22), START);
        assert_eq!(plan.requests(START), []);
    }

    #[test]
    fn a_moment_behind_asks_nobody() {
        assert_eq!(plan_behind(&[11]).requests(START), []);
        assert_eq!(plan_behind(&[10]).requests(LATER), []);
    }

    #[test]
    fn who_only_follows_asks_the_first_who_announces_a_block_at_once_and_nobody_else() {
        let mut plan = Plan::<u64>::following(Height(10));
        plan.status(peer(2), Height(11), START);
        assert_eq!(plan.requests(START), [Request { peer: peer(2), from: Height(11), count: 1 }]);
        plan.status(peer(1), Height(11), START);
        assert_eq!(plan.requests(START), []);
        assert!(plan.arrived(peer(2), Height(11), 11, START));
        assert_eq!(plan.requests(START), []);
    }

    #[test]
    fn standing_still_behind_others_asks_for_what_is_missing() {
        assert_eq!(plan_behind(&[12]).requests(LATER), [Request { peer: peer(1), from: Height(11), count: 2 }]);
    }

    #[test]
    fn far_behind_asks_several_peers_at_once_for_different_blocks() {
        let requests = plan_behind(&[100, 100, 30]).requests(START);
        assert_eq!(
            requests,
            [
                Request { peer: peer(1), from: Height(11), count: 32 },
                Request { peer: peer(2), from: Height(43), count: 32 },
                Request { peer: peer(1), from: Height(75), count: 26 },
            ]
        );
    }

    #[test]
    fn blocks_are_handed_on_in_order_and_once() {
        let mut plan = plan_behind(&[12]);
        plan.requests(LATER);
        assert!(plan.arrived(peer(1), Height(12), 12, LATER));
        assert_eq!(plan.next(), None);
        assert!(!plan.arrived(peer(2), Height(11), 11, LATER), "nobody asked this peer");
        plan.committed(Height(11), LATER);
        assert_eq!(plan.next(), Some((Height(12), peer(1), 12)));
        assert_eq!(plan.next(), None);
    }

    #[test]
    fn a_block_that_is_stored_counts_when_consensus_had_time_to_hear_of_it() {
        let mut plan = plan_behind(&[12]);
        assert_eq!(plan.stored(Height(11)), None);
        assert_eq!(plan.stored(Height(11)), Some(Height(11)));
        plan.committed(Height(11), LATER);
        assert_eq!(plan.stored(Height(12)), None);
        plan.committed(Height(12), LATER);
        assert_eq!(plan.stored(Height(12)), None);
    }

    #[test]
    fn a_silent_peer_is_given_up_and_another_is_asked() {
        let mut plan = plan_behind(&[12, 12]);
        assert_eq!(plan.requests(LATER)[0].peer, peer(1));
        assert_eq!(plan.requests(LATER + REQUEST_LIMIT)[0].peer, peer(2));
    }

    #[test]
    fn a_liar_s_blocks_are_thrown_away_and_others_are_asked() {
        let mut plan = plan_behind(&[12, 12]);
        plan.requests(LATER);
        plan.arrived(peer(1), Height(11), 11, LATER);
        plan.refused(peer(1));
        assert_eq!(plan.next(), None);
        assert_eq!(plan.requests(LATER)[0], Request { peer: peer(2), from: Height(11), count: 2 });
    }

    #[test]
    fn who_leaves_is_asked_no_more() {
        let mut plan = plan_behind(&[12]);
        plan.requests(LATER);
        plan.left(&peer(1));
        assert_eq!((plan.behind(), plan.requests(LATER)), (0, vec![]));
    }

    #[test]
    fn progress_by_consensus_ends_the_lag() {
        let mut plan = plan_behind(&[11]);
        plan.committed(Height(11), LATER);
        assert_eq!(plan.requests(LATER * 2), []);
    }
}
