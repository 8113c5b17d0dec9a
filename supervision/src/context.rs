//! What an actor can do besides handling a message.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tracing::{Instrument, Span};

use crate::actor::Message;
use crate::address::Address;
use crate::child::ChildId;
use crate::children::Children;
use crate::event::EventKind;
use crate::fence::{Fence, Incarnation};
use crate::panics::{caught, caught_async};
use crate::pulse::Pulse;
use crate::runner::Seat;
use crate::shared::Shared;
use crate::supervisor::Command;
use crate::task::TaskHandle;
use crate::timer::{Timer, TimerBell};
use crate::trace::{Origin, life_span, work_span};

/// The surroundings of one incarnation. Everything it starts here ends with the incarnation.
pub struct Context<M> {
    name: Arc<str>,
    address: Address<M>,
    child: ChildId,
    incarnation: Incarnation,
    pulse: Arc<Pulse>,
    shared: Arc<Shared>,
    /// What it and its tasks log is logged within.
    life: Span,
    pub(crate) is_done: bool,
}

/// Declared blocking work that did not end well. Work beyond its limit is none of these: its incarnation is replaced and
/// never hears of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockingError {
    /// The work panicked; the actor lives on. `place` is known where the panic hook calls [`crate::note_panic`].
    #[error("{what} panicked: {message}{}", place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default())]
    Panicked { what: &'static str, message: String, place: Option<String> },
}

impl<M: Message> Context<M> {
    pub(crate) fn new(address: Address<M>, seat: Seat) -> Self {
        let Seat { name, child, incarnation, pulse, shared, .. } = seat;
        let life = life_span(&shared.registry.tree);
        Context { name, address, child, incarnation, pulse, shared, life, is_done: false }
    }

    /// The child's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One's own address, for handing out. What one tells oneself begins a new trace.
    pub fn address(&self) -> &Address<M> {
        &self.address
    }

    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// For effects outside the actor: refuse them when [`Fence::is_current`] says that this incarnation is stale.
    pub fn fence(&self) -> Fence {
        self.address.fence()
    }

    /// Says that this incarnation is ready, so that those that need it may go on; see
    /// [`ChildSpec::says_when_ready`](crate::ChildSpec::says_when_ready).
    pub fn ready(&self) {
        self.address.mailbox().vitals.say_ready(self.incarnation);
        self.shared.command(Command::Ready { child: self.child, incarnation: self.incarnation });
    }

    /// This actor is done: it ends after the message in hand. What waits is left; a permanent child comes back.
    pub fn done(&mut self) {
        self.is_done = true;
    }

    /// Sends `message` to oneself after `delay`. Needs no room in the mailbox.
    pub fn after(&self, delay: Duration, message: M) -> Timer {
        let bell = self.timer_bell();
        let timer = async move {
            tokio::time::sleep(delay).await;
            // Refused when the incarnation is gone: the timer dies with it.
            let _ = bell.ring(message, Arc::default());
        };
        Timer(self.pulse.tasks.spawn(timer))
    }

    /// Sends a message to oneself after each `period`. A tick is skipped while the one before has not been handled.
    pub fn every(&self, period: Duration, make: impl Fn() -> M + Send + 'static) -> Timer {
        let bell = self.timer_bell();
        let timer = async move {
            let pending: Arc<()> = Arc::default();
            loop {
                tokio::time::sleep(period).await;
                if Arc::strong_count(&pending) > 1 {
                    continue;
                }
                if bell.ring(make(), pending.clone()).is_err() {
                    return;
                }
            }
        };
        Timer(self.pulse.tasks.spawn(timer))
    }

    /// Runs work that blocks its thread, declared: until `limit` this actor is slow, not hung.
    ///
    /// The runtime hands its other tasks to another thread meanwhile (on a single-threaded runtime they wait, and the
    /// supervisor with them). Snapshots name `what` as the work in hand, and call it slow after 2 s. When `limit` has
    /// passed it has hung: the incarnation is fenced and replaced, or, if the child is exclusive, the tree escalates.
    /// The thread itself cannot be stopped: the work runs to its end; let it ask [`Fence::is_current`] before an effect that must
    /// not happen late.
    /// An incarnation that was replaced does not begin it, and does not return from it, not even with an error; so
    /// work that returned was within its limit as far as anybody judged. The message's own clock begins again then.
    pub async fn blocking<R: Send>(&self, limit: Duration, what: &'static str, work: impl FnOnce() -> R + Send) -> Result<R, BlockingError> {
        Pulse::rest_if_fenced().await;
        let declared = self.pulse.declare(what, limit);
        let outcome = caught(|| match Handle::current().runtime_flavor() {
            RuntimeFlavor::CurrentThread => work(),
            _ => tokio::task::block_in_place(work),
        });
        drop(declared);
        if self.pulse.is_fenced() {
            std::future::pending::<()>().await;
        }
        outcome.map_err(|caught| BlockingError::Panicked { what, message: caught.message, place: caught.place })
    }

    /// Runs a future beside the messages, for example to ask another actor without being occupied by it.
    /// A panic in it becomes an event; the actor lives on.
    pub fn task(&self, what: &'static str, future: impl Future<Output = ()> + Send + 'static) -> TaskHandle {
        let (shared, child, incarnation) = (self.shared.clone(), self.name.clone(), self.incarnation);
        let watched = async move {
            if let Err(caught) = caught_async(pin!(future)).await {
                tracing::error!(%child, task = what, message = caught.message, place = caught.place, "task panicked");
                let (message, place) = (caught.message, caught.place);
                let kind = EventKind::TaskPanicked { task: what.to_owned(), message, place };
                shared.events.tell(&child, incarnation.0, kind);
            }
        };
        TaskHandle(self.pulse.tasks.spawn(watched.instrument(self.life.clone())))
    }

    /// A span for work that a task does on behalf of the message in hand, in the trace of that message. A task itself belongs to no
    /// trace: it may outlive many messages.
    pub fn span(&self, work: &'static str) -> Span {
        work_span(&self.life, &self.name, work)
    }

    /// A group of dynamic children owned by this incarnation, at most `limit` at a time.
    pub fn children<K>(&self, limit: usize) -> Children<K>
    where
        K: Ord + Clone + std::fmt::Display + Send + Sync + 'static,
    {
        Children::new(self.shared.clone(), (self.child, self.incarnation), self.name(), limit)
    }

    fn timer_bell(&self) -> TimerBell<M> {
        TimerBell { mailbox: self.address.mailbox().clone(), of: self.incarnation, origin: Origin::own() }
    }

    pub(crate) fn life(&self) -> &Span {
        &self.life
    }

    pub(crate) async fn end_tasks(&self) {
        self.pulse.tasks.end().await;
    }
}
