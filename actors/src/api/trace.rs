//! Traces: a decided block, or a call, run again under observation.

use std::sync::Arc;

use api::{BackendError, BlockRef, Call, Tracing};
use execution::{Cancel, Replay, TraceError, Tracer};
use primitives::{Body, Header, Height, RecoveredTransaction};
use serde_json::value::RawValue;

use super::{
    convert,
    state::{Simulator, state_at},
};
use crate::{admission::Admission, ledger::Ledger};

type Traces = Vec<Box<RawValue>>;

impl Simulator {
    /// The trace of each transaction of the block at `height`, or of the one at `index` alone.
    pub async fn trace_block(&self, height: Height, index: Option<u64>, tracing: Tracing) -> Result<Traces, BackendError> {
        let parent = height.0.checked_sub(1).map(Height).ok_or_else(|| BackendError::NotExecutable("genesis is not traceable".into()))?;
        let (ledger, admission, tracer) = (self.ledger().clone(), self.admission().clone(), convert::tracer(tracing.tracer));
        let trace = move |cancel: &Cancel| {
            let state = state_at(&ledger, BlockRef::Height(parent))?;
            let (header, transactions) = decided(&ledger, &admission, height)?;
            let replay = Replay { chain: admission.chain(), state: &state, header: &header, transactions: &transactions, cancel };
            traces(&replay, index, &tracer)
        };
        self.watched(tracing.limit, trace).await?
    }

    /// The trace of a call on the state of `at`.
    pub async fn trace_call(&self, call: Call, at: BlockRef, tracing: Tracing) -> Result<Box<RawValue>, BackendError> {
        let (request, tracer) = (convert::call(call), convert::tracer(tracing.tracer));
        let simulate = self.simulation(at, move |simulation| simulation.trace(&request, &tracer));
        raw(self.watched(tracing.limit, simulate).await??.map_err(convert::trace_error)?)
    }
}

fn traces(replay: &Replay<'_>, index: Option<u64>, tracer: &Tracer) -> Result<Traces, BackendError> {
    let traced = match index {
        None => replay.trace_all(tracer),
        Some(index) => {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            replay.trace_one(index, tracer).map(|trace| vec![trace])
        }
    };
    traced.map_err(convert::trace_error)?.into_iter().map(raw).collect()
}

/// The block at `height` with the senders of its transactions.
fn decided(ledger: &Ledger, admission: &Arc<Admission>, height: Height) -> Result<(Header, Vec<RecoveredTransaction>), BackendError> {
    let body = ledger.body(height).map_err(convert::read)?.ok_or(BackendError::UnknownBlock)?;
    let (block, _) = Body::open(&body).map_err(|error| BackendError::Internal(error.to_string()))?;
    let transactions = admission.senders().recover_all(block.body.transactions);
    let unsigned = |index| BackendError::Internal(format!("transaction {index} of block {height} has no sender"));
    Ok((block.header, transactions.map_err(unsigned)?))
}

fn raw(trace: String) -> Result<Box<RawValue>, BackendError> {
    RawValue::from_string(trace).map_err(|error| convert::trace_error(TraceError::Failed(error.to_string())))
}
