//! The supervisor: an actor of ractor's that turns news into decisions. It never awaits a child.

use std::sync::Arc;
use std::time::Duration;

use ractor::{ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;

use crate::child::{Child, ChildId};
use crate::controls::{ControlError, Order};
use crate::exit::{EXIT_ESCALATED, Escalation, ExitReason};
use crate::family::Family;
use crate::fence::Incarnation;
use crate::panics::caught;
use crate::report::ShutdownReport;
use crate::runner::Newborn;
use crate::shared::Shared;

/// What the supervisor is told.
pub(crate) enum Command {
    /// A start has ended, well or not.
    Started { child: ChildId, incarnation: Incarnation, outcome: Result<Newborn, ExitReason> },
    /// An incarnation has begun to end, and may take its time to let go of what it holds: those who need it hear of it now.
    Ending(ChildId),
    /// An incarnation is gone, and all it held is free.
    Gone { child: ChildId, incarnation: Incarnation, reason: ExitReason },
    /// A backoff is over.
    Retry { child: ChildId, incarnation: Incarnation },
    /// Time to look who hangs and who is late.
    Tick,
    /// A dynamic child.
    Add { id: ChildId, child: Box<Child> },
    /// A dynamic child is no longer wanted.
    Remove(ChildId),
    /// A child says that it is ready.
    Ready { child: ChildId, incarnation: Incarnation },
    /// What an operator wants of a child.
    Control { child: String, order: Order, reply: oneshot::Sender<Result<(), ControlError>> },
    /// A fault injected into the supervisor itself.
    Panic,
    /// Stop everybody, in order.
    Stop { cause: String, report: oneshot::Sender<ShutdownReport> },
}

pub(crate) struct Supervisor;

pub(crate) struct Desk {
    family: Family,
    tick: Duration,
    last_words: LastWords,
}

impl ractor::Actor for Supervisor {
    type Msg = Command;
    type State = Desk;
    type Arguments = (Family, Duration);

    async fn pre_start(&self, me: ActorRef<Command>, (mut family, tick): (Family, Duration)) -> Result<Desk, ActorProcessingErr> {
        let shared = family.begin(me.clone());
        me.send_after(tick, || Command::Tick);
        let last_words = LastWords(Some(shared));
        Ok(Desk { family, tick, last_words })
    }

    async fn handle(&self, me: ActorRef<Command>, command: Command, desk: &mut Desk) -> Result<(), ActorProcessingErr> {
        let is_tick = matches!(command, Command::Tick);
        let family = &mut desk.family;
        if let Err(panic) = caught(|| obey(family, command))
            && !family.recover(&panic)
        {
            desk.last_words.0 = None;
            me.stop(None);
            return Ok(());
        }
        if is_tick {
            // The next one is sent only now, so that a late supervisor sees that it is late.
            me.send_after(desk.tick, || Command::Tick);
        }
        if family.is_over() {
            desk.last_words.0 = None;
            me.stop(None);
        }
        Ok(())
    }
}

impl Command {
    /// Whom alone it is about.
    fn child(&self) -> Option<ChildId> {
        match self {
            Command::Started { child, .. } | Command::Gone { child, .. } | Command::Retry { child, .. } | Command::Ready { child, .. } => {
                Some(*child)
            }
            Command::Ending(id) | Command::Add { id, .. } | Command::Remove(id) => Some(*id),
            Command::Tick | Command::Control { .. } | Command::Panic | Command::Stop { .. } => None,
        }
    }
}

fn obey(family: &mut Family, command: Command) {
    let about = command.child();
    match command {
        Command::Started { child, incarnation, outcome } => family.started(child, incarnation, outcome),
        Command::Ending(_) => {}
        Command::Gone { child, incarnation, reason } => family.gone(child, incarnation, reason),
        Command::Retry { child, incarnation } => family.retry(child, incarnation),
        Command::Tick => family.tick(),
        Command::Add { id, child } => family.add(id, child),
        Command::Remove(child) => family.remove(child),
        Command::Ready { child, incarnation } => family.ready(child, incarnation),
        Command::Control { child, order, reply } => {
            // Whoever gave the order may have left.
            let _ = reply.send(family.control(&child, order));
        }
        Command::Panic => panic!("injected panic"),
        Command::Stop { cause, report } => family.stop(cause, report),
    }
    family.reconcile(about);
}

/// A supervisor that vanishes takes its children with it; whoever runs the tree must hear of it.
struct LastWords(Option<Arc<Shared>>);

impl Drop for LastWords {
    fn drop(&mut self) {
        let Some(shared) = self.0.take() else { return };
        let reason = "the supervisor has ended".to_owned();
        shared.escalate(Escalation { child: shared.registry.tree.clone(), reason, exit_code: EXIT_ESCALATED });
    }
}
