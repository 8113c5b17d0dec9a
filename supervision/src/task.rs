//! Tasks and timers of one incarnation: they never outlive it.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::{AbortHandle, JoinSet};

/// How long an incarnation that leaves waits for its aborted tasks to be gone.
const END_LIMIT: Duration = Duration::from_secs(1);

/// All that one incarnation has spawned. Dropping it aborts them.
pub(crate) struct Tasks(Mutex<State>);

enum State {
    /// Most incarnations spawn nothing, and then there is no set.
    Open(Option<JoinSet<()>>),
    Ended,
}

impl Tasks {
    pub fn new() -> Self {
        Tasks(Mutex::new(State::Open(None)))
    }

    /// Runs `future` until it ends or its incarnation does. `None`: the incarnation has ended.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
        let mut state = self.0.lock();
        let State::Open(tasks) = &mut *state else { return None };
        let tasks = tasks.get_or_insert_with(JoinSet::new);
        while tasks.try_join_next().is_some() {}
        Some(tasks.spawn(future))
    }

    /// Aborts all and takes no more; for an incarnation that may be blocked and cannot end them itself.
    pub fn abort(&self) {
        if let Some(mut tasks) = self.close() {
            tasks.abort_all();
            tasks.detach_all();
        }
    }

    /// Aborts all and waits until they are gone, so that what they held is free.
    pub async fn end(&self) {
        if let Some(mut tasks) = self.close() {
            // One that blocks its thread cannot be waited for.
            let _ = tokio::time::timeout(END_LIMIT, tasks.shutdown()).await;
        }
    }

    fn close(&self) -> Option<JoinSet<()>> {
        match std::mem::replace(&mut *self.0.lock(), State::Ended) {
            State::Open(tasks) => tasks,
            State::Ended => None,
        }
    }
}

/// A task owned by an incarnation. Dropping the handle lets it run on; it is aborted with its incarnation.
#[derive(Debug)]
pub struct TaskHandle(pub(crate) Option<AbortHandle>);

impl TaskHandle {
    /// Ends the task at its next await.
    pub fn abort(&self) {
        if let Some(handle) = &self.0 {
            handle.abort();
        }
    }

    pub fn is_finished(&self) -> bool {
        self.0.as_ref().is_none_or(AbortHandle::is_finished)
    }
}
