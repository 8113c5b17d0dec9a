//! How peers behave: what they did wrong and right, who is left for it, who is banned.
//!
//! | file       | rule                                                                                           |
//! |------------|------------------------------------------------------------------------------------------------|
//! | `offence`  | what a peer can do wrong, what it costs, and whether an honest one may get into it             |
//! | `score`    | one peer's record: fades with time, has parts that operators see                               |
//! | `scores`   | the records of all, bounded; what outlives the process                                         |
//! | `bans`     | who is not talked to until when, longer each time; what outlives the process                   |
//! | `register` | all together: from an offence to a sentence                                                    |
//!
//! A configured peer and a validator of the set are never banned by rule, and load costs them nothing: they are left for what can
//! be proved, and may come back at once. Offences come in by one door, [`super::Peers::offence`].

mod bans;
mod offence;
mod register;
mod score;
mod scores;

use std::{net::IpAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use primitives::{Clock, NodeId};

pub use bans::{Ban, Culprit, KeptBan};
pub use offence::Offence;
pub(super) use register::{Register, Rudeness, Sentence, Suspect};
pub use score::{Deed, Link, Parts, Score};
pub use scores::KeptScore;

/// The register of one node, shared by all who ask it. Cheap to clone, good through every restart of an actor.
#[derive(Clone)]
pub struct Conduct(Arc<Inner>);

struct Inner {
    register: Mutex<Register>,
    clock: Arc<dyn Clock>,
}

/// What of it outlives the process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    pub scores: Vec<KeptScore>,
    pub bans: Vec<KeptBan>,
}

impl Conduct {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { register: Mutex::default(), clock }))
    }

    /// How long `culprit` is still banned; none if it is not.
    pub fn banned(&self, culprit: &Culprit) -> Option<Duration> {
        let now = self.now();
        self.0.register.lock().bans.of(culprit, now).map(|ban| ban.until.saturating_sub(now))
    }

    /// Whether `node` may have no session. Whoever has a right to a seat is kept out by a person only.
    pub fn is_kept_out(&self, node: &NodeId, has_seat: bool) -> bool {
        let register = self.0.register.lock();
        register.bans.of(&Culprit::Node(*node), self.now()).is_some_and(|ban| ban.is_by_operator || !has_seat)
    }

    /// Bans that hold, with how long they still do.
    pub fn bans(&self) -> Vec<(Ban, Duration)> {
        let now = self.now();
        self.0.register.lock().bans.list(now).map(|ban| (ban.clone(), ban.until.saturating_sub(now))).collect()
    }

    /// What is known of `node`.
    pub fn record(&self, node: &NodeId) -> Score {
        self.0.register.lock().scores.get(node).cloned().unwrap_or_default()
    }

    /// The score of `node` while it has this link.
    pub fn score(&self, node: &NodeId, link: Link) -> Parts {
        self.record(node).parts(link, self.now())
    }

    /// Something new and good came from `node`.
    pub fn useful(&self, node: NodeId, deed: Deed, times: u64) {
        let now = self.now();
        self.0.register.lock().scores.of(node, now).useful(deed, times, now);
    }

    /// What to write down, so that a restart forgives nothing.
    pub fn snapshot(&self) -> Kept {
        let (now, unix_ms) = (self.now(), self.0.clock.unix_ms());
        let register = self.0.register.lock();
        Kept { scores: register.scores.snapshot(now), bans: register.bans.snapshot(now, unix_ms) }
    }

    /// What was written down.
    pub fn restore(&self, kept: Kept) {
        let (now, unix_ms) = (self.now(), self.0.clock.unix_ms());
        let mut register = self.0.register.lock();
        register.scores.restore(kept.scores, now);
        register.bans.restore(kept.bans, now, unix_ms);
    }

    pub(super) fn judge(&self, suspect: &Suspect, offence: Offence) -> Sentence {
        let now = self.now();
        self.0.register.lock().judge(suspect, offence, now)
    }

    pub(super) fn was_rude(&self, ip: IpAddr, rudeness: Rudeness, is_shared: bool) -> Option<Duration> {
        let now = self.now();
        self.0.register.lock().was_rude(ip, rudeness, is_shared, now)
    }

    /// Bans for as long as a person says. Sessions go on: see [`super::Peers::ban`].
    pub fn ban(&self, culprit: Culprit, long: Duration, reason: &str) {
        let now = self.now();
        self.0.register.lock().bans.ban(culprit, long, reason, now);
    }

    /// Ends a ban; says whether there was one.
    pub fn lift(&self, culprit: &Culprit) -> bool {
        let now = self.now();
        self.0.register.lock().bans.lift(culprit, now)
    }

    fn now(&self) -> Duration {
        self.0.clock.monotonic()
    }
}

impl std::fmt::Debug for Conduct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.register.lock().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use primitives::{Address, ManualClock};

    use super::*;

    const NODE: NodeId = NodeId(Address::repeat_byte(1));

    #[test]
    fn a_restart_forgives_nothing_and_time_goes_on_meanwhile() {
        let (before, after) = (ManualClock::at(1_000_000), ManualClock::at(1_060_000));
        let (conduct, restarted) = (Conduct::new(Arc::new(before)), Conduct::new(Arc::new(after)));
        let stranger = Suspect { node: NODE, ip: None, has_seat: false, is_shared: false };
        assert!(matches!(conduct.judge(&stranger, Offence::BadBlock), Sentence::Banned { .. }));
        restarted.restore(conduct.snapshot());
        let left = |conduct: &Conduct| conduct.banned(&Culprit::Node(NODE)).map(|left| left.as_secs());
        assert_eq!((left(&conduct), left(&restarted)), (Some(600), Some(540)));
        assert_eq!(restarted.score(&NODE, Link::default()).offences, -50);
        assert!(restarted.is_kept_out(&NODE, false) && !restarted.is_kept_out(&NODE, true));
        assert!(restarted.lift(&Culprit::Node(NODE)) && !restarted.is_kept_out(&NODE, false));
    }

    #[test]
    fn whom_a_person_bans_has_no_seat_whoever_it_is() {
        let conduct = Conduct::new(Arc::new(ManualClock::at(0)));
        conduct.ban(Culprit::Node(NODE), Duration::from_secs(1), "by hand");
        assert!(conduct.is_kept_out(&NODE, true));
    }
}
