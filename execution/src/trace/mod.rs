//! What a transaction did, step by step, in the words of geth: `debug_traceTransaction` and its kin.
//!
//! ```text
//!  Replay      the state after the parent, the block's system calls, its transactions in order   -> watched one by one
//!  Simulation  the state after a block, a call that nobody signed                                 -> watched
//!                                                                      |
//!              StepLog: every opcode       CallLog: every frame       prestate: what was touched, from the outcome
//! ```
//!
//! The call tracer is that of `revm-inspectors`. The other two are our own: there, the struct logger's errors, its limit and
//! the fields that are left out differ from geth's, its snapshots have no bound, and the prestate has no code hashes.
//! A trace becomes JSON as it is recorded, and [`MAX_TRACE_BYTES`] bounds what one answer records.

mod call_log;
mod prestate;
mod replay;
mod step_log;
mod text;
mod watch;

use std::fmt;

use alloy_evm::{Evm, EvmFactory, eth::EthEvmFactory};
use revm::{
    context::result::{EVMError, ResultAndState},
    database::{State, WrapDatabaseRef},
};

pub use replay::Replay;

use crate::{CallError, CallRequest, Cancel, ReadError, Simulation, database::Database};
use text::Full;
use watch::{Stopped, Watch};

/// Bytes of JSON that one answer may record, over all its transactions.
pub const MAX_TRACE_BYTES: usize = 24 << 20;

/// What to record of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracer {
    Steps(StepOptions),
    Calls(CallOptions),
    Prestate(PrestateOptions),
}

/// What the struct logger records of each opcode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepOptions {
    pub memory: bool,
    pub without_stack: bool,
    pub without_storage: bool,
    pub return_data: bool,
    /// Bytes of JSON after which no more opcodes are recorded; 0 is without limit.
    pub limit: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    pub only_top_call: bool,
    pub with_log: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrestateOptions {
    /// What changed, instead of what was touched.
    pub diff: bool,
    pub without_code: bool,
    pub without_storage: bool,
    /// With accounts that did not exist.
    pub include_empty: bool,
}

/// Why there is no trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    #[error("the trace exceeds {max} bytes; ask for less: one transaction, a limit, no stack, or callTracer with onlyTopCall")]
    TooLarge { max: usize },
    #[error("the block has no transaction {index}")]
    NoTransaction { index: usize },
    #[error("the trace took too long")]
    Cancelled,
    /// The block does not run as it did when it was decided.
    #[error("tracing failed: {0}")]
    Failed(String),
    #[error(transparent)]
    Call(CallError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<Stopped> for TraceError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Cancelled => Self::Cancelled,
            Stopped::Full => Self::TooLarge { max: MAX_TRACE_BYTES },
        }
    }
}

impl From<Full> for TraceError {
    fn from(_: Full) -> Self {
        Stopped::Full.into()
    }
}

/// Surroundings of one watched transaction.
struct Watched {
    gas_limit: u64,
    beneficiary: alloy_primitives::Address,
    /// Logs of the block before it.
    logs_before: u64,
    /// Bytes that the trace may have.
    room: usize,
}

/// Writes what `watch` and the outcome tell; `database` is as it was before.
fn finish<D>(tracer: &Tracer, watch: Watch<'_>, outcome: &ResultAndState, watched: &Watched, database: &mut D) -> Result<String, TraceError>
where
    D: revm::Database<Error: fmt::Display>,
{
    let records = watch.finish()?;
    match (tracer, records) {
        (_, watch::Records::Steps(log)) => Ok(log.finish(&outcome.result)?),
        (_, watch::Records::Calls(log)) => Ok(log.finish(&outcome.result, watched)?),
        (Tracer::Prestate(options), _) => {
            let touched = prestate::Touched { state: &outcome.state, beneficiary: watched.beneficiary };
            touched.write(options, database, watched.room)
        }
        (_, watch::Records::Nothing) => Err(TraceError::Failed("nothing was watched".into())),
    }
}

impl Simulation<'_> {
    /// Traces a call, whatever becomes of it. The state between calls is thrown away.
    pub fn trace(&self, request: &CallRequest, tracer: &Tracer) -> Result<String, TraceError> {
        let trace = |simulation: &Simulation<'_>| {
            let failure = std::sync::OnceLock::new();
            let traced = simulation.trace_on(&Database::new(simulation.state, &failure), request, tracer);
            failure.into_inner().map_or(traced, |error| Err(error.into()))
        };
        self.overridden(&request.overrides, trace).map_err(|error| TraceError::Call(error.into()))?
    }

    fn trace_on(&self, database: &Database<'_>, request: &CallRequest, tracer: &Tracer) -> Result<String, TraceError> {
        let gas_limit = request.gas.unwrap_or(self.gas_cap).min(self.gas_cap);
        let transaction = self.transaction(request, gas_limit).map_err(call_error)?;
        let environment = self.environment(request, transaction.gas_price);
        let state = State::builder().with_database(WrapDatabaseRef(database)).build();
        let mut watch = Watch::new(tracer, self.cancel, MAX_TRACE_BYTES);
        let mut evm = EthEvmFactory::default().create_evm_with_inspector(state, environment, &mut watch);
        request.overrides.change_precompiles(evm.components_mut().2).map_err(|error| TraceError::Call(error.into()))?;
        let outcome = evm.transact_raw(transaction);
        let mut state = evm.into_db();
        let outcome = outcome.map_err(|error| match error {
            EVMError::Transaction(error) => TraceError::Call(CallError::Refused(error)),
            error => TraceError::Failed(error.to_string()),
        })?;
        let watched = Watched { gas_limit, beneficiary: self.header.beneficiary, logs_before: 0, room: MAX_TRACE_BYTES };
        finish(tracer, watch, &outcome, &watched, &mut state)
    }
}

fn call_error(error: CallError) -> TraceError {
    match error {
        CallError::Read(error) => error.into(),
        error => TraceError::Call(error),
    }
}

/// Whether work that nobody waits for should end.
fn unless_cancelled(cancel: &Cancel) -> Result<(), TraceError> {
    if cancel.is_cancelled() { Err(TraceError::Cancelled) } else { Ok(()) }
}
