//! One incarnation: reads from the mailbox, runs the actor, and tells the supervisor when it is over.
//!
//! ractor carries the life and the kill; the queue, the doorbell, the reasons and the fence are ours. A whole life is one
//! message of ractor's: what goes through its queue once more costs as much as a message.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ractor::{ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use tracing::Instrument;

use crate::actor::{Actor, Fault, Message};
use crate::address::Address;
use crate::chaos::{self, FaultKind};
use crate::child::ChildId;
use crate::context::Context;
use crate::exit::ExitReason;
use crate::fence::Incarnation;
use crate::lane::{Envelope, Item};
use crate::mailbox::{Mailbox, Taken};
use crate::metrics::Labels;
use crate::panics::{caught, caught_async};
use crate::pulse::Pulse;
use crate::shared::Shared;
use crate::spec::Boxed;
use crate::supervisor::Command;
use crate::trace::message_span;
use crate::turn;

/// What an incarnation does in an ordered stop, after the mailbox was drained.
const STOPPING: &str = "stopping";

/// Messages handled before others on this thread get their turn.
const BATCH: u32 = 64;

/// What the runner is told through ractor, once: to live.
struct Live;

type Factory<A> = Box<dyn FnOnce(Incarnation) -> Boxed<Result<A, Fault>> + Send>;

/// The place an incarnation takes in its tree.
pub(crate) struct Seat {
    pub child: ChildId,
    pub name: Arc<str>,
    pub label: Arc<str>,
    pub incarnation: Incarnation,
    pub pulse: Arc<Pulse>,
    pub shared: Arc<Shared>,
}

/// An incarnation that has started and that nobody has taken charge of yet: dropped, it is killed.
pub(crate) struct Newborn {
    cell: ActorCell,
    is_adopted: bool,
}

impl Newborn {
    pub fn adopt(mut self) -> ActorCell {
        self.is_adopted = true;
        self.cell.clone()
    }
}

impl Drop for Newborn {
    fn drop(&mut self) {
        if !self.is_adopted {
            self.cell.kill();
        }
    }
}

/// Makes an incarnation and starts it. Ready when it returns.
///
/// Not linked in ractor: its tree has one lock for the whole process, and its events would say what we know.
pub(crate) async fn launch<A: Actor>(seat: Seat, address: Address<A::Message>, factory: Factory<A>) -> Result<Newborn, ExitReason> {
    let birth = Birth { seat, address, factory };
    match ractor::Actor::spawn(None, Runner::<A>(PhantomData), birth).await {
        Ok((runner, _)) => Ok(Newborn { cell: runner.get_cell(), is_adopted: false }),
        Err(SpawnErr::StartupFailed(error)) => Err(match error.downcast::<StartError>() {
            Ok(error) => error.0,
            Err(error) => ExitReason::StartFailed { error: error.to_string() },
        }),
        Err(error) => Err(ExitReason::StartFailed { error: error.to_string() }),
    }
}

struct Birth<A: Actor> {
    seat: Seat,
    address: Address<A::Message>,
    factory: Factory<A>,
}

/// Carries the reason of a failed start through ractor.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct StartError(ExitReason);

struct Runner<A>(PhantomData<fn() -> A>);

impl<A: Actor> ractor::Actor for Runner<A> {
    type Msg = Live;
    // Boxed, because ractor keeps room for it more than once, and so for what a life waits in.
    type State = Box<Life<A>>;
    type Arguments = Birth<A>;

    async fn pre_start(&self, me: ActorRef<Live>, birth: Birth<A>) -> Result<Box<Life<A>>, ActorProcessingErr> {
        let life = Life::begin(birth).await.map_err(StartError)?;
        me.cast(Live)?;
        Ok(Box::new(life))
    }

    async fn handle(&self, me: ActorRef<Live>, Live: Live, life: &mut Box<Life<A>>) -> Result<(), ActorProcessingErr> {
        let (span, pulse) = (life.context.life().clone(), life.pulse.clone());
        pulse.scope(Box::pin(life.live())).instrument(span).await;
        me.stop(None);
        Ok(())
    }
}

struct Life<A: Actor> {
    // Dropped in this order: the actor, then what it started, and last the news that it is gone.
    actor: Option<A>,
    context: Context<A::Message>,
    mailbox: Arc<Mailbox<A::Message>>,
    pulse: Arc<Pulse>,
    shared: Arc<Shared>,
    label: Arc<str>,
    incarnation: Incarnation,
    /// Of the latest message: most follow others of their kind.
    labels: Labels,
    gone: Option<Gone>,
}

/// The name under which what an injected flood consists of is handled.
const FLOOD: &str = "Flood";

impl<A: Actor> Life<A> {
    async fn begin(birth: Birth<A>) -> Result<Self, ExitReason> {
        let Birth { seat, address, factory } = birth;
        let (child, label, incarnation) = (seat.child, seat.label.clone(), seat.incarnation);
        let (pulse, shared) = (seat.pulse.clone(), seat.shared.clone());
        let mailbox = address.mailbox().clone();
        let mut context = Context::new(address, seat);
        pulse.begin("started");
        let span = context.life().clone();
        let fault = mailbox.vitals.chaos.strike_start();
        let actor = pulse.clone().scope(start(factory, incarnation, &mut context, fault)).instrument(span).await?;
        pulse.end();
        if !mailbox.attach(incarnation) {
            return Err(ExitReason::killed_by_supervisor());
        }
        let gone = Some(Gone { shared: shared.clone(), child, incarnation, reason: None });
        let labels = shared.metrics.labels(&label, FLOOD);
        pulse.name(FLOOD);
        Ok(Life { actor: Some(actor), context, mailbox, pulse, shared, label, incarnation, labels, gone })
    }

    /// Handles what comes until this life is over.
    async fn live(&mut self) {
        // One look at the clock for each message: the next begins when the one before ends, unless it had to be waited for.
        let mut now = self.pulse.now();
        let mut batch = 0;
        let reason = loop {
            if batch == BATCH {
                turn::pass().await;
                (now, batch) = (self.pulse.now(), 0);
            }
            let mut waited = false;
            let next = poll_fn(|cx| {
                let taken = self.mailbox.poll_next(self.incarnation, cx);
                waited |= taken.is_pending();
                taken
            });
            let taken = next.await;
            if waited {
                (now, batch) = (self.pulse.now(), 0);
            }
            batch += 1;
            let over = match taken {
                Taken::Item(Item::Letter(envelope)) => self.handle(envelope, &mut now).await,
                Taken::Item(Item::Flood) => self.handle_flood(&mut now),
                Taken::Ping => self.pong(),
                Taken::Leave => Some(self.stopping().await),
                Taken::Stale => Some(ExitReason::killed_by_supervisor()),
            };
            if let Some(reason) = over {
                break reason;
            }
        };
        self.end(reason).await;
    }

    fn pong(&self) -> Option<ExitReason> {
        self.pulse.pong();
        None
    }

    fn handle_flood(&mut self, now: &mut u64) -> Option<ExitReason> {
        self.take_in_hand(FLOOD, *now);
        self.end_message(Duration::ZERO, now);
        self.mailbox.vitals.handled.fetch_add(1, Relaxed);
        None
    }

    /// Handles one message; tells why if this was the last one.
    async fn handle(&mut self, envelope: Envelope<A::Message>, now: &mut u64) -> Option<ExitReason> {
        let Envelope { message, name, lane, queued_at, origin, yields, broke, timer } = envelope;
        let vitals = &self.mailbox.vitals;
        let fault = vitals.chaos.strike(name);
        self.take_in_hand(name, *now);
        let queued_us = now.saturating_sub(queued_at);
        let span = message_span(&self.label, name, queued_us, &origin);
        // A missing actor has ended, and an ended one takes no messages.
        let actor = self.actor.as_mut()?;
        let (context, mailbox, incarnation, is_timer) = (&mut self.context, &self.mailbox, self.incarnation, timer.is_some());
        let outcome = {
            let work = pin!(async move {
                // What a timer sent is void for the next incarnation.
                let copy = if is_timer { None } else { message.again() };
                let is_kept = copy.is_some();
                if let Some(message) = copy {
                    mailbox.keep(incarnation, Envelope { message, name, lane, queued_at, origin, yields, broke, timer: None });
                }
                if let Some(fault) = fault {
                    Box::pin(chaos::happen(fault)).await?;
                }
                actor.handle(message, context).await?;
                if is_kept {
                    mailbox.settle(incarnation);
                }
                Ok::<(), Fault>(())
            });
            caught_async(work).instrument(span).await
        };
        drop(timer);
        self.end_message(Duration::from_micros(queued_us), now);
        let during = || name.to_owned();
        match outcome {
            Err(caught) => Some(caught.reason(name)),
            Ok(Err(fault)) => Some(ExitReason::Fault { error: fault.to_string(), during: during(), times_in_a_row: 1 }),
            Ok(Ok(())) if self.pulse.is_fenced() => Some(ExitReason::killed_by_supervisor()),
            Ok(Ok(())) => {
                self.mailbox.vitals.handled.fetch_add(1, Relaxed);
                self.context.is_done.then_some(ExitReason::Done)
            }
        }
    }

    fn take_in_hand(&mut self, name: &'static str, now: u64) {
        if self.labels.message != name {
            self.labels = self.shared.metrics.labels(&self.label, name);
            self.pulse.name(name);
        }
        self.pulse.begin_at(now);
    }

    /// `now` goes on from when the message began to when it ended.
    fn end_message(&mut self, queued: Duration, now: &mut u64) {
        let began = std::mem::replace(now, self.pulse.end());
        let took = Duration::from_micros(now.saturating_sub(began));
        self.shared.metrics.handled(&self.labels, queued, took);
    }

    async fn stopping(&mut self) -> ExitReason {
        if let Some(actor) = self.actor.as_mut() {
            self.pulse.say_goodbye();
            self.pulse.begin(STOPPING);
            let outcome = caught_async(pin!(actor.stopping(&mut self.context))).await;
            self.pulse.end();
            if let Err(caught) = outcome {
                return caught.reason(STOPPING);
            }
        }
        ExitReason::Stopped
    }

    /// Ends this life: stale at once, then everything it holds is dropped, and only then it is gone.
    async fn end(&mut self, reason: ExitReason) {
        self.mailbox.vitals.fence.end(self.incarnation);
        if let Some(gone) = &self.gone {
            self.shared.command(Command::Ending(gone.child));
        }
        self.context.end_tasks().await;
        let actor = self.actor.take();
        if let Err(caught) = caught(|| drop(actor)) {
            tracing::warn!(child = %self.label, message = caught.message, "panic while dropping an actor");
        }
        if let Some(gone) = &mut self.gone {
            gone.reason = Some(Box::new(reason));
        }
        self.gone = None;
    }
}

async fn start<A: Actor>(
    factory: Factory<A>,
    incarnation: Incarnation,
    context: &mut Context<A::Message>,
    fault: Option<FaultKind>,
) -> Result<A, ExitReason> {
    let born = {
        let born = pin!(async {
            if let Some(fault) = fault {
                chaos::happen(fault).await?;
            }
            let mut actor = factory(incarnation).await?;
            actor.started(context).await?;
            Ok::<A, Fault>(actor)
        });
        caught_async(born).await
    };
    let error = match born {
        Ok(Ok(actor)) => return Ok(actor),
        Ok(Err(fault)) => fault.to_string(),
        Err(caught) => match caught.place {
            Some(place) => format!("panic: {} at {place}", caught.message),
            None => format!("panic: {}", caught.message),
        },
    };
    context.end_tasks().await;
    Err(ExitReason::StartFailed { error })
}

/// Tells the supervisor, when dropped, that an incarnation is gone: however that came about, it is heard.
struct Gone {
    shared: Arc<Shared>,
    child: ChildId,
    incarnation: Incarnation,
    /// Set by a life that ended by itself. Boxed, because most have not.
    reason: Option<Box<ExitReason>>,
}

impl Drop for Gone {
    fn drop(&mut self) {
        let killed = || ExitReason::Killed { by: "the runtime".to_owned() };
        let reason = self.reason.take().map_or_else(killed, |reason| *reason);
        self.shared.command(Command::Gone { child: self.child, incarnation: self.incarnation, reason });
    }
}
