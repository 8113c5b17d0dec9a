//! What everybody in one tree shares.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use ractor::ActorRef;
use tokio::sync::watch;

use crate::child::ChildId;
use crate::events::Events;
use crate::exit::Escalation;
use crate::letters::{DeadLetters, Tray};
use crate::metrics::Metrics;
use crate::registry::{Registry, Row};
use crate::supervisor::Command;

pub(crate) struct Shared {
    pub events: Events,
    pub letters: DeadLetters,
    pub metrics: Metrics,
    pub registry: Arc<Registry>,
    /// Set once, when the tree gave up on a child. The first one counts.
    pub ended: watch::Sender<Option<Escalation>>,
    pub supervisor: OnceLock<ActorRef<Command>>,
    next_id: AtomicU64,
}

impl Shared {
    pub fn new(events: Events, metrics: Metrics, registry: Arc<Registry>, first_id: u64) -> Arc<Self> {
        Arc::new(Shared {
            events,
            letters: DeadLetters::new(),
            metrics,
            registry,
            ended: watch::Sender::new(None),
            supervisor: OnceLock::new(),
            next_id: AtomicU64::new(first_id),
        })
    }

    /// Makes a child one of this tree: its dead letters are noted here, and snapshots show it.
    pub fn enroll(&self, id: ChildId, row: Row) {
        row.port.vitals().join(Tray::new(row.name.clone(), self.letters.clone(), self.events.clone()));
        self.registry.add(id, row);
    }

    pub fn next_id(&self) -> ChildId {
        ChildId(self.next_id.fetch_add(1, Relaxed))
    }

    /// `false`: there is no supervisor any more.
    pub fn command(&self, command: Command) -> bool {
        self.supervisor.get().is_some_and(|supervisor| supervisor.cast(command).is_ok())
    }

    pub fn escalate(&self, escalation: Escalation) {
        self.ended.send_if_modified(|ended| {
            let is_first = ended.is_none();
            if is_first {
                *ended = Some(escalation);
            }
            is_first
        });
    }
}
