//! How much a peer may say to consensus. Far above what an honest one ever says, and far below what its mailbox holds, so that
//! whoever floods us ends its own session and nobody else's. No I/O; time is what the caller says it is.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

/// Messages that one session may say at once, after silence.
const MAX_BURST: u32 = 2_048;
/// Messages that all strangers together may say at once, and in a second.
const ALL_STRANGERS: u32 = 2_048;

/// So many messages a second, and as many at once after a second of silence.
#[derive(Clone, Debug)]
struct Bucket {
    /// What one message takes.
    cost: Duration,
    /// How far ahead of the clock it may be used up.
    depth: Duration,
    /// Of the monotonic clock: when it is full again.
    full_at: Duration,
}

impl Bucket {
    fn new(per_second: u32, burst: u32) -> Self {
        let cost = Duration::from_secs(1) / per_second.max(1);
        Self { cost, depth: cost * burst, full_at: Duration::ZERO }
    }

    /// Takes one message out, if one is in.
    fn take(&mut self, now: Duration) -> bool {
        let full_at = self.full_at.max(now) + self.cost;
        let has_one = full_at <= now + self.depth;
        if has_one {
            self.full_at = full_at;
        }
        has_one
    }
}

/// What strangers may say together. One for all sessions.
#[derive(Clone, Debug)]
pub(in super::super) struct Strangers(Arc<Mutex<Bucket>>);

impl Strangers {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Bucket::new(ALL_STRANGERS, ALL_STRANGERS))))
    }

    fn take(&self, now: Duration) -> bool {
        self.0.lock().take(now)
    }
}

/// What to do with a message for consensus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Deliver,
    /// Others, whom nobody knows either, said too much.
    Drop,
    /// This session said too much.
    Leave,
}

/// What one session may say.
#[derive(Clone, Debug)]
pub(super) struct Quota {
    as_validator: Bucket,
    as_stranger: Bucket,
    strangers: Strangers,
}

impl Quota {
    /// Among `validators` of them. A validator says a few messages a height, and all that is known of a height to a peer that
    /// asks; only the latter grows with the set.
    pub fn new(validators: usize, strangers: Strangers) -> Self {
        let validators = u32::try_from(validators).unwrap_or(u32::MAX);
        let per_second = |base: u32, each: u32| base.saturating_add(validators.saturating_mul(each));
        let bucket = |rate: u32| Bucket::new(rate, rate.min(MAX_BURST));
        Self { as_validator: bucket(per_second(1_024, 256)), as_stranger: bucket(per_second(64, 16)), strangers }
    }

    /// One more message.
    pub fn judge(&mut self, is_validator: bool, now: Duration) -> Verdict {
        let own = if is_validator { &mut self.as_validator } else { &mut self.as_stranger };
        if !own.take(now) {
            return Verdict::Leave;
        }
        if is_validator || self.strangers.take(now) { Verdict::Deliver } else { Verdict::Drop }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota() -> Quota {
        Quota::new(4, Strangers::new())
    }

    /// How many of `count` messages at this moment are delivered.
    fn delivered(quota: &mut Quota, count: usize, is_validator: bool, at_ms: u64) -> usize {
        (0..count).filter(|_| quota.judge(is_validator, Duration::from_millis(at_ms)) == Verdict::Deliver).count()
    }

    #[test]
    fn a_validator_may_say_much_and_not_everything() {
        assert_eq!(delivered(&mut quota(), 10_000, true, 5_000), 2_048);
    }

    #[test]
    fn a_stranger_may_say_little() {
        assert_eq!(delivered(&mut quota(), 10_000, false, 5_000), 128);
    }

    #[test]
    fn time_gives_it_back_and_never_more_than_a_burst() {
        let mut quota = quota();
        assert_eq!(delivered(&mut quota, 10_000, false, 0), 128);
        assert_eq!(delivered(&mut quota, 10_000, false, 250), 32);
        assert_eq!(delivered(&mut quota, 10_000, false, 100_000), 128);
    }

    #[test]
    fn a_large_set_never_fills_the_mailbox_at_once() {
        let mut quota = Quota::new(1_000, Strangers::new());
        assert_eq!(delivered(&mut quota, 10_000, true, 0), 2_048);
    }

    #[test]
    fn strangers_together_lose_words_and_validators_do_not() {
        let strangers = Strangers::new();
        let mut crowd: Vec<Quota> = (0..100).map(|_| Quota::new(4, strangers.clone())).collect();
        assert_eq!(crowd.iter_mut().map(|quota| delivered(quota, 100, false, 0)).sum::<usize>(), 2_048);
        let mut another = Quota::new(4, strangers);
        assert_eq!(another.judge(false, Duration::ZERO), Verdict::Drop);
        assert_eq!(another.judge(true, Duration::ZERO), Verdict::Deliver);
    }
}
