//! A token bucket. No I/O; time is what the caller says it is.

use std::time::Duration;

/// So much a second, and after silence so much at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub per_second: u64,
    pub burst: u64,
}

/// What is left of a [`Rate`].
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    rate: Rate,
    /// Of the monotonic clock: when it is full again.
    full_at: Duration,
}

impl Rate {
    /// How long it takes to earn `amount`.
    fn cost(self, amount: u64) -> Duration {
        let nanos = u128::from(amount) * 1_000_000_000 / u128::from(self.per_second.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Bucket {
    pub fn new(rate: Rate) -> Self {
        Self { rate, full_at: Duration::ZERO }
    }

    /// Whether so much is in.
    pub fn has(&self, amount: u64, now: Duration) -> bool {
        self.full_at.max(now).saturating_add(self.rate.cost(amount)) <= now.saturating_add(self.rate.cost(self.rate.burst))
    }

    /// Takes so much out, if it is in.
    pub fn take(&mut self, amount: u64, now: Duration) -> bool {
        let has_it = self.has(amount, now);
        if has_it {
            self.full_at = self.full_at.max(now).saturating_add(self.rate.cost(amount));
        }
        has_it
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_earns_a_burst_and_no_more() {
        let mut bucket = Bucket::new(Rate { per_second: 10, burst: 30 });
        let taken = |bucket: &mut Bucket, ms| (0..100).filter(|_| bucket.take(1, Duration::from_millis(ms))).count();
        assert_eq!([0, 500, 500, 100_000].map(|ms| taken(&mut bucket, ms)), [30, 5, 0, 30]);
    }

    #[test]
    fn what_does_not_fit_takes_nothing_out() {
        let mut bucket = Bucket::new(Rate { per_second: 1 << 27, burst: 1_000 });
        assert!(!bucket.take(1_001, Duration::ZERO));
        assert!(bucket.take(1_000, Duration::ZERO));
        assert!(!bucket.has(u64::MAX, Duration::ZERO));
    }
}
