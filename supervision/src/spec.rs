//! What a tree has to know about a child.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::actor::{Actor, Fault};
use crate::address::Address;
use crate::backoff::Backoff;
use crate::budget::{Budget, GroupBudget};
use crate::exit::ExitReason;
use crate::fence::Incarnation;
use crate::mailbox::Port;
use crate::policy::{Policy, Restart};
use crate::probe::Probe;
use crate::runner::{Newborn, Seat, launch};

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
pub(crate) type Launch = Arc<dyn Fn(Seat) -> Boxed<Result<Newborn, ExitReason>> + Send + Sync>;
pub(crate) type Farewell = Box<dyn FnOnce(&ExitReason) + Send>;

const HANG_LIMIT: Duration = Duration::from_secs(5);
const START_LIMIT: Duration = Duration::from_secs(10);
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The rules one child lives by.
pub(crate) struct Rules {
    pub name: Arc<str>,
    pub needs: Vec<String>,
    pub after: Vec<String>,
    pub policy: Policy,
    pub hang_limit: Duration,
    pub start_limit: Duration,
    /// Set for those that say themselves when they are ready.
    pub ready_limit: Option<Duration>,
    pub drain_limit: Duration,
    pub stop_limit: Duration,
    pub exclusive: bool,
    pub suspends: bool,
    pub door: bool,
    pub children_budget: GroupBudget,
    pub probes: Vec<Probe>,
}

/// A child of a tree: its address, how to make it, and the rules it lives by.
pub struct ChildSpec {
    pub(crate) rules: Rules,
    pub(crate) port: Arc<dyn Port>,
    pub(crate) launch: Launch,
    pub(crate) farewell: Vec<Farewell>,
}

impl ChildSpec {
    /// A permanent child behind `address`. `factory` makes each incarnation; an error or a panic in it, or silence
    /// beyond the start limit, is a failed start and retried with backoff.
    pub fn new<A, F, Fut>(name: &str, address: Address<A::Message>, factory: F) -> Self
    where
        A: Actor,
        F: Fn(Incarnation) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<A, Fault>> + Send + 'static,
    {
        let port: Arc<dyn Port> = address.mailbox().clone();
        let factory = Arc::new(factory);
        let launch: Launch = Arc::new(move |seat| {
            let factory = factory.clone();
            let make = move |incarnation| -> Boxed<Result<A, Fault>> { Box::pin(factory(incarnation)) };
            Box::pin(launch(seat, address.clone(), Box::new(make)))
        });
        let policy = Policy { restart: Restart::Permanent, backoff: Backoff::default(), budget: Budget::default() };
        let rules = Rules {
            name: name.into(),
            needs: Vec::new(),
            after: Vec::new(),
            policy,
            hang_limit: HANG_LIMIT,
            start_limit: START_LIMIT,
            ready_limit: None,
            drain_limit: DRAIN_LIMIT,
            stop_limit: STOP_LIMIT,
            exclusive: false,
            suspends: false,
            door: false,
            children_budget: GroupBudget::default(),
            probes: Vec::new(),
        };
        ChildSpec { rules, port, launch, farewell: Vec::new() }
    }

    /// A temporary child made from a value that exists once, for example a connection.
    pub fn once<A, F, Fut>(name: &str, address: Address<A::Message>, factory: F) -> Self
    where
        A: Actor,
        F: FnOnce(Incarnation) -> Fut + Send + 'static,
        Fut: Future<Output = Result<A, Fault>> + Send + 'static,
    {
        let factory = Mutex::new(Some(factory));
        let make = move |incarnation| {
            let factory = factory.lock().take();
            async move {
                match factory {
                    Some(factory) => factory(incarnation).await,
                    None => Err(Fault::new("this child can be made only once")),
                }
            }
        };
        ChildSpec::new(name, address, make).restart(Restart::Temporary)
    }

    /// Suspends or stops at once when one of these is down, and comes back after it. Starts after them.
    pub fn needs(mut self, names: &[&str]) -> Self {
        self.rules.needs.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// Starts after these for the first time and stops before them; otherwise independent of them.
    pub fn after(mut self, names: &[&str]) -> Self {
        self.rules.after.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// Lives on without handling messages while something it needs is down; otherwise it stops.
    pub fn suspend_when_needs_are_down(mut self) -> Self {
        self.rules.suspends = true;
        self
    }

    pub fn restart(mut self, restart: Restart) -> Self {
        self.rules.policy.restart = restart;
        self
    }

    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.rules.policy.backoff = backoff;
        self
    }

    pub fn budget(mut self, budget: Budget) -> Self {
        self.rules.policy.budget = budget;
        self
    }

    /// How long one message may take, waiting for other actors taken off (5 s).
    pub fn hang_limit(mut self, limit: Duration) -> Self {
        self.rules.hang_limit = limit;
        self
    }

    /// How long the factory and `started` may take together (10 s).
    pub fn start_limit(mut self, limit: Duration) -> Self {
        self.rules.start_limit = limit;
        self
    }

    /// It is ready when it calls [`Context::ready`](crate::Context::ready), and that may take so long after its start.
    /// Until then it handles messages, and those that need it wait. Without this it is ready when it has started.
    pub fn says_when_ready(mut self, limit: Duration) -> Self {
        self.rules.ready_limit = Some(limit);
        self
    }

    /// How long it may handle what waits, in an ordered stop (10 s). What is left then are dead letters.
    pub fn drain_limit(mut self, limit: Duration) -> Self {
        self.rules.drain_limit = limit;
        self
    }

    /// How long an ordered stop may take beyond the draining (10 s). Then it is killed.
    pub fn stop_limit(mut self, limit: Duration) -> Self {
        self.rules.stop_limit = limit;
        self
    }

    /// What the dynamic children of this child may need together before it is restarted itself.
    pub fn children_budget(mut self, budget: GroupBudget) -> Self {
        self.rules.children_budget = budget;
        self
    }

    /// Watches a number that should move while this child runs, for example how much it has done: unchanged for
    /// `limit`, it counts as stalled in events and snapshots. Nobody is restarted for it. `read` must not block, and
    /// answers `None` while there is nothing to move.
    pub fn probe(mut self, name: &str, limit: Duration, read: impl Fn() -> Option<u64> + Send + Sync + 'static) -> Self {
        self.rules.probes.push(Probe::new(name, limit, read));
        self
    }

    /// Never two incarnations: when it is stuck, the tree escalates instead of replacing it.
    pub fn exclusive(mut self) -> Self {
        self.rules.exclusive = true;
        self
    }

    /// A door: stops before everybody who is none, so that nobody new comes in.
    pub fn stops_first(mut self) -> Self {
        self.rules.door = true;
        self
    }

    /// Called once when it is over and will not come back. Must not block; `try_send` is what it is for.
    pub fn when_ended(mut self, farewell: impl FnOnce(&ExitReason) + Send + 'static) -> Self {
        self.farewell.push(Box::new(farewell));
        self
    }
}
