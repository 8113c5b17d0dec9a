//! What the supervisor does at each tick: who hangs, whose start is late, who does not leave.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use crate::child::{ChildId, Leave, Phase};
use crate::events::EventKind;
use crate::exit::ExitReason;
use crate::family::Family;
use crate::hang::{Verdict, judge};
use crate::snapshot::millis;

/// How long a killed incarnation may take to be gone before it counts as blocked.
pub(crate) const KILL_LIMIT: Duration = Duration::from_millis(500);

/// What a tick finds.
enum Finding {
    Hung { busy: Duration, limit: Duration },
    StartLate,
    LeaveLate,
    Blocked,
}

impl Family {
    pub fn tick(&mut self) {
        let on_time = self.punctuality.tick(self.epoch.elapsed());
        let findings: Vec<(ChildId, Finding)> = self.children.keys().filter_map(|id| Some((*id, self.look(*id, on_time)?))).collect();
        for (id, finding) in findings {
            match finding {
                Finding::Hung { busy, limit } => self.replace_hung(id, busy, limit),
                Finding::StartLate => self.give_up_start(id),
                Finding::LeaveLate => self.kill_late(id),
                Finding::Blocked => self.abandon(id),
            }
        }
    }

    fn look(&self, id: ChildId, on_time: bool) -> Option<Finding> {
        // A late judge condemns nobody for hanging, and gives starts and stops twice their time: those must end.
        let patience = if on_time { 1 } else { 2 };
        let child = self.children.get(&id)?;
        match &child.phase {
            Phase::Running(_) | Phase::Suspended(_) if !on_time => None,
            Phase::Running(_) | Phase::Suspended(_) => match judge(&child.pulse().signs()) {
                Verdict::Fine => None,
                Verdict::Ping => {
                    child.port.ping();
                    None
                }
                Verdict::Hung { busy, limit } => Some(Finding::Hung { busy, limit }),
            },
            Phase::Starting { since, .. } => (since.elapsed() > child.rules.start_limit.saturating_mul(patience)).then_some(Finding::StartLate),
            Phase::Leaving(Leave { killed: Some(killed), .. }) => (killed.elapsed() > KILL_LIMIT * patience).then_some(Finding::Blocked),
            Phase::Leaving(leave) => (leave.since.elapsed() > child.rules.stop_limit.saturating_mul(patience)).then_some(Finding::LeaveLate),
            _ => None,
        }
    }

    /// Fences a hung incarnation and starts another, unless there must never be two.
    fn replace_hung(&mut self, id: ChildId, busy: Duration, limit: Duration) {
        let Some(child) = self.children.get(&id) else { return };
        let during = child.pulse().doing().to_owned();
        let exclusive = child.rules.exclusive;
        child.port.vitals().hangs.fetch_add(1, Relaxed);
        child.fence();
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

    fn escalate_stuck(&mut self, id: ChildId, reason: ExitReason) {
        if let Some(child) = self.children.get(&id) {
            child.fence();
            child.port.vitals().note_exit(reason.clone());
        }
        self.escalate(id, &reason, "an exclusive actor is stuck");
    }

    fn kill_late(&mut self, id: ChildId) {
        self.note_late(id);
        let Some(child) = self.children.get_mut(&id) else { return };
        child.fence();
        if let Phase::Leaving(leave) = &mut child.phase {
            leave.cell.kill();
            leave.killed = Some(Instant::now());
        }
    }

    /// Not even a kill moved it: its thread is blocked. It is fenced, so it can do no harm but hold what it holds.
    fn abandon(&mut self, id: ChildId) {
        self.note_abandoned(id);
        let Some(child) = self.children.get(&id) else { return };
        let Phase::Leaving(leave) = &child.phase else { return };
        let (returns, exclusive) = (leave.returns, child.rules.exclusive);
        match returns && exclusive && self.stopping.is_none() {
            true => self.escalate_stuck(id, ExitReason::Killed),
            false => self.left(id, ExitReason::Killed, returns),
        }
    }
}
