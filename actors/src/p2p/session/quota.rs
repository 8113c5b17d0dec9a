//! How much a peer may say to consensus. Far above what an honest one ever says, and far below what its mailbox holds, so that
//! whoever floods us ends its own session and nobody else's. No I/O; time is what the caller says it is.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use primitives::{Address, limits::MAX_VALIDATORS};

use super::bucket::{Bucket, Rate};

/// Messages that one validator, or all strangers together, may say at once.
const MAX_BURST: u64 = 2_048;
/// Messages that one stranger may say at once: what is known of a height that took many rounds.
const STRANGER_BURST: u64 = 1_024;
/// Messages a second of all strangers together.
const ALL_STRANGERS: u64 = 2_048;

/// What validators and strangers may say. One for all sessions: a new session is no new quota.
#[derive(Clone, Debug)]
pub(in super::super) struct Quotas(Arc<Mutex<Shared>>);

#[derive(Debug)]
struct Shared {
    /// Of those who have said something.
    by_validator: BTreeMap<Address, Bucket>,
    validator: Bucket,
    stranger: Bucket,
    all_strangers: Bucket,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Deliver,
    /// All strangers together said too much for consensus, or this peer too much of a class.
    Drop,
    /// This peer said too much.
    Leave,
}

impl Quotas {
    /// Among so many validators. Each says a few messages a height, and all that is known of a height to a peer that asks; only
    /// the latter grows with the set.
    pub fn new(validators: usize) -> Self {
        let validators = validators.min(MAX_VALIDATORS) as u64;
        let bucket = |per_second, burst| Bucket::new(Rate { per_second, burst });
        let (validator, stranger) = (1_024 + 256 * validators, 64 + 16 * validators);
        Self(Arc::new(Mutex::new(Shared {
            by_validator: BTreeMap::new(),
            validator: bucket(validator, validator.min(MAX_BURST)),
            stranger: bucket(stranger, STRANGER_BURST),
            all_strangers: bucket(ALL_STRANGERS, MAX_BURST),
        })))
    }

    /// The quota of one session.
    pub(super) fn session(&self) -> Quota {
        Quota { as_stranger: self.0.lock().stranger.clone(), quotas: self.clone() }
    }
}

impl Shared {
    /// The quota of a validator; none if there are more than any set has.
    fn of(&mut self, validator: Address) -> Option<&mut Bucket> {
        let has_room = self.by_validator.len() < MAX_VALIDATORS || self.by_validator.contains_key(&validator);
        has_room.then(|| self.by_validator.entry(validator).or_insert(self.validator.clone()))
    }
}

/// What one session may say.
#[derive(Clone, Debug)]
pub(super) struct Quota {
    as_stranger: Bucket,
    quotas: Quotas,
}

impl Quota {
    /// One more message, by a peer that speaks for this validator or for none.
    pub fn judge(&mut self, validator: Option<Address>, now: Duration) -> Verdict {
        let mut shared = self.quotas.0.lock();
        if let Some(own) = validator.and_then(|validator| shared.of(validator)) {
            return if own.take(1, now) { Verdict::Deliver } else { Verdict::Leave };
        }
        match self.as_stranger.take(1, now) {
            true if shared.all_strangers.take(1, now) => Verdict::Deliver,
            true => Verdict::Drop,
            false => Verdict::Leave,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALIDATOR: Option<Address> = Some(Address::repeat_byte(1));
    const ANOTHER: Option<Address> = Some(Address::repeat_byte(2));

    /// How many of 10,000 messages at this moment are delivered.
    fn delivered(quota: &mut Quota, validator: Option<Address>, at_ms: u64) -> usize {
        (0..10_000).filter(|_| quota.judge(validator, Duration::from_millis(at_ms)) == Verdict::Deliver).count()
    }

    #[test]
    fn a_validator_may_say_much_and_a_new_session_is_no_new_quota() {
        let quotas = Quotas::new(4);
        assert_eq!(delivered(&mut quotas.session(), VALIDATOR, 5_000), 2_048);
        assert_eq!(quotas.session().judge(VALIDATOR, Duration::from_secs(5)), Verdict::Leave);
        assert_eq!(delivered(&mut quotas.session(), ANOTHER, 5_000), 2_048);
    }

    #[test]
    fn time_gives_it_back_and_never_more_than_a_burst() {
        let mut quota = Quotas::new(4).session();
        assert_eq!(delivered(&mut quota, None, 0), 1_024);
        assert_eq!(delivered(&mut quota, None, 250), 32);
        assert_eq!(delivered(&mut quota, None, 100_000), 1_024);
    }

    #[test]
    fn a_large_set_never_fills_the_mailbox_at_once() {
        assert_eq!(delivered(&mut Quotas::new(1_000).session(), VALIDATOR, 0), 2_048);
    }

    #[test]
    fn strangers_together_lose_words_and_validators_do_not() {
        let quotas = Quotas::new(4);
        let heard: usize = (0..100).map(|_| delivered(&mut quotas.session(), None, 0)).sum();
        assert_eq!(heard, 2_048);
        assert_eq!(quotas.session().judge(None, Duration::ZERO), Verdict::Drop);
        assert_eq!(quotas.session().judge(VALIDATOR, Duration::ZERO), Verdict::Deliver);
    }
}
