//! What the supervisor remembers of a child.

use std::sync::Arc;
use std::time::Duration;

use ractor::{ActorCell, ActorStatus};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::budget::Spending;
use crate::exit::ExitReason;
use crate::fence::Incarnation;
use crate::mailbox::{Leaving, Port};
use crate::policy::History;
use crate::pulse::Pulse;
use crate::snapshot::ChildState;
use crate::spec::{ChildSpec, Farewell, Launch, Rules};

/// A child's number within its tree; static children come first, in order of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChildId(pub u64);

pub(crate) struct Child {
    pub rules: Arc<Rules>,
    pub port: Arc<dyn Port>,
    pub launch: Launch,
    pub farewell: Vec<Farewell>,
    /// The incarnation that owns this child, for dynamic ones.
    pub parent: Option<(ChildId, Incarnation)>,
    /// The index of the group it was declared in.
    pub group: Option<usize>,
    pub name: Arc<str>,
    pub phase: Phase,
    /// Whether its phase has changed since somebody looked.
    pub has_moved: bool,
    pub history: History,
    /// Whether it has been ready once: what `after` waits for. Forgotten when its group falls.
    pub was_ready: bool,
    /// Who suspended it, until it is resumed.
    pub held_by: Option<String>,
    /// `handled` at its last exit.
    pub handled_before: u64,
    /// The dynamic children it has now, and the restarts they have spent together.
    pub offspring: usize,
    pub offspring_spending: Spending,
}

pub(crate) enum Phase {
    /// For what it needs, or for its turn.
    Waiting,
    Starting {
        since: Instant,
        starter: AbortHandle,
    },
    /// Handles messages and has not said that it is ready.
    Recovering {
        cell: ActorCell,
        since: Instant,
    },
    Running(ActorCell),
    Suspended(ActorCell),
    BackingOff,
    /// Boxed, because few leave at a time.
    Leaving(Box<Leave>),
    /// Over. `failed`: it was given up.
    Over {
        failed: bool,
    },
}

/// An incarnation that was told to go, or was killed.
pub(crate) struct Leave {
    pub cell: ActorCell,
    pub stage: Stage,
    /// When this stage began.
    pub since: Instant,
    pub reason: ExitReason,
    pub then: Then,
}

/// How far somebody who leaves has come; each stage has its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Handles what waits.
    Draining,
    /// Finishes the message in hand and says goodbye.
    Stopping,
    Killed,
}

/// What follows when somebody who leaves has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is over.
    End,
    /// It comes back as soon as its edges allow.
    Return,
    /// It broke: policy, backoff and budget decide.
    Judge,
}

impl Child {
    pub fn new(spec: ChildSpec, name: Arc<str>, parent: Option<(ChildId, Incarnation)>) -> Self {
        Child {
            rules: Arc::new(spec.rules),
            port: spec.port,
            launch: spec.launch,
            farewell: spec.farewell,
            parent,
            group: None,
            name,
            phase: Phase::Waiting,
            has_moved: false,
            history: History::default(),
            was_ready: false,
            held_by: None,
            handled_before: 0,
            offspring: 0,
            offspring_spending: Spending::default(),
        }
    }

    pub fn enter(&mut self, phase: Phase) {
        self.port.vitals().enter(phase.state());
        self.phase = phase;
        self.has_moved = true;
    }

    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running(_))
    }

    /// Runs, and has not begun to end: one that still lets go of what it held is of no use to those who need it.
    pub fn serves(&self) -> bool {
        self.is_running() && self.port.vitals().fence.is_current(self.incarnation())
    }

    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over { .. })
    }

    pub fn incarnation(&self) -> Incarnation {
        self.port.vitals().fence.current()
    }

    pub fn pulse(&self) -> Arc<Pulse> {
        self.port.vitals().pulse()
    }

    /// Makes the present incarnation harmless: it takes nothing more, and nothing it does counts. `blame`: it ends because
    /// of the message in hand.
    pub fn fence(&self, blame: bool) {
        let vitals = self.port.vitals();
        vitals.fence.end(vitals.fence.current());
        vitals.pulse().fence();
        self.port.detach(blame);
    }

    /// The runner of the present incarnation, once it has started.
    pub fn cell(&self) -> Option<&ActorCell> {
        match &self.phase {
            Phase::Running(cell) | Phase::Suspended(cell) | Phase::Recovering { cell, .. } => Some(cell),
            Phase::Leaving(leave) => Some(&leave.cell),
            _ => None,
        }
    }

    /// Whether the present incarnation has ended, told or not.
    pub fn is_gone(&self) -> bool {
        self.cell().is_none_or(|cell| cell.get_status() == ActorStatus::Stopped)
    }

    /// Fences the present incarnation and ends it without asking. `false`: there is none that has started.
    pub fn kill(&mut self, reason: ExitReason, then: Then) -> bool {
        let Some(cell) = self.cell().cloned() else { return false };
        self.fence(false);
        cell.kill();
        self.enter(Phase::Leaving(Box::new(Leave { cell, stage: Stage::Killed, since: Instant::now(), reason, then })));
        true
    }

    /// Tells the present incarnation to go. `false`: there is none that has started.
    pub fn dismiss(&mut self, how: Leaving, reason: ExitReason, then: Then) -> bool {
        let Some(cell) = self.cell().cloned() else { return false };
        let stage = if how == Leaving::Drained { Stage::Draining } else { Stage::Stopping };
        self.enter(Phase::Leaving(Box::new(Leave { cell, stage, since: Instant::now(), reason, then })));
        self.port.leave(how);
        true
    }

    /// How long somebody who leaves may stay in `stage`.
    pub fn limit_of(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Draining => self.rules.drain_limit,
            Stage::Stopping => self.rules.stop_limit,
            Stage::Killed => KILL_LIMIT,
        }
    }
}

/// How long a killed incarnation may take to be gone before it counts as blocked.
const KILL_LIMIT: Duration = Duration::from_millis(500);

impl Phase {
    fn state(&self) -> ChildState {
        match self {
            Phase::Waiting => ChildState::Waiting,
            Phase::Starting { .. } => ChildState::Starting,
            Phase::Recovering { .. } => ChildState::Recovering,
            Phase::Running(_) => ChildState::Running,
            Phase::Suspended(_) => ChildState::Suspended,
            Phase::BackingOff => ChildState::Restarting,
            Phase::Leaving(_) => ChildState::Stopping,
            Phase::Over { failed: false } => ChildState::Stopped,
            Phase::Over { failed: true } => ChildState::Failed,
        }
    }
}
