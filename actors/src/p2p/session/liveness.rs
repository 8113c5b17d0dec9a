//! Whether a peer is alive: pings, and what their answers tell.

use std::time::Duration;

/// How early a ping may be: ticks are never quite on time.
const MAX_SLACK: Duration = Duration::from_millis(250);

/// Pings that have not been answered yet.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// Of the monotonic clock: when the latest ping was sent.
    last: Option<Duration>,
    /// Number of the latest ping.
    nonce: u64,
    /// Pings since the latest answer, with the time they were sent.
    open: Vec<Sent>,
}

/// How often a peer is asked whether it is there, and how many unanswered pings mean that it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    pub every: Duration,
    pub misses: u32,
}

/// One ping.
#[derive(Clone, Copy, Debug)]
struct Sent {
    nonce: u64,
    /// Of the monotonic clock.
    at: Duration,
    unix_ms: u64,
}

/// What to do at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send a ping with this nonce.
    Ping(u64),
    /// It is not time yet.
    Wait,
    /// The peer is gone.
    Dead,
}

/// What an answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measured {
    pub round_trip: Duration,
    /// How far the peer's clock is ahead of ours.
    pub clock_offset_ms: i64,
}

impl Liveness {
    /// Once every while, at least as often as the quickest pace. `at` is monotonic, `unix_ms` the time of day. A pace that becomes quicker
    /// holds from the next tick on.
    pub fn tick(&mut self, pace: Pace, at: Duration, unix_ms: u64) -> Verdict {
        // Ticks come a little early or late, and none of them shall be missed for that.
        let slack = (pace.every / 4).min(MAX_SLACK);
        if self.last.is_some_and(|last| at + slack < last + pace.every) {
            return Verdict::Wait;
        }
        if pace.misses as usize <= self.open.len() {
            return Verdict::Dead;
        }
        self.last = Some(at);
        self.nonce += 1;
        self.open.push(Sent { nonce: self.nonce, at, unix_ms });
        Verdict::Ping(self.nonce)
    }

    /// An answer came, with the peer's time of day. None for one that was never asked.
    pub fn pong(&mut self, nonce: u64, received_ms: u64, at: Duration) -> Option<Measured> {
        let sent = self.open.iter().find(|sent| sent.nonce == nonce).copied()?;
        self.open.retain(|open| nonce < open.nonce);
        let round_trip = at.saturating_sub(sent.at);
        let there = sent.unix_ms.saturating_add(round_trip.as_millis() as u64 / 2);
        let clock_offset_ms = i64::try_from(i128::from(received_ms) - i128::from(there)).unwrap_or(i64::MAX);
        Some(Measured { round_trip, clock_offset_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const QUICK: Pace = Pace { every: ms(1_000), misses: 3 };
    const SLOW: Pace = Pace { every: ms(30_000), misses: 2 };

    #[test]
    fn three_misses_are_the_end() {
        let mut liveness = Liveness::default();
        let verdicts = [0, 1, 2, 3].map(|second| liveness.tick(QUICK, ms(1_000 * second), 0));
        assert_eq!(verdicts, [Verdict::Ping(1), Verdict::Ping(2), Verdict::Ping(3), Verdict::Dead]);
    }

    #[test]
    fn a_link_that_is_only_kept_open_is_asked_twice_in_a_minute() {
        let mut liveness = Liveness::default();
        let verdicts: Vec<_> =
            (0..=60).map(|second| liveness.tick(SLOW, ms(1_000 * second), 0)).filter(|verdict| *verdict != Verdict::Wait).collect();
        assert_eq!(verdicts[..2], [Verdict::Ping(1), Verdict::Ping(2)]);
        assert_eq!(verdicts.get(2), Some(&Verdict::Dead));
    }

    #[test]
    fn a_link_that_becomes_one_of_validators_is_asked_at_once() {
        let mut liveness = Liveness::default();
        assert_eq!(liveness.tick(SLOW, ms(0), 0), Verdict::Ping(1));
        assert_eq!(liveness.tick(SLOW, ms(1_000), 0), Verdict::Wait);
        assert_eq!(liveness.tick(QUICK, ms(2_000), 0), Verdict::Ping(2));
    }

    #[test]
    fn an_answer_makes_up_for_all_earlier_misses() {
        let mut liveness = Liveness::default();
        (0..3).for_each(|second| assert_ne!(liveness.tick(QUICK, ms(1_000 * second), 0), Verdict::Dead));
        assert!(liveness.pong(3, 0, ms(2_500)).is_some());
        assert_eq!(liveness.tick(QUICK, ms(3_000), 0), Verdict::Ping(4));
    }

    #[test]
    fn round_trip_and_clock_are_measured() {
        let mut liveness = Liveness::default();
        liveness.tick(QUICK, ms(100), 1_000_000);
        let measured = liveness.pong(1, 1_000_510, ms(120));
        assert_eq!(measured, Some(Measured { round_trip: ms(20), clock_offset_ms: 500 }));
    }

    #[test]
    fn an_answer_to_nothing_and_absurd_clocks_do_no_harm() {
        let mut liveness = Liveness::default();
        assert_eq!(liveness.pong(7, 0, ms(0)), None);
        liveness.tick(QUICK, ms(0), 0);
        assert_eq!(liveness.pong(1, u64::MAX, ms(0)).map(|measured| measured.clock_offset_ms), Some(i64::MAX));
    }
}
