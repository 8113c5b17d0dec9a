//! A tree: built from a list of children, started, watched, stopped.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::Meter;
use ractor::ActorRef;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::chaos::{FaultInjection, InjectError};
use crate::child::Child;
use crate::controls::Controls;
use crate::events::Events;
use crate::exit::{EXIT_ESCALATED, Escalation};
use crate::family::Family;
use crate::faults::Faults;
use crate::fence::Fence;
use crate::group::{Flat, Member};
use crate::letters::DeadLetters;
use crate::metrics::Metrics;
use crate::order::{Node, Orders, TreeError, names_are_unique, start_order, stop_order};
use crate::registry::Registry;
use crate::report::ShutdownReport;
use crate::shared::Shared;
use crate::snapshot::{ChildState, Snapshot, Snapshots};
use crate::spec::ChildSpec;
use crate::supervisor::{Command, Supervisor};

/// The shortest time between two looks at the children.
const TICK_MIN: Duration = Duration::from_millis(5);

/// What a tree needs besides its children.
pub struct Config {
    /// Whether faults may be injected.
    pub chaos: bool,
    pub meter: Meter,
    /// How often the children are looked at; more often when a hang limit of one of them is below four of these.
    pub tick: Duration,
    /// How many events late readers can catch up with.
    pub events: usize,
    /// For the jitter of backoffs.
    pub seed: u64,
}

impl Config {
    /// No chaos, a tick of 100 ms, 1024 events, seed 0.
    pub fn new(meter: Meter) -> Self {
        Config { chaos: false, meter, tick: Duration::from_millis(100), events: 1024, seed: 0 }
    }
}

/// Children in an order that can be started.
pub struct Tree {
    family: Family,
    shared: Arc<Shared>,
    tick: Duration,
    chaos: bool,
}

impl Tree {
    /// Orders the children by their edges. Refuses names that occur twice, edges to nowhere, and cycles.
    pub fn build<M: Into<Member>>(name: &str, members: impl IntoIterator<Item = M>, config: Config) -> Result<Tree, TreeError> {
        let Flat { children: specs, clans } = Flat::of(members.into_iter().map(Into::into));
        let groups = clans.iter().map(|clan| Node { name: &clan.name, waits_for: Vec::new(), door: false });
        let nodes: Vec<Node<'_>> = specs.iter().map(|(spec, _)| node(spec)).collect();
        names_are_unique(nodes.iter().chain(&groups.collect::<Vec<_>>()))?;
        let start = start_order(&nodes)?;
        let stop = stop_order(&nodes, &start);
        let shortest = specs.iter().map(|(spec, _)| spec.rules.hang_limit / 4).min().unwrap_or(config.tick);
        let tick = config.tick.min(shortest).max(TICK_MIN);
        let registry = Registry::new(name);
        let metrics = Metrics::new(&config.meter, &registry);
        let shared = Shared::new(Events::new(config.events), metrics, registry, specs.len() as u64);
        let children = specs.into_iter().map(|(spec, group)| {
            let name = spec.rules.name.clone();
            Child { group, ..Child::new(spec, name, None) }
        });
        let family = Family::new(shared.clone(), children.collect(), clans, &Orders { start, stop }, config.seed, tick);
        Ok(Tree { family, shared, tick, chaos: config.chaos })
    }

    /// Starts the children in order, and returns while they start; see [`Running::ready`]. What is sent to them
    /// meanwhile waits in their mailboxes.
    pub async fn start(self) -> Running {
        let Tree { family, shared, tick, chaos } = self;
        let supervisor = match ractor::Actor::spawn(None, Supervisor, (family, tick)).await {
            Ok((supervisor, _)) => Some(supervisor),
            Err(error) => {
                let reason = format!("the supervisor did not start: {error}");
                let child = shared.registry.tree.clone();
                shared.escalate(Escalation { child, reason, exit_code: EXIT_ESCALATED });
                None
            }
        };
        Running { supervisor, shared, chaos }
    }
}

fn node(spec: &ChildSpec) -> Node<'_> {
    let rules = &spec.rules;
    let waits_for = rules.needs.iter().chain(&rules.after).map(String::as_str).collect();
    Node { name: &rules.name, waits_for, door: rules.door }
}

/// Some children were not ready in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not ready: {}", children.join("; "))]
pub struct NotReady {
    /// Each with its state and, if it ended before, why.
    pub children: Vec<String>,
}

/// A tree that runs. Dropping it kills everybody; [`Running::stop`] is the way to end it.
pub struct Running {
    supervisor: Option<ActorRef<Command>>,
    shared: Arc<Shared>,
    chaos: bool,
}

impl Running {
    /// Waits until every static child runs.
    pub async fn ready(&self, limit: Duration) -> Result<(), NotReady> {
        let wait = tokio::time::sleep(limit);
        tokio::pin!(wait);
        let mut events = self.shared.events.subscribe();
        loop {
            let missing = self.missing();
            if missing.is_empty() {
                return Ok(());
            }
            // Events tell when to look again; what is asked is the state itself.
            tokio::select! {
                _ = events.next() => {}
                () = &mut wait => return Err(NotReady { children: missing }),
            }
        }
    }

    fn missing(&self) -> Vec<String> {
        let snapshot = self.snapshot();
        let late = snapshot.children.iter().filter(|child| child.parent.is_none() && child.state != ChildState::Running);
        late.map(|child| match &child.last_exit {
            Some(exit) => format!("{} is {:?} after: {exit}", child.name, child.state),
            None => format!("{} is {:?}", child.name, child.state),
        })
        .collect()
    }

    /// Stops everybody in reverse order, doors first, each within its limit.
    pub async fn stop(mut self, cause: &str) -> ShutdownReport {
        let began = Instant::now();
        let (report, receiver) = oneshot::channel();
        self.shared.command(Command::Stop { cause: cause.to_owned(), report });
        let report = receiver.await.unwrap_or_else(|_| ShutdownReport {
            tree: self.shared.registry.tree.clone(),
            cause: cause.to_owned(),
            took_ms: crate::snapshot::millis(began.elapsed()),
            children: Vec::new(),
            in_order: false,
        });
        if let Some(supervisor) = self.supervisor.take() {
            // It stops by itself after the report; only a broken runtime would make us wait.
            let _ = supervisor.wait(Some(Duration::from_secs(1))).await;
        }
        report
    }

    /// The tree as it is now.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshots().take()
    }

    /// A handle for snapshots that may be given away.
    pub fn snapshots(&self) -> Snapshots {
        Snapshots(self.shared.registry.clone())
    }

    pub fn events(&self) -> Events {
        self.shared.events.clone()
    }

    /// What nobody handled, and why; a handle that may be given away.
    pub fn dead_letters(&self) -> DeadLetters {
        self.shared.letters.clone()
    }

    /// The fence of a child, by name.
    pub fn fence(&self, child: &str) -> Option<Fence> {
        self.shared.registry.find(child, |row| row.port.vitals().fence.clone())
    }

    /// Waits until the tree gives up on a child: its budget was spent, or it is exclusive and stuck. The first one counts.
    pub async fn ended(&self) -> Escalation {
        let mut ended = self.shared.ended.subscribe();
        let escalation = ended.wait_for(Option::is_some).await;
        // The sender lives in `self`, so the wait ends with a value.
        escalation.ok().and_then(|ended| ended.clone()).unwrap_or_else(|| Escalation {
            child: self.shared.registry.tree.clone(),
            reason: "the supervisor has ended".to_owned(),
            exit_code: EXIT_ESCALATED,
        })
    }

    /// A handle for restarting, suspending and resuming children that may be given away.
    pub fn controls(&self) -> Controls {
        Controls { shared: self.shared.clone(), chaos: self.chaos }
    }

    /// A handle for injecting faults that may be given away.
    pub fn faults(&self) -> Faults {
        Faults { shared: self.shared.clone(), enabled: self.chaos }
    }

    /// Arms a fault; see [`Faults::inject`].
    pub fn inject(&self, fault: FaultInjection) -> Result<(), InjectError> {
        self.faults().inject(fault)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(supervisor) = &self.supervisor {
            supervisor.kill();
        }
    }
}
