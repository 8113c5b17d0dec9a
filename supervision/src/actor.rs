//! What an actor is: a value with a life.

use std::fmt;
use std::future::{Future, ready};

use crate::context::Context;
use crate::lane::Lane;

/// A value that handles one message at a time and is replaced by a fresh one when it breaks.
///
/// An `Err` or a panic from any method ends this incarnation; the tree starts another by its restart policy.
/// Only the message in hand is lost.
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
}

/// Why an actor gave up on itself: an assumption broke, and a fresh start is better than going on.
///
/// Made from any error with `?`, or from words with [`Fault::new`].
pub struct Fault(Box<dyn std::error::Error + Send + Sync>);

impl Fault {
    /// A fault described in words: lower case, no full stop, with the value that was wrong.
    pub fn new(reason: impl Into<String>) -> Self {
        Fault(reason.into().into())
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
