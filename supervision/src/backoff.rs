//! How long to wait before trying again.

use std::time::Duration;

/// The first retry at once, then exponential with jitter up to a cap; reset by a stable uptime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The second retry waits about this long, the third twice as long, and so on.
    pub base: Duration,
    /// No wait is longer.
    pub cap: Duration,
    /// An uptime after which the next failure counts as the first.
    pub stable_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(10), stable_after: Duration::from_secs(10) }
    }
}

impl Backoff {
    /// The wait before retry number `retry`, counted from 0. `jitter` is a random number in `[0, 1)`: it spreads the
    /// wait from three quarters to five quarters of its nominal length.
    pub fn delay(&self, retry: u32, jitter: f64) -> Duration {
        let Some(doublings) = retry.checked_sub(1) else {
            return Duration::ZERO;
        };
        let nominal = self.base.saturating_mul(2u32.saturating_pow(doublings)).min(self.cap);
        nominal.mul_f64(0.75 + jitter.clamp(0.0, 1.0) / 2.0).min(self.cap)
    }

    /// The number of the retry that follows a life of `uptime`, when the last was `retry`.
    pub fn next(&self, retry: Option<u32>, uptime: Duration) -> u32 {
        match retry {
            Some(retry) if uptime < self.stable_after => retry.saturating_add(1),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_retry_is_at_once_and_the_rest_double_up_to_the_cap() {
        let waits: Vec<u128> = (0..10).map(|retry| Backoff::default().delay(retry, 0.5).as_millis()).collect();
        assert_eq!(waits, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(Backoff::default().delay(u32::MAX, 0.99), Duration::from_secs(10));
    }

    #[test]
    fn jitter_spreads_a_wait_by_a_quarter_either_way() {
        assert_eq!(Backoff::default().delay(1, 0.0), Duration::from_millis(75));
        assert_eq!(Backoff::default().delay(1, 1.0), Duration::from_millis(125));
    }

    #[test]
    fn a_stable_uptime_makes_the_next_failure_the_first() {
        let backoff = Backoff::default();
        assert_eq!(backoff.next(None, Duration::ZERO), 0);
        assert_eq!(backoff.next(Some(3), Duration::from_secs(1)), 4);
        assert_eq!(backoff.next(Some(3), Duration::from_secs(10)), 0);
    }
}
