//! Messages to oneself, later.

use tokio::task::AbortHandle;

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
