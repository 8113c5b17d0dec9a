//! The rules of part streams: which are taken, what they must hold, what is kept of them.
//!
//! A stream begins with the proposer's signed proposal; nothing else in it is signed. It is taken only for the right
//! proposer of its height and round, one for each session, height and round, and is bounded by what it announced. What does
//! not hash to the value of its proposal costs the session its standing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use primitives::{B256, Body, Bytes, Domain, Height, NodeId, Proposal, Round, Signed, ValidatorSet, block_hash, limits};
use wire::{Assembly, GetParts, Part, PartsStart};

/// Streams of one session at a time.
pub const MAX_STREAMS_PER_SESSION: usize = 8;
/// How many heights above the tip streams are taken for: the one being decided and the one after it.
pub const MAX_HEIGHTS_AHEAD: u64 = 2;
/// Rounds of one height whose proposals are kept.
pub const MAX_ROUNDS_PER_HEIGHT: usize = 64;
/// How far a round may be ahead of the one at hand.
pub const MAX_ROUNDS_AHEAD: u32 = 3;
/// Blocks kept for one round; an honest proposer has one, and one who contradicts itself shall be seen to.
pub const MAX_VALUES_PER_ROUND: usize = 2;

/// A proposed block that is all here. Its rules have not been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    pub proposal: Signed<Proposal>,
    /// What `primitives::Body::encode` wrote.
    pub body: Bytes,
}

/// What came of a start or a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Of no use here: too old, too far ahead, known already, or without a start.
    Ignored,
    /// More parts are to come.
    Waiting,
    /// The block is whole and hashes to the proposed value.
    Whole(Box<Arrived>),
    /// No honest node sends this.
    Nonsense(String),
    /// More than is taken. A dishonest proposer makes honest nodes send it.
    TooMuch(String),
}

/// Undecided blocks, by value and by height and round, and streams on their way.
#[derive(Debug)]
pub struct Book {
    domain: Domain,
    set: ValidatorSet,
    tip: Height,
    /// Of the height after the tip.
    round: Round,
    /// What was taken for each round.
    values: BTreeMap<(Height, Round), BTreeSet<B256>>,
    streams: HashMap<(NodeId, Height, Round), Stream>,
    bodies: BTreeMap<(Height, B256), Bytes>,
    proposals: BTreeMap<(Height, Round), Signed<Proposal>>,
    /// Proposals whose blocks nobody streams to us, and whether they were so at the last look too.
    awaited: BTreeMap<(Height, Round), bool>,
}

#[derive(Debug)]
struct Stream {
    proposal: Signed<Proposal>,
    assembly: Assembly,
    /// Nothing came since the last look.
    is_stale: bool,
}

impl Book {
    /// A book for the heights above `tip`, all of which have the validators of `set`.
    pub fn new(domain: Domain, set: ValidatorSet, tip: Height) -> Self {
        Self {
            domain,
            set,
            tip,
            round: Round::ZERO,
            values: BTreeMap::new(),
            streams: HashMap::new(),
            bodies: BTreeMap::new(),
            proposals: BTreeMap::new(),
            awaited: BTreeMap::new(),
        }
    }

    /// A stream begins.
    pub fn start(&mut self, peer: NodeId, start: PartsStart) -> Outcome {
        let (height, round, value) = place(&start.proposal.message);
        if !self.is_near(height, round) || self.streams.contains_key(&(peer, height, round)) {
            return Outcome::Ignored;
        }
        if let Err(reason) = self.verify(&start.proposal) {
            return Outcome::Nonsense(reason);
        }
        let is_known = self.proposals.get(&(height, round)).is_some_and(|known| known.message.value == value);
        if let Some(body) = self.bodies.get(&(height, value)).cloned() {
            self.note(&start.proposal);
            let arrived = Arrived { proposal: start.proposal, body };
            return if is_known { Outcome::Ignored } else { Outcome::Whole(Box::new(arrived)) };
        }
        if MAX_STREAMS_PER_SESSION <= self.streams.keys().filter(|(session, ..)| *session == peer).count() {
            return Outcome::TooMuch(format!("more than {MAX_STREAMS_PER_SESSION} streams at once"));
        }
        if !self.take(height, round, value) {
            return Outcome::TooMuch(format!("more than {MAX_VALUES_PER_ROUND} blocks for round {round} of height {height}"));
        }
        match Assembly::new(start.outline, limits::MAX_BODY_BYTES) {
            Err(error) => Outcome::Nonsense(error.to_string()),
            Ok(assembly) => {
                self.streams.insert((peer, height, round), Stream { proposal: start.proposal, assembly, is_stale: false });
                Outcome::Waiting
            }
        }
    }

    /// A part of a stream came.
    pub fn part(&mut self, peer: NodeId, part: Part) -> Outcome {
        let key = (peer, part.height, part.round);
        let Some(stream) = self.streams.get_mut(&key).filter(|stream| stream.proposal.message.value == part.value) else {
            return Outcome::Ignored;
        };
        stream.is_stale = false;
        match stream.assembly.insert(part.index, part.bytes) {
            Ok(false) => Outcome::Waiting,
            Ok(true) => self.finish(key),
            Err(wire::ChunkError::Duplicate { .. }) => Outcome::Ignored,
            Err(error) => self.drop_stream(key, error.to_string()),
        }
    }

    /// Keeps a block whose hash was checked: our own, or one read back.
    pub fn keep(&mut self, height: Height, value: B256, body: Bytes) {
        if self.tip < height {
            self.bodies.insert((height, value), body);
        }
    }

    /// Remembers the proposal of a round, so that its stream can be served.
    pub fn note(&mut self, proposal: &Signed<Proposal>) {
        let (height, round, _) = place(&proposal.message);
        let kept = self.proposals.range((height, Round::ZERO)..=(height, Round(u32::MAX))).count();
        if kept < MAX_ROUNDS_PER_HEIGHT {
            self.proposals.entry((height, round)).or_insert_with(|| proposal.clone());
        }
    }

    /// What was proposed in `round`.
    pub fn proposal(&self, height: Height, round: Round) -> Option<&Signed<Proposal>> {
        self.proposals.get(&(height, round))
    }

    /// The undecided block with this hash.
    pub fn body(&self, height: Height, value: B256) -> Option<&Bytes> {
        self.bodies.get(&(height, value))
    }

    /// What was asked for, if it is here: the proposal and the whole body.
    pub fn wanted(&self, request: &GetParts) -> Option<(&Signed<Proposal>, &Bytes)> {
        let proposal = self.proposals.get(&(request.height, request.round)).filter(|known| known.message.value == request.value)?;
        Some((proposal, self.body(request.height, request.value)?))
    }

    /// Somebody verified a proposal and wants its block: here it is, or it is awaited from now on.
    pub fn accept(&mut self, proposal: &Signed<Proposal>) -> Option<Arrived> {
        let (height, round, value) = place(&proposal.message);
        self.note(proposal);
        if let Some(body) = self.bodies.get(&(height, value)) {
            return Some(Arrived { proposal: proposal.clone(), body: body.clone() });
        }
        if self.is_near(height, round) {
            self.awaited.entry((height, round)).or_insert(false);
        }
        None
    }

    /// What to ask for again: of its sender, streams to which nothing came since the last call; of everybody, blocks that
    /// nobody streams.
    pub fn stale(&mut self) -> Vec<(Option<NodeId>, GetParts)> {
        let mut requests = self.unstreamed();
        for ((peer, height, round), stream) in &mut self.streams {
            if std::mem::replace(&mut stream.is_stale, true) {
                let have = stream.assembly.present().collect();
                requests.push((Some(*peer), GetParts { height: *height, round: *round, value: stream.proposal.message.value, have }));
            }
        }
        requests
    }

    fn unstreamed(&mut self) -> Vec<(Option<NodeId>, GetParts)> {
        let (bodies, proposals, streams) = (&self.bodies, &self.proposals, &self.streams);
        let value_of = |place: &(Height, Round)| proposals.get(place).map(|proposal| proposal.message.value);
        self.awaited.retain(|place, _| value_of(place).is_some_and(|value| !bodies.contains_key(&(place.0, value))));
        let mut requests = Vec::new();
        for ((height, round), was_awaited) in &mut self.awaited {
            let is_streamed = streams.keys().any(|(_, streamed, of)| (streamed, of) == (height, round));
            let value = value_of(&(*height, *round)).filter(|_| *was_awaited && !is_streamed);
            *was_awaited = true;
            requests.extend(value.map(|value| (None, GetParts { height: *height, round: *round, value, have: Vec::new() })));
        }
        requests
    }

    /// `height` is committed: everything up to it is of no more use.
    pub fn committed(&mut self, height: Height) {
        if self.tip < height {
            self.tip = height;
            self.round = Round::ZERO;
        }
        let tip = self.tip;
        self.values.retain(|(height, _), _| tip < *height);
        self.streams.retain(|(_, height, _), _| tip < *height);
        self.bodies.retain(|(height, _), _| tip < *height);
        self.proposals.retain(|(height, _), _| tip < *height);
        self.awaited.retain(|(height, _), _| tip < *height);
    }

    /// The session of `peer` ended.
    pub fn left(&mut self, peer: &NodeId) {
        self.streams.retain(|(session, ..), _| session != peer);
    }

    /// Consensus is in this round of `height`.
    pub fn round_started(&mut self, height: Height, round: Round) {
        if height == self.tip.next() {
            self.round = round;
        }
    }

    fn is_near(&self, height: Height, round: Round) -> bool {
        let at_hand = if height == self.tip.next() { self.round } else { Round::ZERO };
        let is_soon = round.0 <= at_hand.0.saturating_add(MAX_ROUNDS_AHEAD);
        self.tip < height && height.0 <= self.tip.0 + MAX_HEIGHTS_AHEAD && is_soon
    }

    /// Whether one more block is taken for this round.
    fn take(&mut self, height: Height, round: Round, value: B256) -> bool {
        let values = self.values.entry((height, round)).or_default();
        values.contains(&value) || (values.len() < MAX_VALUES_PER_ROUND && values.insert(value))
    }

    fn verify(&self, proposal: &Signed<Proposal>) -> Result<(), String> {
        let Proposal { height, round, proposer, .. } = proposal.message;
        let expected = self.set.proposer(height, round);
        if expected.address != proposer {
            return Err(format!("{proposer} proposes in round {round} of height {height}, where {} is the proposer", expected.address));
        }
        if !proposal.is_by(&expected.public_key, &self.domain) {
            return Err(format!("the proposal of {proposer} for round {round} of height {height} has a bad signature"));
        }
        Ok(())
    }

    fn finish(&mut self, key: (NodeId, Height, Round)) -> Outcome {
        let Some(stream) = self.streams.remove(&key) else { return Outcome::Ignored };
        let proposal = stream.proposal;
        let whole = stream.assembly.finish().map_err(|error| error.to_string());
        match whole.and_then(|body| check(body, proposal.message.value)) {
            Err(reason) => Outcome::Nonsense(reason),
            Ok(body) => {
                let (height, _, value) = place(&proposal.message);
                self.note(&proposal);
                let is_new = self.bodies.insert((height, value), body.clone()).is_none();
                if is_new { Outcome::Whole(Box::new(Arrived { proposal, body })) } else { Outcome::Ignored }
            }
        }
    }

    fn drop_stream(&mut self, key: (NodeId, Height, Round), reason: String) -> Outcome {
        self.streams.remove(&key);
        Outcome::Nonsense(reason)
    }
}

fn place(proposal: &Proposal) -> (Height, Round, B256) {
    (proposal.height, proposal.round, proposal.value)
}

/// Whether `body` is the block that was proposed.
fn check(body: Option<Bytes>, value: B256) -> Result<Bytes, String> {
    let body = body.ok_or("the stream is not whole")?;
    let (block, _) = Body::decode(&body).and_then(|body| body.open()).map_err(|error| error.to_string())?;
    let hash = block_hash(&block);
    if hash == value { Ok(body) } else { Err(format!("the stream holds block {hash}, but {value} was proposed")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use primitives::{Block, Header, Metadata, SecretKey, Validator};
    use wire::{Outline, chunks};

    use super::*;

    const DOMAIN: Domain = Domain { chain_id: 1, genesis_hash: B256::ZERO };
    const PEER: NodeId = NodeId(primitives::Address::ZERO);

    fn keys() -> Vec<SecretKey> {
        (1..=4).map(|byte| SecretKey::from_bytes([byte; 32]).unwrap()).collect()
    }

    fn book() -> Book {
        let validator = |key: &SecretKey| Validator { address: key.address(), public_key: key.public_key(), power: 1 };
        Book::new(DOMAIN, ValidatorSet::new(keys().iter().map(validator).collect()).unwrap(), Height(4))
    }

    fn body(extra: usize) -> (B256, Bytes) {
        let header = Header { extra_data: vec![7; extra].into(), ..Header::default() };
        let block = Block { header, ..Block::default() };
        let metadata = Metadata { parent_certificate: None, validators_hash: B256::ZERO, next_validators_hash: B256::ZERO };
        (block_hash(&block), Body::new(&block, &metadata).encode())
    }

    fn start(height: u64, round: u32, extra: usize) -> PartsStart {
        let (value, body) = body(extra);
        let book = book();
        let proposer = book.set.proposer(Height(height), Round(round)).address;
        let key = keys().into_iter().find(|key| key.address() == proposer).unwrap();
        let proposal = Proposal { height: Height(height), round: Round(round), value, pol_round: None, proposer };
        PartsStart { proposal: Signed::new(proposal, &key, &DOMAIN), outline: Outline::of(&body) }
    }

    fn parts(start: &PartsStart, extra: usize) -> Vec<Part> {
        let Proposal { height, round, value, .. } = start.proposal.message;
        chunks::cut(&body(extra).1).map(|(index, bytes)| Part { height, round, value, index, bytes }).collect()
    }

    fn feed(book: &mut Book, height: u64, round: u32, extra: usize) -> Outcome {
        let start = start(height, round, extra);
        let parts = parts(&start, extra);
        let mut outcome = book.start(PEER, start);
        for part in parts {
            outcome = book.part(PEER, part);
        }
        outcome
    }

    #[test]
    fn a_stream_of_several_parts_becomes_the_block() {
        let mut book = book();
        let extra = 3 * limits::MAX_CHUNK_BYTES;
        let Outcome::Whole(arrived) = feed(&mut book, 5, 0, extra) else { panic!("not whole") };
        assert_eq!(arrived.body, body(extra).1);
        assert_eq!(book.body(Height(5), body(extra).0), Some(&body(extra).1));
    }

    #[test]
    fn a_block_proposed_again_needs_no_second_stream() {
        let mut book = book();
        feed(&mut book, 5, 0, 10);
        assert!(matches!(book.start(PEER, start(5, 1, 10)), Outcome::Whole(_)));
        assert_eq!(book.start(PEER, start(5, 1, 10)), Outcome::Ignored);
    }

    #[test]
    fn only_the_right_proposer_with_its_own_signature_is_heard() {
        let mut wrong_round = start(5, 0, 10);
        wrong_round.proposal.message.round = Round(1);
        assert!(matches!(book().start(PEER, wrong_round), Outcome::Nonsense(reason) if reason.contains("where")));
        let mut forged = start(5, 0, 10);
        forged.proposal.message.pol_round = Some(Round(0));
        assert!(matches!(book().start(PEER, forged), Outcome::Nonsense(reason) if reason.contains("signature")));
    }

    #[test]
    fn a_stream_that_holds_another_block_is_nonsense() {
        let mut book = book();
        let mut start = start(5, 0, 10);
        start.outline = Outline::of(&body(11).1);
        let mut parts = parts(&start, 11);
        book.start(PEER, start);
        assert!(matches!(book.part(PEER, parts.remove(0)), Outcome::Nonsense(reason) if reason.contains("was proposed")));
    }

    #[test]
    fn a_round_far_ahead_is_ignored_until_it_is_near() {
        let mut book = book();
        assert_eq!(feed(&mut book, 5, MAX_ROUNDS_AHEAD + 1, 10), Outcome::Ignored);
        book.round_started(Height(5), Round(1));
        assert!(matches!(feed(&mut book, 5, MAX_ROUNDS_AHEAD + 1, 10), Outcome::Whole(_)));
    }

    #[test]
    fn a_proposer_cannot_fill_the_book_with_blocks_of_one_round() {
        let mut book = book();
        for extra in 1..=MAX_VALUES_PER_ROUND {
            assert!(matches!(feed(&mut book, 5, 0, extra), Outcome::Whole(_)));
        }
        assert!(matches!(book.start(PEER, start(5, 0, 99)), Outcome::TooMuch(reason) if reason.contains("more than")));
    }

    #[test]
    fn old_and_distant_heights_are_ignored() {
        for height in [4, 7] {
            assert_eq!(feed(&mut book(), height, 0, 10), Outcome::Ignored);
        }
        assert!(matches!(feed(&mut book(), 6, 0, 10), Outcome::Whole(_)));
    }

    #[test]
    fn missing_parts_are_asked_for_again() {
        let mut book = book();
        let extra = 2 * limits::MAX_CHUNK_BYTES;
        let start = start(5, 0, extra);
        let mut parts = parts(&start, extra);
        book.start(PEER, start);
        book.part(PEER, parts.remove(1));
        assert_eq!(book.stale(), []);
        assert_eq!(book.stale()[0].1.have, [1]);
        book.left(&PEER);
        assert_eq!(book.stale(), []);
    }

    #[test]
    fn a_block_that_nobody_streams_is_asked_of_everybody() {
        let mut book = book();
        let proposal = start(5, 0, 10).proposal;
        assert_eq!(book.accept(&proposal), None);
        assert_eq!(book.stale(), []);
        assert_eq!(book.stale()[0].0, None);
        feed(&mut book, 5, 0, 10);
        assert_eq!(book.stale(), []);
        assert_eq!(book.accept(&proposal).unwrap().body, body(10).1);
    }

    #[test]
    fn who_asks_gets_the_proposal_and_the_body() {
        let mut book = book();
        feed(&mut book, 5, 0, 10);
        let request = GetParts { height: Height(5), round: Round(0), value: body(10).0, have: vec![] };
        assert_eq!(book.wanted(&request).unwrap().1, &body(10).1);
        assert_eq!(book.wanted(&GetParts { round: Round(1), ..request }), None);
    }

    #[test]
    fn a_decided_height_leaves_nothing_behind() {
        let mut book = book();
        feed(&mut book, 5, 0, 10);
        book.start(PEER, start(5, 2, 11));
        book.committed(Height(5));
        assert!(book.streams.is_empty() && book.bodies.is_empty() && book.proposals.is_empty());
    }

    #[test]
    fn one_session_cannot_open_streams_without_end() {
        let mut book = book();
        for round in 0..MAX_STREAMS_PER_SESSION as u32 {
            book.round_started(Height(5), Round(round));
            assert_eq!(book.start(PEER, start(5, round, 10)), Outcome::Waiting);
        }
        book.round_started(Height(5), Round(7));
        assert!(matches!(book.start(PEER, start(5, 9, 10)), Outcome::TooMuch(_)));
    }
}
