//! Where an answer goes.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::address::AskError;
use crate::panics::caught;
use crate::pulse::Pulse;

/// The way back to an asker; see [`answer`]. Dropped unanswered, it tells the asker `Crashed`.
pub struct Reply<R>(Mutex<Option<Way<R>>>);

type Back<R> = oneshot::Sender<Result<R, AskError>>;

enum Way<R> {
    Sole(Back<R>),
    /// The question may be handled again: the first answer counts, and only the last copy tells `Crashed`.
    Shared(Arc<Mutex<Option<Back<R>>>>),
}

/// Answers a question. An asker who left is no error: that is its affair, not the asked actor's.
pub fn answer<R>(mut reply: Reply<R>, value: R) {
    // What a replaced incarnation knows counts for nobody.
    if !Pulse::here_is_fenced() {
        reply.send(Ok(value));
    }
}

impl<R> Reply<R> {
    pub(crate) fn new() -> (Self, oneshot::Receiver<Result<R, AskError>>) {
        let (sender, receiver) = oneshot::channel();
        (Reply(Mutex::new(Some(Way::Sole(sender)))), receiver)
    }

    /// Whether the asker has left, so that the answer is worth no work.
    pub fn is_abandoned(&self) -> bool {
        match &*self.0.lock() {
            Some(Way::Sole(back)) => back.is_closed(),
            Some(Way::Shared(back)) => back.lock().as_ref().is_none_or(oneshot::Sender::is_closed),
            None => true,
        }
    }

    /// The same way back once more, for [`Message::again`](crate::Message::again). The first answer counts; the asker is
    /// told `Crashed` when the last copy is dropped unanswered.
    pub fn again(&self) -> Self {
        let mut way = self.0.lock();
        let shared = match way.take() {
            Some(Way::Sole(back)) => Some(Arc::new(Mutex::new(Some(back)))),
            Some(Way::Shared(back)) => Some(back),
            None => None,
        };
        *way = shared.clone().map(Way::Shared);
        Reply(Mutex::new(shared.map(Way::Shared)))
    }

    fn send(&mut self, outcome: Result<R, AskError>) {
        let back = match self.0.get_mut().take() {
            Some(Way::Sole(back)) => Some(back),
            Some(Way::Shared(back)) if outcome.is_ok() => back.lock().take(),
            Some(Way::Shared(back)) => Arc::into_inner(back).and_then(Mutex::into_inner),
            None => None,
        };
        if let Some(back) = back {
            let _ = back.send(outcome);
        }
    }
}

impl<R> fmt::Debug for Reply<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}

thread_local! {
    /// What those are told whose questions are being dropped on this thread.
    static BURYING: Cell<AskError> = const { Cell::new(AskError::Crashed) };
}

impl<R> Drop for Reply<R> {
    fn drop(&mut self) {
        self.send(Err(BURYING.with(Cell::get)));
    }
}

/// Drops messages that nobody will ever handle; those who asked are told `told`.
/// What a message does when it is dropped is foreign code: its panic must not be the supervisor's.
pub(crate) fn bury<T>(letters: T, told: AskError) {
    let outer = BURYING.with(|burying| burying.replace(told));
    if let Err(caught) = caught(|| drop(letters)) {
        tracing::warn!(message = caught.message, "panic while dropping a message");
    }
    BURYING.with(|burying| burying.set(outer));
}
