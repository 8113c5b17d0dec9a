//! Judging whether a child hangs.

use std::time::Duration;

/// After this long in one message, without waiting for another actor, a child is called slow.
pub(crate) const SLOW: Duration = Duration::from_secs(2);

/// How many ticks in a row must be on time before anybody is judged.
const CALM_TICKS: u32 = 2;

/// What is known of one incarnation at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signs {
    /// How long it has been at the work in hand, time spent waiting for others taken off; `None` when idle.
    pub busy: Option<Duration>,
    /// Whether it waits for another actor right now. Then the other one is to be judged.
    pub waiting: bool,
    /// What the work in hand may take.
    pub limit: Duration,
    /// How long it has shown no sign of life.
    pub silent: Duration,
    /// How long it has not answered a ping; zero when none is open.
    pub deaf: Duration,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fine,
    /// Time to ask whether it still listens.
    Ping,
    Hung {
        busy: Duration,
        limit: Duration,
    },
}

pub(crate) fn judge(signs: &Signs) -> Verdict {
    let limit = signs.limit;
    match signs.busy {
        _ if signs.waiting => Verdict::Fine,
        Some(busy) if busy > limit => Verdict::Hung { busy, limit },
        Some(_) => Verdict::Fine,
        None if signs.deaf > limit => Verdict::Hung { busy: signs.deaf, limit },
        None if signs.silent > limit / 2 => Verdict::Ping,
        None => Verdict::Fine,
    }
}

/// Whether the judge itself is on time. A judge that comes late must not condemn: then the machine is slow, not the child.
#[derive(Debug)]
pub(crate) struct Punctuality {
    tick: Duration,
    last: Duration,
    calm: u32,
}

impl Punctuality {
    pub fn new(tick: Duration) -> Self {
        Punctuality { tick, last: Duration::ZERO, calm: 0 }
    }

    /// Notes a tick at `now` (time since any fixed moment). `true`: judge.
    pub fn tick(&mut self, now: Duration) -> bool {
        let late = now.saturating_sub(self.last) > self.tick * 2;
        self.last = now;
        self.calm = if late { 0 } else { self.calm.saturating_add(1) };
        self.calm >= CALM_TICKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Signs = Signs { busy: None, waiting: false, limit: Duration::from_millis(100), silent: Duration::ZERO, deaf: Duration::ZERO };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn only_what_exceeds_its_limit_hangs() {
        assert_eq!(judge(&Signs { busy: Some(ms(100)), ..IDLE }), Verdict::Fine);
        let verdict = judge(&Signs { busy: Some(ms(101)), ..IDLE });
        assert_eq!(verdict, Verdict::Hung { busy: ms(101), limit: ms(100) });
    }

    #[test]
    fn who_waits_for_another_does_not_hang() {
        assert_eq!(judge(&Signs { busy: Some(ms(5000)), waiting: true, ..IDLE }), Verdict::Fine);
    }

    #[test]
    fn an_idle_child_is_pinged_and_hangs_when_it_stays_deaf() {
        assert_eq!(judge(&IDLE), Verdict::Fine);
        assert_eq!(judge(&Signs { silent: ms(51), ..IDLE }), Verdict::Ping);
        assert_eq!(judge(&Signs { silent: ms(5000), ..IDLE }), Verdict::Ping, "who was not asked need not answer");
        assert_eq!(judge(&Signs { deaf: ms(101), ..IDLE }), Verdict::Hung { busy: ms(101), limit: ms(100) });
    }

    #[test]
    fn a_late_judge_condemns_nobody_until_it_is_calm_again() {
        let mut judge = Punctuality::new(ms(10));
        let verdicts = [10, 20, 30, 500, 510, 520].map(|at| judge.tick(ms(at)));
        assert_eq!(verdicts, [false, true, true, false, false, true]);
    }
}
