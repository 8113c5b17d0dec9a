//! How others reach an actor: an address that stays good through every restart.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::actor::{Message, WhenFull};
use crate::fence::Fence;
use crate::lane::{Envelope, MailboxLimits};
use crate::letters::Unhandled;
use crate::mailbox::{Mailbox, Port, Refused};
use crate::pulse::{Pulse, Sender, Waiting};
use crate::reply::Reply;
use crate::snapshot::ChildState;
use crate::trace::Origin;
use crate::turn;
use crate::vitals::Vitals;

/// A stable, cheaply cloned address. It holds the queue, so what is sent while the actor is down waits in it.
pub struct Address<M> {
    mailbox: Arc<Mailbox<M>>,
}

impl<M> Clone for Address<M> {
    fn clone(&self) -> Self {
        Address { mailbox: self.mailbox.clone() }
    }
}

/// A message that was not taken, given back.
#[derive(thiserror::Error)]
pub enum SendError<M> {
    #[error("the mailbox is full")]
    Full(M),
    #[error("the actor has stopped")]
    Stopped(M),
}

// By hand, because messages need not be `Debug`.
impl<M> std::fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            SendError::Full(_) => "Full",
            SendError::Stopped(_) => "Stopped",
        })
    }
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AskError {
    /// There was no room in the mailbox within the limit, or none at once for a message that does not wait; or a newer
    /// one took its place.
    #[error("the mailbox is full")]
    Full,
    /// The actor lives, and did not answer within the limit.
    #[error("no answer within the time limit")]
    Deadline,
    /// The question was in the actor's hands when it broke, or it was dropped unanswered.
    #[error("the actor crashed with the question in hand")]
    Crashed,
    /// The limit ended while the actor was down; it will come back.
    #[error("the actor is restarting")]
    Restarting,
    /// The actor has stopped for good.
    #[error("the actor has stopped")]
    Stopped,
}

impl<M: Message> Address<M> {
    /// An address and its empty mailbox, before the actor behind it exists.
    pub fn new(name: &str, limits: MailboxLimits) -> Self {
        Address { mailbox: Mailbox::new(name, limits) }
    }

    /// The child's name.
    pub fn name(&self) -> &str {
        &self.mailbox.vitals.name
    }

    /// Tells which incarnation behind this address lives.
    pub fn fence(&self) -> Fence {
        self.mailbox.vitals.fence.clone()
    }

    /// How many messages wait.
    pub fn depth(&self) -> usize {
        self.mailbox.depth()
    }

    /// Sends without waiting.
    pub fn try_send(&self, message: M) -> Result<(), SendError<M>> {
        let now = Instant::now();
        let sender = Pulse::sender(self.vitals());
        if sender == Sender::Fenced {
            self.vitals().unhandled(message.name(), Unhandled::Fenced);
            return Err(SendError::Stopped(message));
        }
        match self.mailbox.post(self.envelope(message, sender, now)) {
            Ok(()) => Ok(()),
            Err(Refused::Full(envelope)) => Err(SendError::Full(envelope.message)),
            Err(Refused::Closed(envelope)) => {
                self.vitals().unhandled(envelope.name, Unhandled::SentLate);
                Err(SendError::Stopped(envelope.message))
            }
        }
    }

    /// Sends, waiting for room at most `limit` if the message's [rule](crate::WhenFull) is to wait.
    pub async fn send(&self, message: M, limit: Duration) -> Result<(), AskError> {
        let now = Instant::now();
        self.enter(message, now, limit).await
    }

    /// Asks, and waits for the answer at most `limit` in all. `make` wraps the reply into a message.
    pub async fn ask<R: Send>(&self, limit: Duration, make: impl FnOnce(Reply<R>) -> M + Send) -> Result<R, AskError> {
        let now = Instant::now();
        let _waiting = Waiting::begin(self.vitals());
        let (reply, mut receiver) = Reply::new();
        self.enter(make(reply), now, limit).await?;
        // Most answers come within a turn of the scheduler: then no timer is set.
        let answer = match turn::answer_of(&mut receiver).await {
            Some(answer) => Ok(answer),
            None => timeout_at(deadline(now, limit), receiver).await,
        };
        let outcome = match answer {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) => Err(AskError::Crashed),
            Err(_) => Err(self.late(AskError::Deadline)),
        };
        Pulse::rest_if_fenced().await;
        outcome
    }

    async fn enter(&self, message: M, now: Instant, limit: Duration) -> Result<(), AskError> {
        let sender = Pulse::sender(self.vitals());
        if sender == Sender::Fenced {
            Pulse::rest_if_fenced().await;
        }
        let rule = message.when_full();
        match self.mailbox.post(self.envelope(message, sender, now)) {
            Ok(()) => Ok(()),
            Err(Refused::Closed(envelope)) => Err(self.sent_late(envelope.name)),
            Err(Refused::Full(envelope)) if rule == WhenFull::Wait => self.wait_for_room(envelope, deadline(now, limit)).await,
            Err(Refused::Full(_)) => Err(AskError::Full),
        }
    }

    async fn wait_for_room(&self, envelope: Envelope<M>, deadline: Instant) -> Result<(), AskError> {
        let _waiting = Waiting::begin(self.vitals());
        let name = envelope.name;
        let place = match timeout_at(deadline, self.mailbox.place(envelope.lane)).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(self.sent_late(name)),
            Err(_) => return Err(self.late(AskError::Full)),
        };
        Pulse::rest_if_fenced().await;
        place.fill(envelope).map_err(|_| self.sent_late(name))
    }

    fn envelope(&self, message: M, sender: Sender, now: Instant) -> Envelope<M> {
        let origin = if sender == Sender::Itself { Origin::own() } else { Origin::here() };
        Envelope::new(message, origin, self.vitals().since_epoch_us(now))
    }

    fn sent_late(&self, message: &'static str) -> AskError {
        self.vitals().unhandled(message, Unhandled::SentLate);
        AskError::Stopped
    }

    /// What a limit that ended means: `up` when the actor lives.
    fn late(&self, up: AskError) -> AskError {
        match self.vitals().state() {
            ChildState::Running | ChildState::Recovering | ChildState::Stopping => up,
            state if state.is_over() => AskError::Stopped,
            _ => AskError::Restarting,
        }
    }

    fn vitals(&self) -> &Arc<Vitals> {
        &self.mailbox.vitals
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox<M>> {
        &self.mailbox
    }
}

/// A limit beyond this is as good as this, and cannot overflow the clock.
const LIMIT_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

fn deadline(now: Instant, limit: Duration) -> Instant {
    now + limit.min(LIMIT_MAX)
}

impl<M: Message> std::fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({})", self.name())
    }
}
