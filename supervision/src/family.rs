//! The supervisor's state: the children, and what follows from the news about them.
//!
//! ```text
//!   Waiting --needs up--> Starting --ready--> Running <--> Suspended        (something it needs is down)
//!      ^                     |                   |
//!      |                     +-----> exit <------+--> Leaving --> Waiting   (the same, for those that do not suspend)
//!      +--- BackingOff <-------------+                        \-> Over      (told to stop)
//!                                    +--> Over (done, or given up and escalated)
//! ```
//! [`Family::reconcile`] looks at every static child after each piece of news and moves it to where its edges say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ractor::{ActorCell, ActorRef};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

use crate::child::{Child, ChildId, Leave, Phase};
use crate::events::EventKind;
use crate::exit::{EXIT_ESCALATED, Escalation, ExitReason};
use crate::fence::Incarnation;
use crate::hang::Punctuality;
use crate::mailbox::Leaving;
use crate::policy::{Decision, Exit};
use crate::pulse::Pulse;
use crate::registry::Row;
use crate::runner::Seat;
use crate::shared::Shared;
use crate::snapshot::millis;
use crate::stopping::Stopping;
use crate::supervisor::Command;

pub(crate) struct Family {
    pub shared: Arc<Shared>,
    pub children: BTreeMap<ChildId, Child>,
    /// Static children in start order, and in stop order.
    start_order: Vec<ChildId>,
    pub stop_order: Vec<ChildId>,
    names: BTreeMap<String, ChildId>,
    me: Option<ActorRef<Command>>,
    dice: StdRng,
    pub epoch: Instant,
    pub punctuality: Punctuality,
    pub stopping: Option<Stopping>,
}

impl Family {
    pub fn new(shared: Arc<Shared>, children: Vec<Child>, start_order: &[usize], stop_order: &[usize], seed: u64, tick: Duration) -> Self {
        let id = |i: usize| ChildId(i as u64);
        let names = children.iter().enumerate().map(|(i, child)| (child.name.clone(), id(i))).collect();
        let children: BTreeMap<_, _> = children.into_iter().enumerate().map(|(i, child)| (id(i), child)).collect();
        for (id, child) in &children {
            shared.registry.add(*id, row(child, None));
        }
        Family {
            shared,
            children,
            start_order: start_order.iter().copied().map(id).collect(),
            stop_order: stop_order.iter().copied().map(id).collect(),
            names,
            me: None,
            dice: StdRng::seed_from_u64(seed),
            epoch: Instant::now(),
            punctuality: Punctuality::new(tick),
            stopping: None,
        }
    }

    pub fn begin(&mut self, me: ActorRef<Command>) -> Arc<Shared> {
        let _ = self.shared.supervisor.set(me.clone());
        self.me = Some(me);
        self.epoch = Instant::now();
        self.reconcile();
        self.shared.clone()
    }

    /// Moves every static child to where its edges say. In start order, so that one pass carries a fall all the way down.
    pub fn reconcile(&mut self) {
        if self.stopping.is_some() {
            return self.advance_stop();
        }
        for id in self.start_order.clone() {
            let missing = self.missing_need(id);
            let first_turn = self.has_its_turn(id);
            let Some(child) = self.children.get(&id) else { continue };
            match (&child.phase, missing) {
                (Phase::Waiting, None) if first_turn => self.start(id),
                (Phase::Running(_), Some(need)) if child.rules.suspends => self.suspend(id, need),
                (Phase::Running(_), Some(need)) => self.leave(id, Leaving::AtOnce, ExitReason::NeedsDown { need }, true),
                (Phase::Suspended(_), None) => self.resume(id),
                _ => {}
            }
        }
    }

    /// Something that `id` needs and that does not run.
    fn missing_need(&self, id: ChildId) -> Option<String> {
        let runs = |name: &String| self.named(name).is_some_and(Child::is_running);
        self.children.get(&id)?.rules.needs.iter().find(|name| !runs(name)).cloned()
    }

    /// Whether all that `id` starts after have had their first start, or never will.
    fn has_its_turn(&self, id: ChildId) -> bool {
        let passed = |name: &String| self.named(name).is_none_or(|child| child.was_ready || child.is_over());
        self.children.get(&id).is_some_and(|child| child.rules.after.iter().all(passed))
    }

    fn named(&self, name: &str) -> Option<&Child> {
        self.children.get(self.names.get(name)?)
    }

    pub fn tell(&self, id: ChildId, kind: EventKind) {
        if let Some(child) = self.children.get(&id) {
            self.shared.events.tell(&child.name, child.incarnation().0, kind);
        }
    }

    /// Begins a new incarnation. The start runs in a task of its own; its end comes back as a command.
    fn start(&mut self, id: ChildId) {
        let (Some(me), Some(child)) = (self.me.clone(), self.children.get_mut(&id)) else { return };
        let vitals = child.port.vitals().clone();
        let incarnation = vitals.fence.begin();
        let pulse = Pulse::new(child.rules.hang_limit);
        vitals.set_pulse(pulse.clone());
        let seat = Seat { child: id, label: child.rules.name.clone(), incarnation, pulse, shared: self.shared.clone(), supervisor: me.get_cell() };
        let launch = child.launch.clone();
        let starter = tokio::spawn(async move {
            let outcome = launch(seat).await;
            let _ = me.cast(Command::Started { child: id, incarnation, outcome });
        });
        child.enter(Phase::Starting { since: Instant::now(), starter: starter.abort_handle() });
        self.tell(id, EventKind::Starting);
    }

    pub fn started(&mut self, id: ChildId, incarnation: Incarnation, outcome: Result<ActorCell, ExitReason>) {
        let Some(child) = self.children.get_mut(&id) else {
            return kill(outcome);
        };
        let is_awaited = matches!(child.phase, Phase::Starting { .. }) && child.incarnation() == incarnation;
        if !is_awaited {
            return kill(outcome);
        }
        match outcome {
            Ok(cell) => {
                child.was_ready = true;
                child.port.vitals().ready();
                child.enter(Phase::Running(cell));
                self.tell(id, EventKind::Ready);
            }
            Err(reason) => self.exit(id, reason),
        }
    }

    pub fn gone(&mut self, id: ChildId, incarnation: Incarnation, reason: ExitReason) {
        let Some(child) = self.children.get(&id) else { return };
        let is_given_up = child.incarnation() != incarnation || matches!(child.phase, Phase::BackingOff | Phase::Waiting | Phase::Over { .. });
        if is_given_up {
            self.shared.events.tell(&child.name, incarnation.0, EventKind::AbandonedGone);
            return;
        }
        match &child.phase {
            Phase::Leaving(leave) => {
                let (returns, told) = (leave.returns, leave.reason.clone());
                let reason = if reason == ExitReason::Stopped { told } else { reason };
                self.left(id, reason, returns);
            }
            _ => self.exit(id, reason),
        }
    }

    pub fn retry(&mut self, id: ChildId, incarnation: Incarnation) {
        let Some(child) = self.children.get_mut(&id) else { return };
        if !matches!(child.phase, Phase::BackingOff) || child.incarnation() != incarnation {
            return;
        }
        child.enter(Phase::Waiting);
        if child.parent.is_some() && self.stopping.is_none() {
            self.start(id);
        }
    }

    /// An incarnation has ended by itself, or was given up: decides what follows.
    pub fn exit(&mut self, id: ChildId, reason: ExitReason) {
        let (now, jitter) = (self.epoch.elapsed(), self.dice.random::<f64>());
        let Some(child) = self.children.get_mut(&id) else { return };
        child.fence();
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
        if !reason.is_normal() {
            tracing::warn!(child = child.name, incarnation = child.incarnation().0, %reason, "actor ended");
        }
        self.tell(id, EventKind::Exited { reason: reason.clone() });
        self.end_dynamic_children_of(id);
        match decision {
            Decision::Retry(delay) => self.back_off(id, delay),
            Decision::End => self.over(id, &reason, false),
            Decision::GiveUp => self.give_up(id, &reason),
        }
    }

    fn back_off(&mut self, id: ChildId, delay: Duration) {
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

    /// The budget is spent. A dynamic child ends alone; for a static one the tree gives up, and its siblings run on.
    fn give_up(&mut self, id: ChildId, reason: &ExitReason) {
        let Some(child) = self.children.get(&id) else { return };
        if child.parent.is_some() {
            return self.over(id, reason, true);
        }
        self.escalate(id, reason, "the restart budget is spent");
    }

    /// Ends a child for good and tells whoever runs the tree.
    pub fn escalate(&mut self, id: ChildId, reason: &ExitReason, why: &str) {
        let Some(child) = self.children.get(&id) else { return };
        let text = format!("{why}: {reason}");
        tracing::error!(child = child.name, reason = text, "escalated");
        let escalation = Escalation { child: child.name.clone(), reason: text.clone(), exit_code: EXIT_ESCALATED };
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
        self.note_over(id);
        if is_dynamic {
            self.children.remove(&id);
            self.shared.registry.retire(id);
        }
    }

    fn suspend(&mut self, id: ChildId, need: String) {
        let Some(child) = self.children.get_mut(&id) else { return };
        let Phase::Running(cell) = &child.phase else { return };
        let cell = cell.clone();
        child.port.pause(true);
        child.enter(Phase::Suspended(cell));
        self.tell(id, EventKind::Suspended { need });
    }

    fn resume(&mut self, id: ChildId) {
        let Some(child) = self.children.get_mut(&id) else { return };
        let Phase::Suspended(cell) = &child.phase else { return };
        let cell = cell.clone();
        child.enter(Phase::Running(cell));
        child.port.pause(false);
        self.tell(id, EventKind::Resumed);
    }

    /// Tells a living incarnation to go; the tick sees to it that it does within its stop limit.
    pub fn leave(&mut self, id: ChildId, how: Leaving, reason: ExitReason, returns: bool) {
        let Some(child) = self.children.get_mut(&id) else { return };
        let Some(cell) = child.cell().cloned() else { return };
        child.enter(Phase::Leaving(Leave { cell, since: Instant::now(), killed: None, reason, returns }));
        child.port.leave(how);
        self.tell(id, EventKind::Leaving);
    }

    /// Somebody who was told to go has gone.
    pub fn left(&mut self, id: ChildId, reason: ExitReason, returns: bool) {
        let Some(child) = self.children.get_mut(&id) else { return };
        child.fence();
        child.port.vitals().note_exit(reason.clone());
        self.tell(id, EventKind::Exited { reason: reason.clone() });
        self.end_dynamic_children_of(id);
        match self.children.get_mut(&id) {
            Some(child) if returns && self.stopping.is_none() => child.enter(Phase::Waiting),
            _ => self.over(id, &reason, false),
        }
    }

    pub fn add(&mut self, id: ChildId, child: Child) {
        let parent = child.parent.and_then(|(parent, incarnation)| {
            let owner = self.children.get(&parent)?;
            let is_open = self.stopping.is_none() && owner.port.vitals().fence.is_current(incarnation);
            is_open.then(|| owner.name.clone())
        });
        let is_orphan = parent.is_none();
        self.shared.registry.add(id, row(&child, parent));
        self.children.insert(id, child);
        if is_orphan {
            return self.over(id, &ExitReason::Stopped, false);
        }
        self.start(id);
    }

    pub fn remove(&mut self, id: ChildId) {
        self.end_child(id, Leaving::Drained);
    }

    pub fn end_child(&mut self, id: ChildId, how: Leaving) {
        let Some(child) = self.children.get(&id) else { return };
        match &child.phase {
            Phase::Running(_) => self.leave(id, how, ExitReason::Stopped, false),
            // What it needs is down, so it cannot handle what waits.
            Phase::Suspended(_) => self.leave(id, Leaving::AtOnce, ExitReason::Stopped, false),
            Phase::Starting { starter, .. } => {
                starter.abort();
                child.fence();
                self.over(id, &ExitReason::Stopped, false);
            }
            Phase::Waiting | Phase::BackingOff => self.over(id, &ExitReason::Stopped, false),
            Phase::Leaving(_) => {
                if let Some(Child { phase: Phase::Leaving(leave), .. }) = self.children.get_mut(&id) {
                    leave.returns = false;
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
        let is_dynamic = self.children.get(&id).is_some_and(|child| child.parent.is_some());
        if is_dynamic {
            return;
        }
        for child in self.dynamic_children_of(id) {
            self.end_child(child, Leaving::AtOnce);
        }
    }

    pub fn is_over(&self) -> bool {
        self.stopping.as_ref().is_some_and(Stopping::is_over)
    }
}

/// A start that nobody waits for any more.
fn kill(outcome: Result<ActorCell, ExitReason>) {
    if let Ok(cell) = outcome {
        cell.kill();
    }
}

fn row(child: &Child, parent: Option<String>) -> Row {
    Row { name: child.name.clone(), parent, rules: child.rules.clone(), port: child.port.clone() }
}
