//! The supervisor's state: the children, and what follows from the news about them.
//!
//! ```text
//!   Waiting --needs up--> Starting --> Recovering --ready--> Running <--> Suspended   (something it needs is down)
//!      ^                     |             |                    |
//!      |                     +---------> exit <-----------------+--> Leaving --> Waiting   (for those that do not suspend)
//!      +--- BackingOff <------------------+                                 \-> Over      (told to stop)
//!                                         +--> Over (done, or given up and escalated)
//! ```
//! [`Family::reconcile`] looks at every static child after each piece of news and moves it to where its edges say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::Instant;

use crate::budget::Spending;
use crate::child::{Child, ChildId, Phase, Then};
use crate::cycles::Cycles;
use crate::ends::Ends;
use crate::event::EventKind;
use crate::exit::ExitReason;
use crate::falls::Fall;
use crate::fence::Incarnation;
use crate::group::Clan;
use crate::hang::Punctuality;
use crate::mailbox::Leaving;
use crate::order::Orders;
use crate::pulse::Pulse;
use crate::registry::Row;
use crate::runner::{Newborn, Seat};
use crate::shared::Shared;
use crate::stopping::Stopping;
use crate::supervisor::Command;

pub(crate) struct Family {
    pub shared: Arc<Shared>,
    /// Boxed, because a map keeps room for twice as many as it holds.
    pub children: BTreeMap<ChildId, Box<Child>>,
    /// Static children in start order, and in stop order.
    pub start_order: Vec<ChildId>,
    pub stop_order: Vec<ChildId>,
    names: BTreeMap<Arc<str>, ChildId>,
    pub clans: Vec<Clan>,
    pub falls: Vec<Fall>,
    pub me: Option<ActorRef<Command>>,
    pub dice: StdRng,
    pub epoch: Instant,
    pub punctuality: Punctuality,
    pub stopping: Option<Stopping>,
    /// The panics of the supervisor itself.
    pub own_spending: Spending,
    pub cycles: Cycles,
    pub ends: Ends,
}

impl Family {
    pub fn new(shared: Arc<Shared>, children: Vec<Child>, mut clans: Vec<Clan>, orders: &Orders, seed: u64, tick: Duration) -> Self {
        let id = |i: usize| ChildId(i as u64);
        for (index, clan) in start_order_of_clans(&children, &orders.start, &clans).into_iter().enumerate() {
            clans[index].children = clan;
        }
        let names = children.iter().enumerate().map(|(i, child)| (child.name.clone(), id(i))).collect();
        let children: BTreeMap<_, _> = children.into_iter().enumerate().map(|(i, child)| (id(i), Box::new(child))).collect();
        for (id, child) in &children {
            let group = child.group.map(|group| clans[group].name.clone());
            shared.enroll(*id, row(child, None, group));
        }
        Family {
            shared,
            children,
            start_order: orders.start.iter().copied().map(id).collect(),
            stop_order: orders.stop.iter().copied().map(id).collect(),
            names,
            clans,
            falls: Vec::new(),
            me: None,
            dice: StdRng::seed_from_u64(seed),
            epoch: Instant::now(),
            punctuality: Punctuality::new(tick),
            stopping: None,
            own_spending: Spending::default(),
            cycles: Cycles::default(),
            ends: Ends::default(),
        }
    }

    pub fn begin(&mut self, me: ActorRef<Command>) -> Arc<Shared> {
        let _ = self.shared.supervisor.set(me.clone());
        self.me = Some(me);
        self.epoch = Instant::now();
        self.reconcile(None);
        self.shared.clone()
    }

    /// Moves every static child to where its edges say, after news `about` one child. In start order, so that one pass
    /// carries a fall all the way down.
    pub fn reconcile(&mut self, about: Option<ChildId>) {
        if self.stopping.is_some() {
            return self.advance_stop();
        }
        let is_dynamic = about.is_some_and(|id| id.0 >= self.start_order.len() as u64);
        if is_dynamic && !self.has_moved() {
            return;
        }
        if !self.falls.is_empty() {
            self.advance_falls();
        }
        for index in 0..self.start_order.len() {
            self.settle(self.start_order[index]);
        }
    }

    /// Whether a static child has moved since this was asked last. A dynamic one may move its parent.
    fn has_moved(&mut self) -> bool {
        let statics = self.children.values_mut().take(self.start_order.len());
        statics.fold(false, |moved, child| std::mem::take(&mut child.has_moved) | moved)
    }

    fn settle(&mut self, id: ChildId) {
        let missing = self.missing_need(id);
        let Some(child) = self.children.get(&id) else { return };
        let held_by = child.held_by.clone();
        match (&child.phase, missing, held_by) {
            (Phase::Waiting, None, None) if self.has_its_turn(id) && !self.is_falling(id) => self.start(id),
            (Phase::Running(_), Some(need), _) if child.rules.suspends => self.suspend(id, EventKind::Suspended { need }),
            (Phase::Running(_), None, Some(by)) => self.suspend(id, EventKind::Held { by }),
            (Phase::Running(_) | Phase::Recovering { .. }, Some(need), _) => self.need_is_down(id, need),
            (Phase::Suspended(_), Some(need), _) if !child.rules.suspends => self.need_is_down(id, need),
            (Phase::Suspended(_), None, None) => self.resume(id),
            _ => {}
        }
    }

    fn need_is_down(&mut self, id: ChildId, need: String) {
        self.leave(id, Leaving::AtOnce, ExitReason::NeedsDown { need }, Then::Return);
    }

    /// Something that `id` needs and that does not run.
    pub fn missing_need(&self, id: ChildId) -> Option<String> {
        let serves = |name: &String| self.named(name).is_some_and(Child::serves);
        self.children.get(&id)?.rules.needs.iter().find(|name| !serves(name)).cloned()
    }

    /// Whether all that `id` starts after have had their first start, or never will.
    fn has_its_turn(&self, id: ChildId) -> bool {
        let passed = |name: &String| self.named(name).is_none_or(|child| child.was_ready || child.is_over());
        self.children.get(&id).is_some_and(|child| child.rules.after.iter().all(passed))
    }

    fn named(&self, name: &str) -> Option<&Child> {
        self.children.get(self.names.get(name)?).map(Box::as_ref)
    }

    /// A child by its name; dynamic ones are searched for.
    pub fn find(&self, name: &str) -> Option<ChildId> {
        let dynamic = || self.children.iter().find(|(_, child)| *child.name == *name).map(|(id, _)| *id);
        self.names.get(name).copied().or_else(dynamic)
    }

    pub fn tell(&self, id: ChildId, kind: EventKind) {
        if let Some(child) = self.children.get(&id) {
            self.shared.events.tell(&child.name, child.incarnation().0, kind);
        }
    }

    /// Begins a new incarnation. The start runs in a task of its own; its end comes back as a command.
    pub fn start(&mut self, id: ChildId) {
        let (Some(me), Some(child)) = (self.me.clone(), self.children.get_mut(&id)) else { return };
        let vitals = child.port.vitals().clone();
        let incarnation = vitals.fence.begin();
        let pulse = Pulse::new(vitals.epoch, child.rules.hang_limit);
        vitals.set_pulse(pulse.clone());
        vitals.not_ready();
        let seat = Seat { child: id, name: child.name.clone(), label: child.rules.name.clone(), incarnation, pulse, shared: self.shared.clone() };
        let launch = child.launch.clone();
        let starter = tokio::spawn(async move {
            let outcome = launch(seat).await;
            // Without a supervisor it is dropped here, which is its end.
            let _ = me.cast(Command::Started { child: id, incarnation, outcome });
        });
        child.enter(Phase::Starting { since: Instant::now(), starter: starter.abort_handle() });
        self.tell(id, EventKind::Starting);
    }

    pub fn started(&mut self, id: ChildId, incarnation: Incarnation, outcome: Result<Newborn, ExitReason>) {
        // A start that nobody waits for any more ends by being dropped.
        let Some(child) = self.children.get_mut(&id) else { return };
        let is_awaited = matches!(child.phase, Phase::Starting { .. }) && child.incarnation() == incarnation;
        if !is_awaited {
            return;
        }
        match outcome {
            Ok(newborn) => {
                let is_ready = child.rules.ready_limit.is_none() || child.port.vitals().said_ready(incarnation);
                child.enter(Phase::Recovering { cell: newborn.adopt(), since: Instant::now() });
                match is_ready {
                    true => self.ready(id, incarnation),
                    false => self.tell(id, EventKind::Recovering),
                }
            }
            Err(reason) => self.exit(id, reason),
        }
    }

    /// A child says, or its start has shown, that it is ready.
    pub fn ready(&mut self, id: ChildId, incarnation: Incarnation) {
        let Some(child) = self.children.get_mut(&id).filter(|child| child.incarnation() == incarnation) else { return };
        let Phase::Recovering { cell, .. } = &child.phase else { return };
        let cell = cell.clone();
        child.was_ready = true;
        child.port.vitals().ready();
        child.enter(Phase::Running(cell));
        self.tell(id, EventKind::Ready);
        let held_by = self.children.get(&id).and_then(|child| child.held_by.clone());
        if let Some(by) = held_by {
            self.suspend(id, EventKind::Held { by });
        }
    }

    pub fn retry(&mut self, id: ChildId, incarnation: Incarnation) {
        let Some(child) = self.children.get_mut(&id) else { return };
        if !matches!(child.phase, Phase::BackingOff) || child.incarnation() != incarnation {
            return;
        }
        child.enter(Phase::Waiting);
        if child.parent.is_some() && child.held_by.is_none() && self.stopping.is_none() {
            self.start(id);
        }
    }

    pub fn suspend(&mut self, id: ChildId, event: EventKind) {
        let Some(child) = self.children.get_mut(&id) else { return };
        let Phase::Running(cell) = &child.phase else { return };
        let cell = cell.clone();
        child.port.pause(true);
        child.enter(Phase::Suspended(cell));
        self.tell(id, event);
    }

    pub fn resume(&mut self, id: ChildId) {
        let Some(child) = self.children.get_mut(&id) else { return };
        let Phase::Suspended(cell) = &child.phase else { return };
        let cell = cell.clone();
        child.enter(Phase::Running(cell));
        child.port.pause(false);
        self.tell(id, EventKind::Resumed);
    }

    pub fn add(&mut self, id: ChildId, child: Box<Child>) {
        let parent = child.parent.and_then(|(parent, incarnation)| {
            let owner = self.children.get(&parent)?;
            let is_open = self.stopping.is_none() && owner.port.vitals().fence.is_current(incarnation);
            is_open.then(|| owner.name.clone())
        });
        let is_orphan = parent.is_none();
        self.count_offspring(&child, 1);
        self.shared.enroll(id, row(&child, parent, None));
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
            child.fence(false);
            match (&child.phase, child.cell()) {
                (Phase::Starting { starter, .. }, _) => starter.abort(),
                (_, Some(cell)) => cell.kill(),
                _ => {}
            }
            child.enter(Phase::Over { failed: true });
            child.port.close();
        }
    }
}

/// The children of each group, in start order.
fn start_order_of_clans(children: &[Child], start: &[usize], clans: &[Clan]) -> Vec<Vec<ChildId>> {
    let mut ordered = vec![Vec::new(); clans.len()];
    for index in start {
        let mut group = children[*index].group;
        while let Some(clan) = group {
            ordered[clan].push(ChildId(*index as u64));
            group = clans[clan].parent;
        }
    }
    ordered
}

fn row(child: &Child, parent: Option<Arc<str>>, group: Option<String>) -> Row {
    Row { name: child.name.clone(), parent, group, rules: child.rules.clone(), port: child.port.clone() }
}
