//! What an operator may tell a tree about one of its children.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::child::{ChildId, Phase, Then};
use crate::event::EventKind;
use crate::exit::ExitReason;
use crate::family::Family;
use crate::mailbox::Leaving;
use crate::policy::Restart;
use crate::shared::Shared;
use crate::supervisor::Command;

/// How long the supervisor may take to answer; it waits for nobody, so this is long.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Restarts, suspends and resumes children of a running tree. Good for the life of the tree, through every restart.
///
/// `by` says who wants it, for events and exit reasons.
#[derive(Clone)]
pub struct Controls {
    pub(crate) shared: Arc<Shared>,
    pub(crate) chaos: bool,
}

/// An order that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    #[error("there is no child {0}")]
    Unknown(String),
    #[error("{child} {why}")]
    Refused { child: String, why: &'static str },
    #[error("fault injection is not enabled")]
    Disabled,
    #[error("the tree has stopped")]
    Stopped,
    #[error("the supervisor did not answer within {} s", ANSWER_LIMIT.as_secs())]
    Deadline,
}

pub(crate) enum Order {
    Restart { by: String },
    Suspend { by: String },
    Resume,
    Kill { by: String },
}

impl Controls {
    /// Lets it finish the message in hand and replaces it; what waits is for the next incarnation. One that waits out
    /// a backoff starts at once. Costs no budget.
    pub async fn restart(&self, child: &str, by: &str) -> Result<(), ControlError> {
        self.order(child, Order::Restart { by: by.to_owned() }).await
    }

    /// From now on it handles no message, and those that need it wait, until it is resumed; messages to it wait too. One
    /// that starts or recovers does so first.
    pub async fn suspend(&self, child: &str, by: &str) -> Result<(), ControlError> {
        self.order(child, Order::Suspend { by: by.to_owned() }).await
    }

    /// Ends a suspension by [`Controls::suspend`].
    pub async fn resume(&self, child: &str) -> Result<(), ControlError> {
        self.order(child, Order::Resume).await
    }

    /// Ends it without asking, as a crash would: the message in hand is lost, policy and budget decide what follows.
    /// Refused unless [`crate::Config::chaos`] is set.
    pub async fn kill(&self, child: &str, by: &str) -> Result<(), ControlError> {
        match self.chaos {
            true => self.order(child, Order::Kill { by: by.to_owned() }).await,
            false => Err(ControlError::Disabled),
        }
    }

    async fn order(&self, child: &str, order: Order) -> Result<(), ControlError> {
        let (reply, answered) = oneshot::channel();
        self.shared.command(Command::Control { child: child.to_owned(), order, reply });
        match timeout(ANSWER_LIMIT, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(ControlError::Stopped),
            Err(_) => Err(ControlError::Deadline),
        }
    }
}

impl Family {
    pub fn control(&mut self, name: &str, order: Order) -> Result<(), ControlError> {
        let Some(id) = self.find(name) else { return Err(ControlError::Unknown(name.to_owned())) };
        if self.stopping.is_some() {
            return Err(ControlError::Stopped);
        }
        let done = match order {
            Order::Restart { by } => self.restart(id, by),
            Order::Suspend { by } => self.hold(id, by),
            Order::Resume => self.release(id),
            Order::Kill { by } => self.kill(id, by),
        };
        done.map_err(|why| ControlError::Refused { child: name.to_owned(), why })
    }

    fn restart(&mut self, id: ChildId, by: String) -> Result<(), &'static str> {
        let Some(child) = self.children.get_mut(&id) else { return Ok(()) };
        match &child.phase {
            _ if child.held_by.is_some() => Err("is suspended; resume it first"),
            _ if child.rules.policy.restart == Restart::Temporary => Err("is temporary and would not come back"),
            Phase::Running(_) | Phase::Suspended(_) | Phase::Recovering { .. } => {
                self.leave(id, Leaving::AtOnce, ExitReason::Restarted { by }, Then::Return);
                Ok(())
            }
            Phase::BackingOff => {
                let incarnation = child.incarnation();
                self.retry(id, incarnation);
                Ok(())
            }
            Phase::Waiting => Err("waits for what it needs"),
            Phase::Starting { .. } => Err("is starting"),
            Phase::Leaving(_) => Err("is stopping already"),
            Phase::Over { .. } => Err("is over and does not come back"),
        }
    }

    fn hold(&mut self, id: ChildId, by: String) -> Result<(), &'static str> {
        let Some(child) = self.children.get_mut(&id) else { return Ok(()) };
        if child.is_over() {
            return Err("is over and does not come back");
        }
        child.held_by = Some(by.clone());
        child.port.vitals().note_held(Some(by.clone()));
        self.suspend(id, EventKind::Held { by });
        Ok(())
    }

    fn release(&mut self, id: ChildId) -> Result<(), &'static str> {
        let Some(child) = self.children.get_mut(&id) else { return Ok(()) };
        if child.held_by.take().is_none() {
            return Err("was not suspended by an operator");
        }
        child.port.vitals().note_held(None);
        // Static children are moved by their edges, after this command.
        if child.parent.is_some() {
            match child.phase {
                Phase::Waiting => self.start(id),
                _ => self.resume(id),
            }
        }
        Ok(())
    }

    fn kill(&mut self, id: ChildId, by: String) -> Result<(), &'static str> {
        let Some(child) = self.children.get_mut(&id) else { return Ok(()) };
        if matches!(child.phase, Phase::Leaving(_)) {
            return Err("is stopping already");
        }
        match child.kill(ExitReason::Killed { by }, Then::Judge) {
            true => Ok(()),
            false => Err("does not live now"),
        }
    }
}
