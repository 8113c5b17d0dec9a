//! How others reach an actor: an address that stays good through every restart.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::TryAcquireError;
use tokio::time::{Instant, timeout_at};

use crate::actor::Message;
use crate::fence::Fence;
use crate::lane::MailboxLimits;
use crate::mailbox::{Mailbox, Port};
use crate::pulse::{Pulse, Waiting};
use crate::reply::Reply;
use crate::snapshot::ChildState;

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
    /// There was no room in the mailbox within the limit.
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
        if Pulse::here_is_fenced() {
            return Err(SendError::Stopped(message));
        }
        match self.mailbox.room(message.lane()).try_acquire() {
            Ok(room) => room.forget(),
            Err(TryAcquireError::NoPermits) => return Err(SendError::Full(message)),
            Err(TryAcquireError::Closed) => {
                self.count_dead_letter();
                return Err(SendError::Stopped(message));
            }
        }
        // Closed between the two: the message is dropped and counted like all that waited there.
        if self.mailbox.push(message).is_err() {
            self.count_dead_letter();
        }
        Ok(())
    }

    /// Sends, waiting for room at most `limit`.
    pub async fn send(&self, message: M, limit: Duration) -> Result<(), AskError> {
        let _waiting = Waiting::begin();
        self.enter(message, deadline(limit)).await
    }

    /// Asks, and waits for the answer at most `limit` in all. `make` wraps the reply into a message.
    pub async fn ask<R: Send>(&self, limit: Duration, make: impl FnOnce(Reply<R>) -> M + Send) -> Result<R, AskError> {
        let deadline = deadline(limit);
        let _waiting = Waiting::begin();
        let (reply, receiver) = Reply::new();
        self.enter(make(reply), deadline).await?;
        let outcome = match timeout_at(deadline, receiver).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) => Err(AskError::Crashed),
            Err(_) => Err(self.late(AskError::Deadline)),
        };
        Pulse::rest_if_fenced().await;
        outcome
    }

    async fn enter(&self, message: M, deadline: Instant) -> Result<(), AskError> {
        Pulse::rest_if_fenced().await;
        let room = match timeout_at(deadline, self.mailbox.room(message.lane()).acquire()).await {
            Ok(Ok(room)) => room,
            Ok(Err(_)) => {
                self.count_dead_letter();
                return Err(AskError::Stopped);
            }
            Err(_) => return Err(self.late(AskError::Full)),
        };
        Pulse::rest_if_fenced().await;
        room.forget();
        self.mailbox.push(message).map_err(|_| {
            self.count_dead_letter();
            AskError::Stopped
        })
    }

    /// What a limit that ended means: `up` when the actor lives.
    fn late(&self, up: AskError) -> AskError {
        match self.mailbox.vitals.state() {
            ChildState::Running | ChildState::Recovering | ChildState::Stopping => up,
            state if state.is_over() => AskError::Stopped,
            _ => AskError::Restarting,
        }
    }

    fn count_dead_letter(&self) {
        self.mailbox.vitals.dead_letters.fetch_add(1, Relaxed);
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox<M>> {
        &self.mailbox
    }
}

/// A limit beyond this is as good as this, and cannot overflow the clock.
const LIMIT_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

fn deadline(limit: Duration) -> Instant {
    Instant::now() + limit.min(LIMIT_MAX)
}

impl<M: Message> std::fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({})", self.name())
    }
}
