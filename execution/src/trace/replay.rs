//! A decided block once more, on the state it was decided on.

use std::{fmt, ops::Range, sync::OnceLock};

use alloy_consensus::Transaction as _;
use alloy_evm::{
    Evm, EvmFactory,
    block::{BlockExecutor, TxResult},
    eth::{EthBlockExecutor, EthEvmFactory},
};
use primitives::{Header, RecoveredTransaction};
use revm::database::{State, WrapDatabaseRef};

use super::{MAX_TRACE_BYTES, TraceError, Tracer, Watched, finish, unless_cancelled, watch::Watch};
use crate::{
    Cancel, Chain, StateReader,
    database::Database,
    execute::{Receipts, context},
};

/// A block that is decided, and where it stands.
pub struct Replay<'a> {
    pub chain: &'a Chain,
    /// The state after the parent.
    pub state: &'a dyn StateReader,
    pub header: &'a Header,
    pub transactions: &'a [RecoveredTransaction],
    /// Looked at while transactions run and between them.
    pub cancel: &'a Cancel,
}

impl Replay<'_> {
    /// A trace of each transaction, in order.
    pub fn trace_all(&self, tracer: &Tracer) -> Result<Vec<String>, TraceError> {
        self.trace(0..self.transactions.len(), tracer)
    }

    /// The trace of one transaction; those before it are run as they were, those behind it are not.
    pub fn trace_one(&self, index: usize, tracer: &Tracer) -> Result<String, TraceError> {
        let missing = TraceError::NoTransaction { index };
        let end = index.checked_add(1).filter(|end| *end <= self.transactions.len()).ok_or_else(|| missing.clone())?;
        self.trace(index..end, tracer)?.pop().ok_or(missing)
    }

    fn trace(&self, wanted: Range<usize>, tracer: &Tracer) -> Result<Vec<String>, TraceError> {
        let failure = OnceLock::new();
        let traced = self.trace_on(&Database::new(self.state, &failure), wanted, tracer);
        failure.into_inner().map_or(traced, |error| Err(error.into()))
    }

    fn trace_on(&self, database: &Database<'_>, wanted: Range<usize>, tracer: &Tracer) -> Result<Vec<String>, TraceError> {
        let mut state = State::builder().with_database(WrapDatabaseRef(database)).build();
        let (factory, environment) = (EthEvmFactory::default(), self.chain.environment(self.header));
        let mut room = MAX_TRACE_BYTES;
        let unwatched = Watch::new(tracer, self.cancel, room);
        let mut evm = factory.create_evm_with_inspector(&mut state, environment, unwatched);
        evm.disable_inspector();
        let mut executor = EthBlockExecutor::new(evm, context(self.header), self.chain, Receipts);
        executor.apply_pre_execution_changes().map_err(failed)?;
        let mut traces = Vec::new();
        let mut logs_before = 0;
        for (index, transaction) in self.transactions[..wanted.end].iter().enumerate() {
            unless_cancelled(self.cancel)?;
            if index == wanted.start {
                executor.evm_mut().enable_inspector();
            }
            let outcome = executor.execute_transaction_without_commit(transaction).map_err(failed)?;
            if wanted.contains(&index) {
                let watched = Watched { gas_limit: transaction.gas_limit(), beneficiary: self.header.beneficiary, logs_before, room };
                let (database, watch, _) = executor.evm_mut().components_mut();
                let watch = std::mem::replace(watch, Watch::new(tracer, self.cancel, 0));
                let trace = finish(tracer, watch, outcome.result(), &watched, database)?;
                room -= trace.len();
                *executor.evm_mut().inspector_mut() = Watch::new(tracer, self.cancel, room);
                traces.push(trace);
            }
            executor.commit_transaction(outcome);
            logs_before += executor.receipts().last().map_or(0, |receipt| receipt.logs().len() as u64);
        }
        Ok(traces)
    }
}

impl fmt::Debug for Replay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("block", &self.header.number).field("transactions", &self.transactions.len()).finish_non_exhaustive()
    }
}

fn failed(error: impl fmt::Display) -> TraceError {
    TraceError::Failed(error.to_string())
}
