//! What is thought of one peer. No I/O; time is what the caller says it is.

use std::{collections::BTreeMap, time::Duration};

use super::offence::{LIMIT, Offence};

/// Good and bad are half forgotten after this long.
pub const HALF_LIFE: Duration = Duration::from_secs(600);
/// What usefulness counts for at most, however useful a peer is.
const MAX_USEFUL: f64 = 40.0;
/// What a round trip near zero counts for.
const MAX_LATENCY: f64 = 20.0;
/// The round trip that counts for half of that: one halfway round the world and back.
const HALFWAY: Duration = Duration::from_millis(150);
/// What a session counts for at most that lasts.
const MAX_UPTIME: f64 = 20.0;
/// How long a session takes to count for half of that.
const SETTLED: Duration = Duration::from_secs(1_800);

/// Points that halve every [`HALF_LIFE`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fading {
    points: f64,
    /// Of the monotonic clock: when `points` was right.
    at: Duration,
}

impl Fading {
    pub fn new(points: f64, now: Duration) -> Self {
        Self { points, at: now }
    }

    /// What is left of them.
    pub fn left(&self, now: Duration) -> f64 {
        let halves = now.saturating_sub(self.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
        self.points * (-halves).exp2()
    }

    /// Adds points, up to `most` in all; returns what there is now.
    pub fn add(&mut self, points: f64, most: f64, now: Duration) -> f64 {
        *self = Self::new((self.left(now) + points).min(most), now);
        self.points
    }
}

/// Something new and good that came from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A transaction that we lacked, and that is one.
    Transaction,
    /// A proposed block whose parts are whole.
    Proposal,
    /// A decided block that we lacked.
    Block,
}

impl Deed {
    const fn points(self) -> f64 {
        match self {
            Self::Transaction => 0.01,
            Self::Proposal | Self::Block => 0.5,
        }
    }
}

/// One peer's record, over all of its sessions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    pub(super) useful: Fading,
    pub(super) penalty: Fading,
    pub(super) offences: BTreeMap<Offence, u64>,
}

/// The session that a peer has now, as far as it matters here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    pub round_trip: Option<Duration>,
    /// How long it has been open.
    pub age: Duration,
}

/// A score in its parts, in points; more is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// 0 to 20: of the latest round trip.
    pub latency: i64,
    /// 0 to 40: what came from it that was new and good.
    pub usefulness: i64,
    /// 0 to 20: how long its session has lasted.
    pub uptime: i64,
    /// -100 to 0: what it did wrong. Nothing else counts when it is judged: good deeds buy no offence.
    pub offences: i64,
}

impl Parts {
    /// The score.
    pub fn total(&self) -> i64 {
        self.latency + self.usefulness + self.uptime + self.offences
    }
}

impl Score {
    pub fn useful(&mut self, deed: Deed, times: u64, now: Duration) {
        self.useful.add(deed.points() * times as f64, MAX_USEFUL, now);
    }

    /// Counts an offence that costs nothing.
    pub fn note(&mut self, offence: Offence) {
        let count = self.offences.entry(offence).or_default();
        *count = count.saturating_add(1);
    }

    /// Counts an offence, and says whether it was one too many. Who is left for that begins again at half of the limit.
    pub fn offend(&mut self, offence: Offence, now: Duration) -> bool {
        self.note(offence);
        let is_too_much = LIMIT <= self.penalty.add(offence.points(), LIMIT, now);
        if is_too_much {
            self.penalty = Fading::new(LIMIT / 2.0, now);
        }
        is_too_much
    }

    /// How often it did what.
    pub fn offences(&self) -> &BTreeMap<Offence, u64> {
        &self.offences
    }

    /// What is thought of it while it has this link.
    pub fn parts(&self, link: Link, now: Duration) -> Parts {
        let share = |part: Duration, half: Duration| part.as_secs_f64() / (part + half).as_secs_f64();
        Parts {
            latency: link.round_trip.map_or(0, |round_trip| (MAX_LATENCY * (1.0 - share(round_trip, HALFWAY))).round() as i64),
            usefulness: self.useful.left(now).round() as i64,
            uptime: (MAX_UPTIME * share(link.age, SETTLED)).round() as i64,
            offences: -(self.penalty.left(now).round() as i64),
        }
    }

    /// How much is lost when it is forgotten.
    pub(super) fn weight(&self, now: Duration) -> f64 {
        // Whoever fills the table with new names shall not wash off what an old one did.
        self.penalty.left(now) * LIMIT + self.useful.left(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::ZERO;

    fn parts(score: &Score, now: Duration) -> Parts {
        score.parts(Link::default(), now)
    }

    #[test]
    fn good_and_bad_halve_in_a_half_life() {
        let mut score = Score::default();
        score.useful(Deed::Block, 40, START);
        assert!(!score.offend(Offence::Broken, START));
        assert_eq!((parts(&score, START).usefulness, parts(&score, START).offences), (20, -60));
        assert_eq!((parts(&score, HALF_LIFE).usefulness, parts(&score, HALF_LIFE).offences), (10, -30));
        assert_eq!((parts(&score, 20 * HALF_LIFE).usefulness, parts(&score, 20 * HALF_LIFE).offences), (0, 0));
    }

    #[test]
    fn the_sixteenth_malformed_frame_is_one_too_many_and_rare_ones_never_are() {
        let mut score = Score::default();
        assert!((0..15).all(|_| !score.offend(Offence::Malformed, START)));
        assert!(score.offend(Offence::Malformed, Duration::from_secs(10)));
        let mut score = Score::default();
        assert!((0..1_000).all(|minute| !score.offend(Offence::Malformed, Duration::from_secs(60 * minute))));
    }

    #[test]
    fn good_deeds_buy_no_offence() {
        let mut score = Score::default();
        score.useful(Deed::Block, 1_000_000, START);
        assert_eq!(parts(&score, START).usefulness, 40);
        assert!(!score.offend(Offence::Broken, START));
        assert!(score.offend(Offence::Broken, START));
    }

    #[test]
    fn who_was_left_needs_half_as_much_the_next_time() {
        let mut score = Score::default();
        assert!(score.offend(Offence::BadBlock, START));
        assert_eq!(parts(&score, START).offences, -50);
        assert!(score.offend(Offence::BadStream, START));
    }

    #[test]
    fn a_near_peer_that_stays_is_worth_more() {
        let link = |ms, age| Link { round_trip: Some(Duration::from_millis(ms)), age: Duration::from_secs(age) };
        let score = Score::default();
        let [near, far] = [1, 300].map(|ms| score.parts(link(ms, 0), START));
        assert_eq!((near.latency, far.latency), (20, 7));
        let [new, old] = [0, 36_000].map(|age| score.parts(link(150, age), START));
        assert_eq!((new.uptime, old.uptime, new.total(), old.total()), (0, 19, 10, 29));
        assert_eq!(score.parts(Link::default(), START).latency, 0, "before it is measured");
    }

    #[test]
    fn time_that_goes_back_does_no_harm() {
        let fading = Fading::new(8.0, Duration::from_secs(100));
        assert!((fading.left(START) - 8.0).abs() < f64::EPSILON);
    }
}
