//! What an actor is: a value with a life.

use std::fmt;
use std::future::{Future, ready};

use crate::context::Context;
use crate::lane::Lane;

/// A value that handles one message at a time and is replaced by a fresh one when it breaks.
///
/// An `Err` or a panic from any method ends this incarnation; the tree starts another by its restart policy.
/// Only the message in hand is lost, and not even that one if it may be handled [again](Message::again).
pub trait Actor: Send + Sized + 'static {
    /// What it can be told; private to the actor's folder.
    type Message: Message;

    /// Handles one message. While it runs, and is not waiting for another actor, the hang limit counts.
    fn handle(&mut self, message: Self::Message, context: &mut Context<Self::Message>) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Runs after the factory and before the first message. The child is ready when this returned.
    fn started(&mut self, _context: &mut Context<Self::Message>) -> impl Future<Output = Result<(), Fault>> + Send {
        ready(Ok(()))
    }

    /// Runs last in an ordered stop, after the mailbox was drained; never after a crash, a hang or a kill.
    fn stopping(&mut self, _context: &mut Context<Self::Message>) -> impl Future<Output = ()> + Send {
        ready(())
    }
}

/// A message to an actor.
pub trait Message: Send + 'static {
    /// The word for it in metrics, spans, exit reasons and fault injection, for example `Submit`.
    fn name(&self) -> &'static str;

    /// The queue it waits in.
    fn lane(&self) -> Lane {
        Lane::Normal
    }

    /// What happens when its lane is full.
    fn when_full(&self) -> WhenFull {
        WhenFull::Wait
    }

    /// The same message once more, if it does no harm when it is handled again after an incarnation broke with it in
    /// hand: part of its effects may have happened. It goes back to the head of its lane; after [`POISON_TIMES`]
    /// broken incarnations it is buried as poison. Asked before each message is handled, so a copy should be cheap.
    ///
    /// A question is copied with [`Reply::again`](crate::Reply::again): then its asker waits for the answer of the next
    /// incarnation instead of being told `Crashed`. What a timer sent is never handled again: it dies with its
    /// incarnation.
    fn again(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

/// What happens to a message whose lane is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// `send` and `ask` wait for room within their limit, first come first served; `try_send` gives it back.
    #[default]
    Wait,
    /// Nobody waits: `send` and `ask` answer `Full` at once, `try_send` gives it back.
    Reject,
    /// Nobody waits: the oldest message of the same lane that has this rule too is dropped for it, as a dead letter.
    /// If none waits there, the lane is full of what must not be dropped, and the answer is `Full`.
    DropOldest,
}

/// A message that broke so many incarnations is poison: it is not tried again.
pub const POISON_TIMES: u32 = 3;

/// Why an actor gave up on itself: an assumption broke, and a fresh start is better than going on.
///
/// Made from any error with `?`, or from words with [`Fault::new`].
pub struct Fault(Box<dyn std::error::Error + Send + Sync>);

impl Fault {
    /// A fault described in words: lower case, no full stop, with the value that was wrong.
    pub fn new(reason: impl Into<String>) -> Self {
        Fault(reason.into().into())
    }

    /// The error it was made from, if it is of this type.
    pub fn cause<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Fault {
    fn from(error: E) -> Self {
        Fault(Box::new(error))
    }
}

// `Fault` is no `std::error::Error` itself, or the blanket `From` above could not exist.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({self})")
    }
}
