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
use std::time::Duration;

use ractor::{ActorCell, ActorRef};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::Instant;

use crate::child::{Child, ChildId, Phase};
use crate::events::EventKind;
use crate::exit::ExitReason;
use crate::fence::Incarnation;
use crate::hang::Punctuality;
use crate::mailbox::Leaving;
use crate::pulse::Pulse;
use crate::registry::Row;
use crate::runner::Seat;
use crate::shared::Shared;
use crate::stopping::Stopping;
use crate::supervisor::Command;

pub(crate) struct Family {
    pub shared: Arc<Shared>,
    pub children: BTreeMap<ChildId, Child>,
    /// Static children in start order, and in stop order.
    pub start_order: Vec<ChildId>,
    pub stop_order: Vec<ChildId>,
    names: BTreeMap<String, ChildId>,
    pub me: Option<ActorRef<Command>>,
    pub dice: StdRng,
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
        let pulse = Pulse::new(vitals.epoch, child.rules.hang_limit);
        vitals.set_pulse(pulse.clone());
        let seat = Seat {
            child: id,
            name: child.name.as_str().into(),
            label: child.rules.name.clone(),
            incarnation,
            pulse,
            shared: self.shared.clone(),
            supervisor: me.get_cell(),
        };
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

    pub fn is_over(&self) -> bool {
        self.stopping.as_ref().is_some_and(Stopping::is_over)
    }
}

/// Without a supervisor nobody comes back, and whoever asks is told so.
impl Drop for Family {
    fn drop(&mut self) {
        for child in self.children.values_mut().filter(|child| !child.is_over()) {
            child.fence();
            if let Some(cell) = child.cell() {
                cell.kill();
            }
            child.enter(Phase::Over { failed: true });
            child.port.close();
        }
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
