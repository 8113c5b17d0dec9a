//! Messages to oneself, later.

use std::sync::Arc;

use tokio::task::AbortHandle;

use crate::actor::Message;
use crate::fence::Incarnation;
use crate::lane::{Envelope, TimerMark};
use crate::mailbox::{Closed, Mailbox};
use crate::trace::Origin;

/// A timer of one incarnation. Dropping it cancels it; so does the end of the incarnation.
#[must_use = "a timer is cancelled when it is dropped; use `detach` to let it run"]
#[derive(Debug)]
pub struct Timer(pub(crate) Option<AbortHandle>);

impl Timer {
    /// Lets it run until it is done or its incarnation ends.
    pub fn detach(mut self) {
        self.0 = None;
    }

    /// Cancels it. A message that is already in the mailbox is still delivered.
    pub fn cancel(self) {}
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.abort();
        }
    }
}

/// What a timer rings: the mailbox of the incarnation that set it. Each message begins a trace of its own that links to
/// the span in which the timer was set.
pub(crate) struct TimerBell<M> {
    pub mailbox: Arc<Mailbox<M>>,
    pub of: Incarnation,
    pub origin: Origin,
}

impl<M: Message> TimerBell<M> {
    /// Queues a message. Refused when the incarnation is gone.
    pub fn ring(&self, message: M, pending: Arc<()>) -> Result<(), Closed> {
        let envelope = Envelope::new(message, self.origin.clone(), self.mailbox.vitals.now_us());
        self.mailbox.put(Envelope { timer: Some(TimerMark { of: self.of, _pending: pending }), ..envelope })
    }
}
