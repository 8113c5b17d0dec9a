//! When the next height begins.
//!
//! Never before `block_interval` has passed since the last block. When idle, not before a transaction waits, another validator
//! has begun, or `empty_block_interval` is over. A height that has begun always gets a block.
//!
//! Whoever is late catches up, or it would begin each height when the others have decided it, for ever:
//! * it does not wait at all once more than a third of the power has begun, because an honest one of them has waited for everybody;
//! * to vote it waits an eighth less once anybody has begun. The proposer, who sets the pace and the timestamp, waits in full.
//!
//! From one second on, intervals are measured from the timestamp of the last block, so that timestamps rise by as much and
//! never run ahead of the clock. Below, timestamps are too coarse and intervals are measured from one start to the next.

use std::time::Duration;

use primitives::genesis::ConsensusParameters;

use super::event::Now;

const SECOND: Duration = Duration::from_secs(1);

/// Who else has begun the next height, as verified messages of it show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    Wait,
    SomeBegan,
    /// More than a third of the power.
    ManyBegan,
}

#[derive(Debug)]
pub(super) struct Pace {
    block_interval: Duration,
    empty_block_interval: Duration,
    /// Timestamp of the last block; none at genesis.
    last_block_ms: Option<u64>,
    last_start: Option<Duration>,
    pub transactions_wait: bool,
}

impl Pace {
    pub fn new(parameters: &ConsensusParameters, last_block_ms: Option<u64>) -> Self {
        let ConsensusParameters { block_interval, empty_block_interval, .. } = *parameters;
        Self { block_interval, empty_block_interval, last_block_ms, last_start: None, transactions_wait: false }
    }

    pub fn committed(&mut self, block_time_ms: u64) {
        self.last_block_ms = Some(block_time_ms);
    }

    pub fn started(&mut self, now: Now) {
        self.last_start = Some(now.monotonic);
    }

    /// How long the next height is still withheld; zero when it may begin. `proposes`: its first proposal is ours to make.
    pub fn wait(&self, others: Others, proposes: bool, now: Now) -> Duration {
        match others {
            Others::ManyBegan => Duration::ZERO,
            Others::SomeBegan if !proposes => self.remaining(self.block_interval - self.block_interval / 8, now),
            Others::Wait if !self.transactions_wait => self.until_overdue(now),
            Others::SomeBegan | Others::Wait => self.remaining(self.block_interval, now),
        }
    }

    /// How much longer another validator may withhold the height because it is idle.
    pub fn until_overdue(&self, now: Now) -> Duration {
        self.remaining(self.empty_block_interval.max(self.block_interval), now)
    }

    /// Never more than the interval itself, however clocks jump.
    fn remaining(&self, interval: Duration, now: Now) -> Duration {
        if self.block_interval < SECOND {
            let next = self.last_start.map(|start| start.saturating_add(interval));
            return next.map_or(Duration::ZERO, |next| next.saturating_sub(now.monotonic)).min(interval);
        }
        let next = self.last_block_ms.map(|time| Duration::from_millis(time).saturating_add(interval));
        next.map_or(Duration::ZERO, |next| next.saturating_sub(Duration::from_millis(now.unix_ms))).min(interval)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pace(block_ms: u64, empty_ms: u64) -> Pace {
        let ms = Duration::from_millis;
        let parameters = ConsensusParameters { block_interval: ms(block_ms), empty_block_interval: ms(empty_ms), ..Default::default() };
        Pace::new(&parameters, None)
    }

    fn at(ms: u64) -> Now {
        Now { monotonic: Duration::from_millis(ms), unix_ms: 1_000_000 + ms }
    }

    fn wait_ms(pace: &Pace, others: Others, now_ms: u64) -> u64 {
        pace.wait(others, true, at(now_ms)).as_millis() as u64
    }

    #[test]
    fn the_first_height_begins_at_once() {
        assert_eq!(wait_ms(&pace(1_000, 2_000), Others::Wait, 0), 0);
    }

    #[test]
    fn an_idle_chain_waits_for_the_longer_interval_and_a_busy_one_for_the_shorter() {
        let mut pace = pace(1_000, 2_000);
        pace.committed(1_000_000);
        assert_eq!((wait_ms(&pace, Others::Wait, 300), wait_ms(&pace, Others::SomeBegan, 300)), (1_700, 700));
        assert_eq!((wait_ms(&pace, Others::Wait, 1_000), wait_ms(&pace, Others::SomeBegan, 1_000)), (1_000, 0));
        pace.transactions_wait = true;
        assert_eq!(wait_ms(&pace, Others::Wait, 1_000), 0);
    }

    #[test]
    fn below_one_second_starts_are_spaced_whatever_the_timestamps_say() {
        let mut pace = pace(200, 400);
        pace.committed(1_009_000);
        pace.started(at(100));
        assert_eq!((wait_ms(&pace, Others::SomeBegan, 250), wait_ms(&pace, Others::Wait, 300)), (50, 200));
    }

    #[test]
    fn who_is_late_begins_with_many_others() {
        for block_ms in [200, 1_000] {
            let mut pace = pace(block_ms, 2_000);
            pace.committed(1_000_000);
            pace.started(at(0));
            assert_eq!(wait_ms(&pace, Others::ManyBegan, 50), 0);
        }
    }

    #[test]
    fn a_voter_follows_a_proposer_that_is_a_little_ahead() {
        let mut pace = pace(200, 400);
        pace.started(at(0));
        let follows = |now_ms| pace.wait(Others::SomeBegan, false, at(now_ms)).as_millis();
        assert_eq!((follows(100), follows(175)), (75, 0));
        assert_eq!(wait_ms(&pace, Others::SomeBegan, 175), 25);
    }

    #[test]
    fn without_intervals_nothing_waits() {
        let mut pace = pace(0, 0);
        pace.committed(9_000_000);
        pace.started(at(0));
        assert_eq!(wait_ms(&pace, Others::Wait, 0), 0);
    }

    #[test]
    fn a_clock_that_was_set_back_delays_by_one_interval_at_most() {
        let mut pace = pace(1_000, 2_000);
        pace.committed(50_000_000);
        assert_eq!(wait_ms(&pace, Others::SomeBegan, 0), 1_000);
    }
}
