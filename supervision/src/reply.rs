//! Where an answer goes.

use std::cell::Cell;

use tokio::sync::oneshot;

use crate::address::AskError;
use crate::panics::caught;

/// The way back to an asker; see [`answer`]. Dropped unanswered, it tells the asker `Crashed`.
#[derive(Debug)]
pub struct Reply<R>(Option<oneshot::Sender<Result<R, AskError>>>);

/// Answers a question. An asker who left is no error: that is its affair, not the asked actor's.
pub fn answer<R>(mut reply: Reply<R>, value: R) {
    reply.send(Ok(value));
}

impl<R> Reply<R> {
    pub(crate) fn new() -> (Self, oneshot::Receiver<Result<R, AskError>>) {
        let (sender, receiver) = oneshot::channel();
        (Reply(Some(sender)), receiver)
    }

    /// Whether the asker has left, so that the answer is worth no work.
    pub fn is_abandoned(&self) -> bool {
        self.0.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    fn send(&mut self, outcome: Result<R, AskError>) {
        if let Some(sender) = self.0.take() {
            let _ = sender.send(outcome);
        }
    }
}

thread_local! {
    static BURYING: Cell<bool> = const { Cell::new(false) };
}

impl<R> Drop for Reply<R> {
    fn drop(&mut self) {
        let is_buried = BURYING.with(Cell::get);
        self.send(Err(if is_buried { AskError::Stopped } else { AskError::Crashed }));
    }
}

/// Drops messages that nobody will ever handle; those who asked are told `Stopped` rather than `Crashed`.
/// What a message does when it is dropped is foreign code: its panic must not be the supervisor's.
pub(crate) fn bury<T>(letters: T) {
    BURYING.with(|burying| burying.set(true));
    if let Err(caught) = caught(|| drop(letters)) {
        tracing::warn!(message = caught.message, "panic while dropping a message");
    }
    BURYING.with(|burying| burying.set(false));
}
