//! One incarnation: reads from the mailbox, runs the actor, and tells the supervisor when it is over.
//!
//! ractor carries the doorbell and the kill; the queue, the reasons and the fence are ours.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use ractor::{ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tracing::Instrument;

use crate::actor::{Actor, Fault, Message};
use crate::address::Address;
use crate::chaos::{self, FaultKind};
use crate::child::ChildId;
use crate::context::Context;
use crate::exit::ExitReason;
use crate::fence::Incarnation;
use crate::lane::{Envelope, Item};
use crate::mailbox::{Control, Mailbox, Taken};
use crate::metrics::Labels;
use crate::panics::{caught, caught_async};
use crate::pulse::Pulse;
use crate::shared::Shared;
use crate::spec::Boxed;
use crate::supervisor::Command;
use crate::trace::message_span;

/// What an incarnation does in an ordered stop, after the mailbox was drained.
pub(crate) const STOPPING: &str = "stopping";

/// Messages handled before others on this thread, and a ping, get their turn.
const BATCH: usize = 64;

type Factory<A> = Box<dyn FnOnce(Incarnation) -> Boxed<Result<A, Fault>> + Send>;

/// The place an incarnation takes in its tree.
pub(crate) struct Seat {
    pub child: ChildId,
    pub name: Arc<str>,
    pub label: Arc<str>,
    pub incarnation: Incarnation,
    pub pulse: Arc<Pulse>,
    pub shared: Arc<Shared>,
    pub supervisor: ActorCell,
}

/// Makes an incarnation and starts it. Ready when it returns.
pub(crate) async fn launch<A: Actor>(seat: Seat, address: Address<A::Message>, factory: Factory<A>) -> Result<ActorCell, ExitReason> {
    let supervisor = seat.supervisor.clone();
    let birth = Birth { seat, address, factory };
    match ractor::Actor::spawn_linked(None, Runner::<A>(PhantomData), birth, supervisor).await {
        Ok((runner, _)) => Ok(runner.get_cell()),
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
    type Msg = Control;
    type State = Life<A>;
    type Arguments = Birth<A>;

    async fn pre_start(&self, bell: ActorRef<Control>, birth: Birth<A>) -> Result<Life<A>, ActorProcessingErr> {
        Life::begin(bell, birth).await.map_err(|reason| StartError(reason).into())
    }

    async fn handle(&self, bell: ActorRef<Control>, control: Control, life: &mut Life<A>) -> Result<(), ActorProcessingErr> {
        match control {
            Control::Ping => life.pulse.pong(),
            Control::Doorbell => {
                let (span, pulse) = (life.context.life().clone(), life.pulse.clone());
                pulse.scope(life.turn(bell)).instrument(span).await;
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(&self, _: ActorRef<Control>, _: SupervisionEvent, _: &mut Life<A>) -> Result<(), ActorProcessingErr> {
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
    async fn begin(bell: ActorRef<Control>, birth: Birth<A>) -> Result<Self, ExitReason> {
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
        if !mailbox.attach(incarnation, bell) {
            return Err(ExitReason::killed_by_supervisor());
        }
        let gone = Some(Gone { shared: shared.clone(), child, incarnation, reason: ExitReason::Killed { by: "the runtime".to_owned() } });
        let labels = shared.metrics.labels(&label, FLOOD);
        pulse.name(FLOOD);
        Ok(Life { actor: Some(actor), context, mailbox, pulse, shared, label, incarnation, labels, gone })
    }

    /// Handles what waits, up to a batch.
    async fn turn(&mut self, bell: ActorRef<Control>) {
        // One look at the clock for each message: the next begins when the one before ends.
        let mut now = self.pulse.now();
        for _ in 0..BATCH {
            let reason = match self.mailbox.take(self.incarnation) {
                Taken::Nothing => return,
                Taken::Item(Item::Letter(envelope)) => self.handle(envelope, &mut now).await,
                Taken::Item(Item::Flood) => {
                    self.take_in_hand(FLOOD, now);
                    self.end_message(Duration::ZERO, &mut now);
                    self.mailbox.vitals.handled.fetch_add(1, Relaxed);
                    None
                }
                Taken::Leave => Some(self.stopping().await),
                Taken::Stale => Some(ExitReason::killed_by_supervisor()),
            };
            if let Some(reason) = reason {
                self.end(reason).await;
                bell.stop(None);
                return;
            }
        }
        // Ringing oneself cannot fail while one runs.
        let _ = bell.cast(Control::Doorbell);
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
        let work = async move {
            // What a timer sent is void for the next incarnation.
            let copy = if is_timer { None } else { message.again() };
            let is_kept = copy.is_some();
            if let Some(message) = copy {
                mailbox.keep(incarnation, Envelope { message, name, lane, queued_at, origin, yields, broke, timer: None });
            }
            if let Some(fault) = fault {
                chaos::happen(fault).await?;
            }
            actor.handle(message, context).await?;
            if is_kept {
                mailbox.settle(incarnation);
            }
            Ok::<(), Fault>(())
        };
        let outcome = caught_async(work).instrument(span).await;
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
            self.pulse.begin(STOPPING);
            let outcome = caught_async(actor.stopping(&mut self.context)).await;
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
            gone.reason = reason;
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
    let born = async {
        if let Some(fault) = fault {
            chaos::happen(fault).await?;
        }
        let mut actor = factory(incarnation).await?;
        actor.started(context).await?;
        Ok::<A, Fault>(actor)
    };
    let error = match caught_async(born).await {
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
    reason: ExitReason,
}

impl Drop for Gone {
    fn drop(&mut self) {
        let reason = self.reason.clone();
        self.shared.command(Command::Gone { child: self.child, incarnation: self.incarnation, reason });
    }
}
