//! Calls on the state of a block, off the runtime and with a limit.

use std::{sync::Arc, time::Duration};

use api::{BackendError, BlockRef};
use execution::{Cancel, Simulation, StateReader};
use tokio::sync::Semaphore;

use super::{backend::Sources, convert};
use crate::{
    admission::Admission,
    ledger::{Ledger, StateView},
};

/// Calls that run at once; each occupies a thread.
const MAX_CALLS: usize = 8;
/// Calls that run or wait for their turn: whoever waits holds a place among all calls of the API, and the others are for cheap questions.
const MAX_CALLS_ASKED: usize = 128;
/// Traces that run at once; each holds what it recorded.
const MAX_TRACES: usize = 2;
/// Traces that run or wait for their turn: whoever waits holds a place among all calls of the API.
const MAX_TRACES_ASKED: usize = 16;
/// Most gas that one call may use.
const CALL_GAS_CAP: u64 = 50_000_000;
/// How long one call may run.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// Runs calls that change nothing, and whatever else reads much.
#[derive(Clone)]
pub(super) struct Simulator {
    ledger: Ledger,
    admission: Arc<Admission>,
    room: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    trace_room: Arc<Semaphore>,
    trace_queue: Arc<Semaphore>,
}

/// Stops the work when whoever asked has left.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Simulator {
    pub fn new(sources: &Sources) -> Self {
        let room = |permits| Arc::new(Semaphore::new(permits));
        Self {
            ledger: sources.ledger.clone(),
            admission: sources.admission.clone(),
            room: room(MAX_CALLS),
            queue: room(MAX_CALLS_ASKED),
            trace_room: room(MAX_TRACES),
            trace_queue: room(MAX_TRACES_ASKED),
        }
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// Runs `work` on the state of `at`, on a thread of its own.
    pub async fn run<R: Send + 'static>(&self, at: BlockRef, work: impl FnOnce(&Simulation<'_>) -> R + Send + 'static) -> Result<R, BackendError> {
        self.blocking(self.simulation(at, work)).await?
    }

    /// `work` on the state of `at`, to be run on some thread.
    pub fn simulation<R, F>(&self, at: BlockRef, work: F) -> impl FnOnce(&Cancel) -> Result<R, BackendError> + use<R, F>
    where
        F: FnOnce(&Simulation<'_>) -> R,
    {
        let (ledger, admission) = (self.ledger.clone(), self.admission.clone());
        move |cancel: &Cancel| {
            let state = state_at(&ledger, at)?;
            let header = ledger.header(state.height()).map_err(convert::read)?.ok_or(BackendError::UnknownBlock)?;
            Ok(work(&Simulation { chain: admission.chain(), state: &state, header: &header, gas_cap: CALL_GAS_CAP, cancel }))
        }
    }

    /// Runs `work` on a thread of its own; it should end when it is cancelled.
    pub async fn blocking<R: Send + 'static>(&self, work: impl FnOnce(&Cancel) -> R + Send + 'static) -> Result<R, BackendError> {
        let busy = |_| BackendError::Unavailable(format!("{MAX_CALLS_ASKED} calls run or wait already"));
        let _place = self.queue.try_acquire().map_err(busy)?;
        off_the_runtime(&self.room, CALL_LIMIT, work).await
    }

    /// The same for a trace, within `limit`.
    pub async fn watched<R: Send + 'static>(&self, limit: Duration, work: impl FnOnce(&Cancel) -> R + Send + 'static) -> Result<R, BackendError> {
        let busy = |_| BackendError::Unavailable(format!("{MAX_TRACES_ASKED} traces run or wait already"));
        let _place = self.trace_queue.try_acquire().map_err(busy)?;
        off_the_runtime(&self.trace_room, limit, work).await
    }
}

/// Runs `work` on a thread of its own once there is room, and tells it when its time is over.
async fn off_the_runtime<R: Send + 'static>(
    room: &Arc<Semaphore>,
    limit: Duration,
    work: impl FnOnce(&Cancel) -> R + Send + 'static,
) -> Result<R, BackendError> {
    let permit = room.clone().acquire_owned().await.map_err(|_| BackendError::Unavailable("the node is stopping".into()))?;
    let cancel = CancelOnDrop(Cancel::default());
    let flag = cancel.0.clone();
    let task = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work(&flag)
    });
    match tokio::time::timeout(limit, task).await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(error)) => Err(BackendError::Internal(error.to_string())),
        Err(_) => Err(BackendError::Timeout),
    }
}

/// The state of `at`, as long as it is kept.
pub(super) fn state_at(ledger: &Ledger, at: BlockRef) -> Result<StateView, BackendError> {
    let height = match at {
        BlockRef::Latest => return ledger.state().map_err(convert::read),
        BlockRef::Height(height) => height,
        BlockRef::Hash(hash) => ledger.height_of(&hash).map_err(convert::read)?.ok_or(BackendError::UnknownBlock)?,
    };
    if ledger.tip().map_err(convert::read)? < height {
        return Err(BackendError::UnknownBlock);
    }
    ledger.state_at(height).map_err(convert::read)
}
