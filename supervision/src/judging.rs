//! What the supervisor does at each tick: who hangs, whose start is late, who does not leave.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use crate::child::{Child, ChildId, Phase, Stage, Then};
use crate::event::EventKind;
use crate::exit::ExitReason;
use crate::family::Family;
use crate::hang::{Verdict, judge};
use crate::mailbox::Leaving;
use crate::snapshot::millis;
use crate::stopping::Deadline;

/// What a tick finds.
enum Finding {
    Hung { busy: Duration, limit: Duration },
    StartLate,
    ReadyLate,
    LeaveLate,
}

impl Family {
    pub fn tick(&mut self) {
        let on_time = self.punctuality.tick(self.epoch.elapsed());
        self.tell_of_letters_and_cycles();
        self.log_ends();
        let findings: Vec<(ChildId, Finding)> = self.children.keys().filter_map(|id| Some((*id, self.look(*id, on_time)?))).collect();
        for (id, finding) in findings {
            match finding {
                Finding::Hung { busy, limit } => self.replace_hung(id, busy, limit),
                Finding::StartLate => self.give_up_start(id),
                Finding::ReadyLate => self.give_up_recovery(id),
                Finding::LeaveLate => self.hurry(id),
            }
        }
        self.look_at_progress();
    }

    fn log_ends(&mut self) {
        for (kind, count) in self.ends.due(self.epoch.elapsed()) {
            tracing::warn!(child = &*kind, count, "more of these actors ended");
        }
    }

    fn look(&self, id: ChildId, on_time: bool) -> Option<Finding> {
        // A late judge condemns nobody for hanging, and gives starts and stops twice their time: those must end.
        let patience = if on_time { 1 } else { 2 };
        let is_over = |since: &Instant, limit: Duration| since.elapsed() > limit.saturating_mul(patience);
        let child = self.children.get(&id)?;
        match &child.phase {
            Phase::Starting { since, .. } => is_over(since, child.rules.start_limit).then_some(Finding::StartLate),
            // Declared work has its own limit, also while its actor leaves: a disk may take longer than a goodbye.
            Phase::Leaving(leave) => {
                let is_late = is_over(&leave.since, child.limit_of(leave.stage)) && !child.pulse().is_declared();
                is_late.then_some(Finding::LeaveLate)
            }
            Phase::Recovering { since, .. } if is_over(since, child.rules.ready_limit.unwrap_or(Duration::MAX)) => Some(Finding::ReadyLate),
            Phase::Running(_) | Phase::Suspended(_) | Phase::Recovering { .. } if on_time => hung(child),
            _ => None,
        }
    }

    /// Fences a hung incarnation and starts another, unless there must never be two.
    fn replace_hung(&mut self, id: ChildId, busy: Duration, limit: Duration) {
        let Some(child) = self.children.get(&id) else { return };
        let during = child.pulse().doing().to_owned();
        let exclusive = child.rules.exclusive;
        child.port.vitals().hangs.fetch_add(1, Relaxed);
        child.fence(true);
        if let Some(cell) = child.cell() {
            cell.kill();
        }
        let (busy_ms, limit_ms) = (millis(busy), millis(limit));
        self.tell(id, EventKind::Hung { during: during.clone(), busy_ms });
        let reason = ExitReason::Hung { during, busy_ms, limit_ms };
        match exclusive {
            true => self.escalate_stuck(id, reason),
            false => self.exit(id, reason),
        }
    }

    fn give_up_start(&mut self, id: ChildId) {
        let Some(child) = self.children.get(&id) else { return };
        let Phase::Starting { starter, .. } = &child.phase else { return };
        starter.abort();
        let reason = ExitReason::StartLate { limit_ms: millis(child.rules.start_limit) };
        // Whether the factory has let go of what it took cannot be known.
        match child.rules.exclusive {
            true => self.escalate_stuck(id, reason),
            false => self.exit(id, reason),
        }
    }

    fn give_up_recovery(&mut self, id: ChildId) {
        let Some(child) = self.children.get_mut(&id) else { return };
        let reason = ExitReason::ReadyLate { limit_ms: millis(child.rules.ready_limit.unwrap_or_default()) };
        child.kill(reason, Then::Judge);
    }

    fn escalate_stuck(&mut self, id: ChildId, reason: ExitReason) {
        if let Some(child) = self.children.get(&id) {
            child.fence(false);
            child.port.vitals().note_exit(reason.clone());
        }
        self.escalate(id, &reason, "an exclusive actor is stuck");
    }

    /// Somebody who leaves has spent the time of this stage: on to the next.
    fn hurry(&mut self, id: ChildId) {
        let Some(child) = self.children.get_mut(&id) else { return };
        let Phase::Leaving(leave) = &mut child.phase else { return };
        let is_drained = child.port.vitals().pulse().is_saying_goodbye();
        match leave.stage {
            Stage::Draining => {
                (leave.stage, leave.since) = (Stage::Stopping, Instant::now());
                if !is_drained {
                    child.port.leave(Leaving::AtOnce);
                    self.note_missed(id, Deadline::Drain);
                }
            }
            Stage::Stopping => {
                let limit = child.rules.drain_limit + child.rules.stop_limit;
                let then = leave.then;
                child.kill(ExitReason::StopLate { limit_ms: millis(limit) }, then);
                self.note_missed(id, Deadline::Stop);
            }
            Stage::Killed => self.abandon(id),
        }
    }

    /// Not even a kill moved it: its thread is blocked. It is fenced, so it can do no harm but hold what it holds.
    fn abandon(&mut self, id: ChildId) {
        self.note_missed(id, Deadline::Kill);
        let Some(child) = self.children.get(&id) else { return };
        let Phase::Leaving(leave) = &child.phase else { return };
        let (then, reason) = (leave.then, leave.reason.clone());
        match then != Then::End && child.rules.exclusive && self.stopping.is_none() {
            true => self.escalate_stuck(id, reason),
            false => self.left(id, reason, then),
        }
    }
}

fn hung(child: &Child) -> Option<Finding> {
    match judge(&child.pulse().signs()) {
        Verdict::Fine => None,
        Verdict::Ping => {
            child.port.ping();
            None
        }
        Verdict::Hung { busy, limit } => Some(Finding::Hung { busy, limit }),
    }
}
