//! Ways to break the signer on purpose, so that a simulator can prove that it would notice.
//!
//! Without the feature `sabotage` nothing here can be switched on.

/// What is left undone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sabotage {
    /// Messages leave first; the journal is flushed when the signer is used next.
    pub publish_before_flush: bool,
    /// A release was not flushed yet.
    pub owes_flush: bool,
    /// The promise is durable before the journal of its height.
    pub promise_before_journal: bool,
    /// Nothing is refused, and what is said is not remembered.
    pub no_guard: bool,
}

#[cfg(feature = "sabotage")]
impl super::Signer {
    /// Breaks this signer from now on.
    pub fn sabotage(&mut self, sabotage: Sabotage) {
        self.sabotage = Sabotage { owes_flush: self.sabotage.owes_flush, ..sabotage };
    }
}
