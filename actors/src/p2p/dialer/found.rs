//! Whom of the peer book to dial, and whom to let go. No I/O; time is what the caller says it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use primitives::NodeId;
use rand::Rng;

use super::super::book::{Book, Candidate, Range, Seated, Wish, leaver};

/// Attempts at a time.
const MAX_DIALLING: usize = 8;
/// Time between two looks for somebody to dial.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Time between two looks whether somebody makes room for somebody better.
const ROTATE_EVERY: Duration = Duration::from_secs(600);
/// Sessions that we dial in one network range; more of them would be one voice.
const MAX_PER_RANGE: usize = 2;

/// A session that we dialled and that is not with a configured peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub node: NodeId,
    pub range: Option<Range>,
    /// Of the monotonic clock.
    pub since: Duration,
    pub round_trip: Option<Duration>,
    pub is_validator: bool,
}

/// What the dialer sees at one moment.
pub(super) struct Sight<'a> {
    /// Of the monotonic clock.
    pub now: Duration,
    pub now_ms: u64,
    pub sessions: Vec<Session>,
    /// Connected, banned, or configured.
    pub is_taken: &'a dyn Fn(&NodeId) -> bool,
    /// Whether there is a session with anybody.
    pub is_online: bool,
}

/// What to do about the peer book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Dial(Candidate),
    Leave(NodeId),
}

/// Sessions from the peer book: how many, and how they went.
#[derive(Debug)]
pub(super) struct Found {
    max: usize,
    stable: Duration,
    dialling: BTreeSet<NodeId>,
    /// Sessions as of the last look, and since when.
    seated: BTreeMap<NodeId, Duration>,
    looked_at: Option<Duration>,
    rotated_at: Option<Duration>,
}

impl Found {
    /// At most `max` sessions; one that lasted `stable` makes up for earlier failures.
    pub fn new(max: usize, stable: Duration) -> Self {
        Self { max, stable, dialling: BTreeSet::new(), seated: BTreeMap::new(), looked_at: None, rotated_at: None }
    }

    /// Whether it is time to look.
    pub fn is_due(&self, now: Duration) -> bool {
        self.max != 0 && self.looked_at.is_none_or(|at| at + LOOK_EVERY <= now)
    }

    /// What to do now. Whoever is to be dialled counts as being dialled until [`Found::ended`].
    pub fn look(&mut self, book: &mut Book, sight: &Sight<'_>, random: &mut impl Rng) -> Vec<Step> {
        self.looked_at = Some(sight.now);
        self.note(book, sight, random);
        let mut steps = Vec::new();
        while self.dialling.len() < MAX_DIALLING && sight.sessions.len() + self.dialling.len() < self.max {
            let Some(candidate) = self.with_wish(sight, |wish| book.candidate(wish, random)) else { break };
            self.dialling.insert(candidate.node);
            steps.push(Step::Dial(candidate));
        }
        if steps.is_empty() {
            steps.extend(self.rotate(book, sight));
        }
        steps
    }

    /// An attempt is over.
    pub fn ended(&mut self, node: &NodeId) {
        self.dialling.remove(node);
    }

    /// Compares the sessions with those of the last look.
    fn note(&mut self, book: &mut Book, sight: &Sight<'_>, random: &mut impl Rng) {
        for session in sight.sessions.iter().filter(|session| session.since + self.stable <= sight.now) {
            book.lasted(&session.node);
        }
        let seated = sight.sessions.iter().map(|session| (session.node, session.since)).collect();
        for (node, since) in std::mem::replace(&mut self.seated, seated) {
            let is_gone = !self.seated.contains_key(&node) && !(sight.is_taken)(&node);
            if is_gone && sight.now < since + self.stable {
                book.failed(&node, sight.now_ms, random.random(), sight.is_online);
            }
        }
    }

    fn with_wish<T>(&self, sight: &Sight<'_>, choose: impl FnOnce(&Wish<'_>) -> T) -> T {
        let is_taken = |node: &NodeId| self.dialling.contains(node) || (sight.is_taken)(node);
        let is_crowded =
            |range: Range| !range.is_local() && MAX_PER_RANGE <= sight.sessions.iter().filter(|session| session.range == Some(range)).count();
        choose(&Wish { now_ms: sight.now_ms, is_taken: &is_taken, is_crowded: &is_crowded })
    }

    /// Whoever makes room, when all seats are taken and the book has somebody better.
    fn rotate(&mut self, book: &Book, sight: &Sight<'_>) -> Option<Step> {
        let began = *self.rotated_at.get_or_insert(sight.now);
        if sight.now < began + ROTATE_EVERY || sight.sessions.len() < self.max {
            return None;
        }
        self.rotated_at = Some(sight.now);
        let others = sight.sessions.iter().filter(|session| !session.is_validator);
        let seated: Vec<_> =
            others.map(|session| Seated { node: session.node, score: book.score(&session.node), round_trip: session.round_trip }).collect();
        let best = self.with_wish(sight, |wish| book.best(wish))?;
        leaver(&seated, best.score).map(Step::Leave)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use primitives::{B256, Domain, SecretKey};
    use rand::{SeedableRng, rngs::StdRng};
    use wire::{AddressRecord, Services, Whereabouts};

    use super::{super::super::book::Limits, *};

    fn key(number: u8) -> SecretKey {
        SecretKey::from_bytes([number; 32]).unwrap()
    }

    fn node(number: u8) -> NodeId {
        key(number).public_key().into()
    }

    /// A book with these nodes, each in a range of its own.
    fn book(numbers: std::ops::RangeInclusive<u8>) -> Book {
        let mut book = Book::new(node(200), Limits::default());
        for number in numbers {
            let at = Whereabouts { address: ([number, 1, 0, 1], 1).into(), issued_ms: 1, services: Services::BLOCKS };
            let domain = Domain { chain_id: 1, genesis_hash: B256::ZERO };
            book.hear(AddressRecord::new(&key(number), &domain, at), node(number), false);
        }
        book
    }

    fn session(number: u8, since: u64) -> Session {
        let range = Some(Range::V4([number, 1]));
        Session { node: node(number), range, since: Duration::from_secs(since), round_trip: None, is_validator: false }
    }

    fn look(found: &mut Found, book: &mut Book, secs: u64, sessions: &[Session]) -> Vec<Step> {
        let is_taken = |node: &NodeId| sessions.iter().any(|session| session.node == *node);
        let (now, sessions) = (Duration::from_secs(secs), sessions.to_vec());
        let sight = Sight { now, now_ms: secs * 1_000, sessions: sessions.clone(), is_taken: &is_taken, is_online: true };
        found.look(book, &sight, &mut StdRng::seed_from_u64(secs))
    }

    #[test]
    fn so_many_are_dialled_as_are_wanted_and_each_once_at_a_time() {
        let (mut found, mut book) = (Found::new(3, Duration::from_secs(60)), book(1..=9));
        assert_eq!(look(&mut found, &mut book, 1, &[session(1, 0)]).len(), 2);
        assert_eq!(look(&mut found, &mut book, 2, &[session(1, 0)]), []);
        assert!(!Found::new(0, Duration::ZERO).is_due(Duration::ZERO), "a private node dials nobody");
    }

    #[test]
    fn two_sessions_in_a_range_are_enough() {
        let (mut found, mut book) = (Found::new(5, Duration::from_secs(60)), book(1..=1));
        let crowd = [2, 3].map(|number| Session { range: Some(Range::V4([1, 1])), ..session(number, 0) });
        assert_eq!(look(&mut found, &mut book, 1, &crowd), []);
        assert_eq!(look(&mut found, &mut book, 2, &crowd[..1]).len(), 1);
    }

    #[test]
    fn a_session_that_did_not_last_is_a_failure_and_one_that_did_makes_up_for_it() {
        let (mut found, mut book) = (Found::new(1, Duration::from_secs(60)), book(1..=1));
        look(&mut found, &mut book, 10, &[session(1, 10)]);
        assert_eq!(look(&mut found, &mut book, 11, &[]), []);
        assert_eq!(book.get(&node(1)).unwrap().attempts, 1);
        look(&mut found, &mut book, 20, &[session(1, 20)]);
        look(&mut found, &mut book, 80, &[session(1, 20)]);
        assert_eq!(book.get(&node(1)).unwrap().attempts, 0);
        assert_eq!(look(&mut found, &mut book, 81, &[]).len(), 1);
    }

    #[test]
    fn every_ten_minutes_the_worst_makes_room_for_somebody_better() {
        let (mut found, mut book) = (Found::new(2, Duration::from_secs(60)), book(1..=3));
        let seated = [session(1, 0), session(2, 0)];
        book.set_score(node(1), -5);
        assert_eq!(look(&mut found, &mut book, 1, &seated), []);
        assert_eq!(look(&mut found, &mut book, 600, &seated), [], "not ten minutes yet");
        assert_eq!(look(&mut found, &mut book, 601, &seated), [Step::Leave(node(1))]);
        assert_eq!(look(&mut found, &mut book, 700, &seated), []);
        book.set_score(node(1), 1);
        assert_eq!(look(&mut found, &mut book, 1_201, &seated), [], "nobody is better");
    }

    #[test]
    fn a_validator_is_never_rotated() {
        let (mut found, mut book) = (Found::new(1, Duration::from_secs(60)), book(1..=2));
        book.set_score(node(1), -5);
        let validator = [Session { is_validator: true, ..session(1, 0) }];
        look(&mut found, &mut book, 1, &validator);
        assert_eq!(look(&mut found, &mut book, 601, &validator), []);
    }
}
