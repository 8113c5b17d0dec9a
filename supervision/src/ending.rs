//! What follows when an incarnation has ended, and how one is told to end.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rand::Rng;

use crate::child::{Child, ChildId, Phase, Then};
use crate::event::EventKind;
use crate::exit::{EXIT_ESCALATED, Escalation, ExitReason};
use crate::family::Family;
use crate::fence::Incarnation;
use crate::mailbox::Leaving;
use crate::policy::{Decision, Exit};
use crate::snapshot::millis;
use crate::supervisor::Command;

impl Family {
    pub fn gone(&mut self, id: ChildId, incarnation: Incarnation, reason: ExitReason) {
        let Some(child) = self.children.get(&id) else { return };
        let is_given_up = child.incarnation() != incarnation || matches!(child.phase, Phase::BackingOff | Phase::Waiting | Phase::Over { .. });
        if is_given_up {
            self.shared.events.tell(&child.name, incarnation.0, EventKind::AbandonedGone);
            return;
        }
        match &child.phase {
            Phase::Leaving(leave) => {
                let (then, told) = (leave.then, leave.reason.clone());
                let reason = match reason {
                    ExitReason::Stopped | ExitReason::Killed { .. } => told,
                    own => own,
                };
                self.left(id, reason, then);
            }
            _ => self.exit(id, reason),
        }
    }

    /// An incarnation has ended by itself, or was given up: decides what follows.
    pub fn exit(&mut self, id: ChildId, reason: ExitReason) {
        let (now, jitter) = (self.epoch.elapsed(), self.dice.random::<f64>());
        let Some(child) = self.children.get_mut(&id) else { return };
        child.fence(reason.message().is_some());
        let vitals = child.port.vitals().clone();
        let handled = vitals.handled.load(Relaxed);
        if handled != child.handled_before {
            child.history.forgive();
        }
        child.handled_before = handled;
        let times = child.history.blame(&reason);
        let reason = reason.repeated(times);
        let uptime = if child.cell().is_some() { vitals.uptime() } else { Duration::ZERO };
        vitals.note_exit(reason.clone());
        let decision = if self.stopping.is_some() {
            Decision::End
        } else {
            child.history.decide(&child.rules.policy, &Exit { reason: &reason, uptime, now, jitter })
        };
        let is_logged = !reason.is_normal() && (child.parent.is_none() || self.ends.note(&child.rules.name, now));
        if is_logged {
            tracing::warn!(child = &*child.name, incarnation = child.incarnation().0, %reason, "actor ended");
        }
        self.tell(id, EventKind::Exited { reason: reason.clone() });
        self.end_dynamic_children_of(id);
        if decision != Decision::End {
            self.book_with_parent(id);
        }
        match decision {
            Decision::Retry(delay) => {
                self.back_off(id, delay);
                self.spread(id);
            }
            Decision::End => self.over(id, &reason, false),
            Decision::GiveUp => self.give_up(id, &reason, jitter),
        }
    }

    pub fn back_off(&mut self, id: ChildId, delay: Duration) {
        let Some(child) = self.children.get_mut(&id) else { return };
        let incarnation = child.incarnation();
        child.port.vitals().restarts.fetch_add(1, Relaxed);
        child.port.vitals().retry_in(delay);
        child.enter(Phase::BackingOff);
        self.tell(id, EventKind::BackingOff { delay_ms: millis(delay) });
        let retry = move || Command::Retry { child: id, incarnation };
        match &self.me {
            // In a command of its own even without delay, so that those that need it are told first.
            Some(me) if delay.is_zero() => drop(me.cast(retry())),
            Some(me) => drop(me.send_after(delay, retry)),
            None => {}
        }
    }

    /// The budget is spent. A dynamic child ends alone; a static one takes its group with it, and where there is none
    /// left the tree gives up, and its siblings run on.
    fn give_up(&mut self, id: ChildId, reason: &ExitReason, jitter: f64) {
        let Some(child) = self.children.get(&id) else { return };
        if child.parent.is_some() {
            return self.over(id, reason, true);
        }
        if !self.fall_with_group(id, reason, jitter) {
            self.escalate(id, reason, "the restart budget is spent");
        }
    }

    /// Ends a child for good and tells whoever runs the tree.
    pub fn escalate(&mut self, id: ChildId, reason: &ExitReason, why: &str) {
        let Some(child) = self.children.get(&id) else { return };
        let text = format!("{why}: {reason}");
        tracing::error!(child = &*child.name, reason = text, "escalated");
        let escalation = Escalation { child: child.name.to_string(), reason: text.clone(), exit_code: EXIT_ESCALATED };
        self.tell(id, EventKind::Escalated { reason: text });
        self.over(id, reason, true);
        self.shared.escalate(escalation);
    }

    /// It will not come back.
    pub fn over(&mut self, id: ChildId, reason: &ExitReason, failed: bool) {
        let Some(child) = self.children.get_mut(&id) else { return };
        child.enter(Phase::Over { failed });
        child.port.close();
        let farewells = std::mem::take(&mut child.farewell);
        let is_dynamic = child.parent.is_some();
        self.tell(id, EventKind::Ended);
        for farewell in farewells {
            // Foreign code: its panic must not be the supervisor's.
            let _ = crate::panics::caught(|| farewell(reason));
        }
        self.end_dynamic_children_of(id);
        self.note_over(id);
        if is_dynamic && let Some(child) = self.children.remove(&id) {
            self.count_offspring(&child, -1);
            self.shared.registry.retire(id);
        }
    }

    /// Tells a living incarnation to go; the tick sees to it that it does within its stop limit.
    pub fn leave(&mut self, id: ChildId, how: Leaving, reason: ExitReason, then: Then) {
        let Some(child) = self.children.get_mut(&id) else { return };
        if child.dismiss(how, reason, then) {
            self.tell(id, EventKind::Leaving);
        }
    }

    /// Somebody who was told to go has gone.
    pub fn left(&mut self, id: ChildId, reason: ExitReason, then: Then) {
        if then == Then::Judge {
            return self.exit(id, reason);
        }
        let Some(child) = self.children.get_mut(&id) else { return };
        child.fence(false);
        child.port.vitals().note_exit(reason.clone());
        self.tell(id, EventKind::Exited { reason: reason.clone() });
        self.end_dynamic_children_of(id);
        match self.children.get(&id) {
            Some(_) if then == Then::Return && self.stopping.is_none() => self.wait(id),
            _ => self.over(id, &reason, false),
        }
    }

    /// It is down and comes back as soon as its edges allow; a dynamic child has none.
    fn wait(&mut self, id: ChildId) {
        let Some(child) = self.children.get_mut(&id) else { return };
        child.enter(Phase::Waiting);
        if child.parent.is_some() && child.held_by.is_none() {
            self.start(id);
        }
    }

    pub fn remove(&mut self, id: ChildId) {
        self.end_child(id, Leaving::Drained);
    }

    pub fn end_child(&mut self, id: ChildId, how: Leaving) {
        let Some(child) = self.children.get(&id) else { return };
        match &child.phase {
            Phase::Running(_) | Phase::Recovering { .. } => self.leave(id, how, ExitReason::Stopped, Then::End),
            // While what it needs is down it cannot handle what waits.
            Phase::Suspended(_) => {
                let how = if self.missing_need(id).is_none() { how } else { Leaving::AtOnce };
                self.leave(id, how, ExitReason::Stopped, Then::End);
            }
            Phase::Starting { starter, .. } => {
                starter.abort();
                child.fence(false);
                self.over(id, &ExitReason::Stopped, false);
            }
            Phase::Waiting | Phase::BackingOff => self.over(id, &ExitReason::Stopped, false),
            Phase::Leaving(_) => {
                if let Some(Phase::Leaving(leave)) = self.children.get_mut(&id).map(|child| &mut child.phase) {
                    leave.then = Then::End;
                }
            }
            Phase::Over { .. } => {}
        }
    }

    pub fn dynamic_children_of(&self, id: ChildId) -> Vec<ChildId> {
        let is_theirs = |child: &Child| child.parent.is_some_and(|(parent, _)| parent == id);
        let first_dynamic = ChildId(self.start_order.len() as u64);
        self.children.range(first_dynamic..).filter(|(_, child)| is_theirs(child)).map(|(id, _)| *id).collect()
    }

    /// A parent's end is its dynamic children's end.
    fn end_dynamic_children_of(&mut self, id: ChildId) {
        let has_some = self.children.get(&id).is_some_and(|child| child.offspring > 0);
        if !has_some {
            return;
        }
        for child in self.dynamic_children_of(id) {
            self.end_child(child, Leaving::AtOnce);
        }
    }
}
