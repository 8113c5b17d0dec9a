//! What to do when a child has ended.

use std::time::Duration;

use crate::backoff::Backoff;
use crate::budget::{Budget, Spending};
use crate::exit::ExitReason;

/// When a child comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Always.
    Permanent,
    /// Unless it ended as it should.
    Transient,
    /// Never.
    Temporary,
}

/// What the supervisor does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Start it again after this long.
    Retry(Duration),
    /// It is over, and nobody minds.
    End,
    /// The budget is spent.
    GiveUp,
}

/// The restarts of one child so far.
#[derive(Debug, Default)]
pub(crate) struct History {
    spending: Spending,
    retry: Option<u32>,
    blamed: Option<String>,
    times: u32,
}

/// The rules of a child that matter when it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub restart: Restart,
    pub backoff: Backoff,
    pub budget: Budget,
}

/// One end of one incarnation.
pub(crate) struct Exit<'a> {
    pub reason: &'a ExitReason,
    /// How long it had been ready; zero for one that never was.
    pub uptime: Duration,
    /// Time since any fixed moment.
    pub now: Duration,
    /// A random number in `[0, 1)`.
    pub jitter: f64,
}

impl History {
    /// How often in a row, this exit included, the same message has ended this child.
    pub fn blame(&mut self, reason: &ExitReason) -> u32 {
        let same = reason.message().is_some() && self.blamed.as_deref() == reason.message();
        self.times = if same { self.times + 1 } else { 1 };
        self.blamed = reason.message().map(str::to_owned);
        self.times
    }

    /// A message was handled since the last exit, so nothing is "in a row" any more.
    pub fn forgive(&mut self) {
        self.blamed = None;
    }

    /// Decides what follows an exit, and books it.
    pub fn decide(&mut self, policy: &Policy, exit: &Exit<'_>) -> Decision {
        let comes_back = match policy.restart {
            Restart::Permanent => true,
            Restart::Transient => !exit.reason.is_normal(),
            Restart::Temporary => false,
        };
        if !comes_back {
            return Decision::End;
        }
        if !self.spending.book(&policy.budget, exit.now) {
            return Decision::GiveUp;
        }
        let retry = policy.backoff.next(self.retry, exit.uptime);
        self.retry = Some(retry);
        Decision::Retry(policy.backoff.delay(retry, exit.jitter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(restart: Restart, reason: &ExitReason) -> Decision {
        let policy = Policy { restart, backoff: Backoff::default(), budget: Budget::default() };
        let exit = Exit { reason, uptime: Duration::ZERO, now: Duration::ZERO, jitter: 0.5 };
        History::default().decide(&policy, &exit)
    }

    fn panic(during: &str) -> ExitReason {
        ExitReason::Panic { message: "boom".into(), place: None, backtrace: None, during: during.into(), times_in_a_row: 1 }
    }

    #[test]
    fn a_killed_child_is_no_normal_exit() {
        assert_eq!(decide(Restart::Transient, &ExitReason::Killed { by: "the runtime".into() }), Decision::Retry(Duration::ZERO));
    }

    #[test]
    fn each_policy_knows_who_comes_back() {
        let cases = [
            (Restart::Permanent, ExitReason::Done, Decision::Retry(Duration::ZERO)),
            (Restart::Permanent, panic("A"), Decision::Retry(Duration::ZERO)),
            (Restart::Transient, ExitReason::Done, Decision::End),
            (Restart::Transient, panic("A"), Decision::Retry(Duration::ZERO)),
            (Restart::Temporary, panic("A"), Decision::End),
        ];
        for (restart, reason, expected) in cases {
            assert_eq!(decide(restart, &reason), expected, "{restart:?} after {reason}");
        }
    }

    #[test]
    fn a_crash_loop_waits_longer_each_time_and_then_gives_up() {
        let budget = Budget { restarts: 4, window: Duration::from_secs(60) };
        let policy = Policy { restart: Restart::Permanent, backoff: Backoff::default(), budget };
        let mut history = History::default();
        let reason = panic("A");
        let exit = Exit { reason: &reason, uptime: Duration::ZERO, now: Duration::ZERO, jitter: 0.5 };
        let decisions: Vec<Decision> = (0..5).map(|_| history.decide(&policy, &exit)).collect();
        let waits = [0, 100, 200, 400].map(|ms| Decision::Retry(Duration::from_millis(ms)));
        assert_eq!(decisions[..4], waits);
        assert_eq!(decisions[4], Decision::GiveUp);
    }

    #[test]
    fn the_same_message_is_blamed_only_in_a_row() {
        let mut history = History::default();
        let times: Vec<u32> = ["A", "A", "B", "A"].map(|name| history.blame(&panic(name))).to_vec();
        assert_eq!(times, [1, 2, 1, 1]);
        history.forgive();
        assert_eq!(history.blame(&panic("A")), 1);
    }
}
