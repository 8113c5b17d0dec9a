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
/// After this long without anything, a request is given up and its peer is asked less readily.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// What a peer has to deliver while it is asked, in bytes a second: whoever drips is given up as if silent.
pub const MIN_RATE: u32 = 128 << 10;
/// After this long what has not come is asked of somebody else, however fast it comes.
pub const WHOLE_REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// Failures after which nobody believes the height that a peer claims.
const DOUBTED_FROM: u32 = 3;
/// Time after which half of the failures are forgiven.
const FORGIVE_EVERY: Duration = Duration::from_secs(30);

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
    /// When failures were forgiven last.
    forgiven: Duration,
    arrived: BTreeMap<Height, (NodeId, B)>,
}

#[derive(Debug, Default)]
struct Peer {
    tip: Height,
    failures: u32,
    /// How long it took for a block, when it delivered last; none before it has.
    per_block: Option<Duration>,
}

impl Peer {
    /// The lower the better. A name costs nothing, so whoever has not delivered yet comes behind all who did and never failed.
    fn doubt(&self) -> u32 {
        self.failures.saturating_mul(2).saturating_add(u32::from(self.per_block.is_none()))
    }
}

#[derive(Debug)]
struct Open {
    request: Request,
    asked: Duration,
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
            forgiven: Duration::ZERO,
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
        // It takes back what it claimed when it was asked.
        let is_retracted = |open: &Open| open.request.peer == peer && tip < open.request.from;
        if self.open.iter().any(is_retracted) {
            self.open.retain(|open| !is_retracted(open));
            self.fail(peer);
        }
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

    /// The highest block that any peer has committed, among those who deliver what they claim.
    pub fn target(&self) -> Height {
        let highest = |peers: &mut dyn Iterator<Item = &Peer>| peers.map(|peer| peer.tip).max();
        let believed = highest(&mut self.peers.values().filter(|peer| peer.failures < DOUBTED_FROM));
        believed.or_else(|| highest(&mut self.peers.values())).unwrap_or_default()
    }

    /// Whether `height` was asked of `peer` and has not come yet.
    pub fn expects(&self, peer: &NodeId, height: Height) -> bool {
        self.tip < height && !self.arrived.contains_key(&height) && self.open.iter().any(|open| open.request.peer == *peer && open.covers(height))
    }

    /// Some bytes of a block came.
    pub fn progress(&mut self, peer: &NodeId, height: Height, bytes: usize, now: Duration) {
        if let Some(open) = self.open.iter_mut().find(|open| open.request.peer == *peer && open.covers(height)) {
            let earned = Duration::from_secs(1) * bytes as u32 / MIN_RATE;
            open.deadline = (open.deadline + earned).min(now + REQUEST_LIMIT).min(open.asked + WHOLE_REQUEST_LIMIT);
        }
    }

    /// A block came. It is kept when it was asked of this peer and is still of use; says whether it was.
    pub fn arrived(&mut self, peer: NodeId, height: Height, block: B, now: Duration) -> bool {
        let Some(open) = self.open.iter().find(|open| open.request.peer == peer && open.covers(height)) else { return false };
        let per_block = now.saturating_sub(open.asked) / open.request.count.max(1) as u32;
        let is_last = height == open.last();
        if is_last {
            self.open.retain(|open| !(open.request.peer == peer && open.covers(height)));
            self.delivered(&peer, per_block);
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
        self.forgive(now);
        if !self.is_lagging(now) {
            return Vec::new();
        }
        let mut requests = Vec::new();
        while let Some(request) = self.next_request() {
            self.open.push(Open { request, asked: now, deadline: now + REQUEST_LIMIT });
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

    fn forgive(&mut self, now: Duration) {
        if self.forgiven + FORGIVE_EVERY <= now {
            self.forgiven = now;
            self.peers.values_mut().for_each(|peer| peer.failures /= 2);
        }
    }

    fn delivered(&mut self, peer: &NodeId, per_block: Duration) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.failures /= 2;
            peer.per_block = Some(per_block);
        }
    }

    /// The first blocks that somebody should be asked for: of a peer that has delivered and never failed rather than of another, of an idle one
    /// rather than of a busy one, of a fast one rather than of a slow one. What only a worse peer was asked for is asked again.
    fn next_request(&self) -> Option<Request> {
        let last = self.target().0.min(self.tip.0 + MAX_BLOCKS_AHEAD);
        let mut able = self.able();
        able.sort_unstable();
        let wants = |height: u64, doubt: u32| self.asked_doubt(Height(height)).is_none_or(|asked| doubt < asked);
        let is_missing = |height: &u64| !self.arrived.contains_key(&Height(*height));
        let (from, (doubt, .., peer)) = (self.tip.0 + 1..=last).filter(is_missing).find_map(|height| {
            let best = able.iter().find(|(.., peer)| self.peers.get(peer).is_some_and(|standing| height <= standing.tip.0))?;
            wants(height, best.0).then_some((height, *best))
        })?;
        let end = last.min(self.peers.get(&peer)?.tip.0).min(from + MAX_BLOCKS_PER_REQUEST - 1);
        let count = (from..=end).take_while(|height| is_missing(height) && wants(*height, doubt)).count() as u64;
        Some(Request { peer, from: Height(from), count })
    }

    /// Who may be asked now, and what speaks against it: doubt, open requests, slowness. Requests to those who failed or have not delivered
    /// yet are few, and take no place of others.
    fn able(&self) -> Vec<(u32, usize, Duration, NodeId)> {
        let open_of = |peer: &NodeId| self.open.iter().filter(|open| open.request.peer == *peer).count();
        let is_full = MAX_REQUESTS <= self.open.iter().filter(|open| self.doubt_of(open) == 0).count();
        let able = |(id, peer): (&NodeId, &Peer)| {
            let (open, doubt) = (open_of(id), peer.doubt());
            let has_room = if doubt == 0 { !is_full } else { open == 0 };
            has_room.then_some((doubt, open, peer.per_block.unwrap_or_default(), *id))
        };
        self.peers.iter().filter_map(able).collect()
    }

    /// The least doubt about those who were asked for this block; none if nobody was.
    fn asked_doubt(&self, height: Height) -> Option<u32> {
        self.open.iter().filter(|open| open.covers(height)).map(|open| self.doubt_of(open)).min()
    }

    fn doubt_of(&self, open: &Open) -> u32 {
        self.peers.get(&open.request.peer).map_or(u32::MAX, Peer::doubt)
    }

    /// Forgets those who are gone and of whom nobody said so.
    pub fn retain(&mut self, is_here: impl Fn(&NodeId) -> bool) {
        let gone: Vec<NodeId> = self.peers.keys().filter(|peer| !is_here(peer)).copied().collect();
        gone.iter().for_each(|peer| self.left(peer));
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
            // Each has delivered before.
            plan.delivered(&peer(number as u8 + 1), Duration::ZERO);
        }
        plan
    }

    #[test]
    fn who_comes_with_a_new_name_holds_nobody_up() {
        let mut plan = Plan::<u64>::new(Height(10));
        (1..=4).for_each(|stranger| plan.status(peer(stranger), Height(u64::MAX), START));
        assert_eq!(plan.requests(START).len(), 4, "one range each");
        // Somebody who is known to deliver is asked for all of it at once.
        plan.status(peer(9), Height(500), START);
        plan.delivered(&peer(9), Duration::ZERO);
        let asked = plan.requests(START);
        assert!(asked.len() == MAX_REQUESTS && asked.iter().all(|request| request.peer == peer(9)), "{asked:?}");
        assert_eq!(asked[0].from, Height(11));
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
    fn whoever_drips_is_given_up_as_if_silent() {
        let mut plan = plan_behind(&[12, 12]);
        plan.requests(LATER);
        for tenth in 1..=52 {
            // A twentieth of what is asked for, all the time.
            plan.progress(&peer(1), Height(11), MIN_RATE as usize / 200, LATER + Duration::from_millis(100) * tenth);
        }
        assert_eq!(plan.requests(LATER + REQUEST_LIMIT + REQUEST_LIMIT / 10)[0].peer, peer(2));
    }

    #[test]
    fn whoever_delivers_keeps_its_request_but_not_for_ever() {
        let mut plan = plan_behind(&[12, 12]);
        plan.requests(LATER);
        let second = |second: u32| LATER + Duration::from_secs(1) * second;
        for at in 1..30 {
            plan.progress(&peer(1), Height(11), MIN_RATE as usize, second(at));
            assert_eq!(plan.requests(second(at)), [], "after {at} s");
        }
        assert_eq!(plan.requests(LATER + WHOLE_REQUEST_LIMIT)[0].peer, peer(2));
    }

    #[test]
    fn among_liars_the_honest_peer_is_asked_for_everything() {
        let honest = peer(4);
        // It answered; the others did not.
        let mut plan = plan_behind(&[1_000, 1_000, 1_000, 500]);
        let first = plan.requests(START);
        let own = first.iter().find(|request| request.peer == honest).copied().unwrap();
        for height in own.from.0..own.from.0 + own.count {
            assert!(plan.arrived(honest, Height(height), height, LATER));
        }
        let asked = plan.requests(START + REQUEST_LIMIT);
        let of_honest: u64 = asked.iter().filter(|request| request.peer == honest).map(|request| request.count).sum();
        assert_eq!(of_honest, MAX_BLOCKS_AHEAD - own.count, "{asked:?}");
    }

    #[test]
    fn a_height_that_nobody_delivers_is_believed_no_more() {
        let mut plan = plan_behind(&[u64::MAX, 11]);
        let mut now = LATER;
        for _ in 0..DOUBTED_FROM {
            plan.requests(now);
            plan.requests(now + REQUEST_LIMIT);
            now += REQUEST_LIMIT + LATER;
        }
        assert_eq!(plan.target(), Height(11));
    }

    #[test]
    fn whoever_takes_back_its_height_is_asked_no_more() {
        let mut plan = plan_behind(&[100, 100]);
        let taken_back = plan.requests(START).iter().find(|request| request.peer == peer(1)).copied().unwrap();
        plan.status(peer(1), Height(5), START);
        let again = plan.requests(START);
        assert!(again.iter().all(|request| request.peer == peer(2)), "{again:?}");
        assert!(again.iter().any(|request| request.from == taken_back.from), "{again:?}");
    }

    #[test]
    fn a_fast_peer_is_asked_before_a_slow_one() {
        let mut plan = plan_behind(&[42, 42]);
        plan.delivered(&peer(1), Duration::from_secs(1));
        plan.delivered(&peer(2), Duration::from_millis(1));
        assert_eq!(plan.requests(LATER)[0].peer, peer(2));
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
