//! So many a second, and so many at once: the rule, without a clock.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// Most that either number of a rate may be.
const MAX: u32 = 1_000_000;

/// Requests that are allowed: written `100/s burst 200`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub per_second: u32,
    /// So many at once, after a rest.
    pub burst: u32,
}

/// A text that is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be two whole numbers from 1 to {MAX}, as in \"100/s burst 200\"")]
pub struct MalformedRate;

impl FromStr for Rate {
    type Err = MalformedRate;

    fn from_str(text: &str) -> Result<Self, MalformedRate> {
        let (per_second, burst) = text.split_once("/s burst ").ok_or(MalformedRate)?;
        let number = |text: &str| text.trim().parse::<NonZeroU32>().ok().map(NonZeroU32::get).filter(|number| *number <= MAX).ok_or(MalformedRate);
        Ok(Self { per_second: number(per_second)?, burst: number(burst)? })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s burst {}", self.per_second, self.burst)
    }
}

impl Rate {
    /// What one request costs, in time.
    fn interval(self) -> Duration {
        Duration::from_nanos(NANOS_PER_SECOND / u64::from(self.per_second.max(1)))
    }
}

/// When a client will have paid for all it asked: each request costs an interval, and nobody may owe more than a burst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Debt(Duration);

impl Debt {
    /// One more request at `now`; how long to wait when that is one too many.
    pub fn add(&mut self, rate: Rate, now: Duration) -> Result<(), Duration> {
        let paid_at = self.0.max(now) + rate.interval();
        let most = now + rate.interval() * rate.burst.max(1);
        if most < paid_at {
            return Err(paid_at - most);
        }
        self.0 = paid_at;
        Ok(())
    }

    pub fn is_paid(&self, now: Duration) -> bool {
        self.0 <= now
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 3 };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_is_allowed_and_the_next_has_to_wait() {
        let mut debt = Debt::default();
        let outcomes: Vec<_> = (0..4).map(|_| debt.add(RATE, ms(5_000))).collect();
        assert_eq!(outcomes, [Ok(()), Ok(()), Ok(()), Err(ms(100))]);
        assert_eq!(debt.add(RATE, ms(5_099)), Err(ms(1)));
        assert_eq!(debt.add(RATE, ms(5_100)), Ok(()));
    }

    #[test]
    fn in_the_long_run_no_more_than_the_rate_is_allowed() {
        let mut debt = Debt::default();
        let allowed = (0..10_000).filter(|at| debt.add(RATE, ms(*at)).is_ok()).count();
        assert_eq!(allowed, 3 + 99);
    }

    #[test]
    fn what_is_refused_costs_nothing() {
        let mut debt = Debt::default();
        for _ in 0..1_000 {
            let _ = debt.add(RATE, ms(0));
        }
        assert!(!debt.is_paid(ms(299)) && debt.is_paid(ms(300)));
    }

    #[test]
    fn a_rate_is_read_as_it_is_written() {
        for (text, per_second, burst) in [("100/s burst 200", 100, 200), ("1/s burst 1", 1, 1)] {
            assert_eq!(text.parse::<Rate>().unwrap(), Rate { per_second, burst });
            assert_eq!(Rate { per_second, burst }.to_string(), text);
        }
        for text in ["", "100", "100/s", "0/s burst 1", "1/s burst 0", "-1/s burst 1", "1/m burst 1", "1/s burst 1000001", "1.5/s burst 2"] {
            assert_eq!(text.parse::<Rate>(), Err(MalformedRate), "{text}");
        }
    }
}
