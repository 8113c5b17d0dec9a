//! What the supervisor remembers of a child.

use std::sync::Arc;

use ractor::ActorCell;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::exit::ExitReason;
use crate::fence::Incarnation;
use crate::mailbox::Port;
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
    pub name: String,
    pub phase: Phase,
    pub history: History,
    /// Whether it has been ready once: what `after` waits for.
    pub was_ready: bool,
    /// `handled` at its last exit.
    pub handled_before: u64,
}

pub(crate) enum Phase {
    /// For what it needs, or for its turn.
    Waiting,
    Starting {
        since: Instant,
        starter: AbortHandle,
    },
    Running(ActorCell),
    Suspended(ActorCell),
    BackingOff,
    Leaving(Leave),
    /// Over. `failed`: it was given up.
    Over {
        failed: bool,
    },
}

pub(crate) struct Leave {
    pub cell: ActorCell,
    pub since: Instant,
    pub killed: Option<Instant>,
    pub reason: ExitReason,
    /// Whether it may come back.
    pub returns: bool,
}

impl Child {
    pub fn new(spec: ChildSpec, name: String, parent: Option<(ChildId, Incarnation)>) -> Self {
        Child {
            rules: Arc::new(spec.rules),
            port: spec.port,
            launch: spec.launch,
            farewell: spec.farewell,
            parent,
            name,
            phase: Phase::Waiting,
            history: History::default(),
            was_ready: false,
            handled_before: 0,
        }
    }

    pub fn enter(&mut self, phase: Phase) {
        self.port.vitals().enter(phase.state());
        self.phase = phase;
    }

    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running(_))
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

    /// Makes the present incarnation harmless: it takes nothing more, and nothing it does counts.
    pub fn fence(&self) {
        let vitals = self.port.vitals();
        vitals.fence.end(vitals.fence.current());
        vitals.pulse().fence();
        self.port.detach();
    }

    /// The runner of the present incarnation, once it has started.
    pub fn cell(&self) -> Option<&ActorCell> {
        match &self.phase {
            Phase::Running(cell) | Phase::Suspended(cell) | Phase::Leaving(Leave { cell, .. }) => Some(cell),
            _ => None,
        }
    }
}

impl Phase {
    fn state(&self) -> ChildState {
        match self {
            Phase::Waiting => ChildState::Waiting,
            Phase::Starting { .. } => ChildState::Starting,
            Phase::Running(_) => ChildState::Running,
            Phase::Suspended(_) => ChildState::Suspended,
            Phase::BackingOff => ChildState::Restarting,
            Phase::Leaving(_) => ChildState::Stopping,
            Phase::Over { failed: false } => ChildState::Stopped,
            Phase::Over { failed: true } => ChildState::Failed,
        }
    }
}
