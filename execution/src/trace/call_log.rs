//! The frames of a transaction: geth's `callTracer`.

use alloy_primitives::{Address, Log, U256};
use alloy_rpc_types_trace::geth::{CallConfig, CallFrame};
use revm::{
    Inspector,
    context::{ContextTr, JournalTr, result::ExecutionResult},
    inspector::JournalExt,
    interpreter::{CallInputs, CallOutcome, CreateInputs, CreateOutcome},
};
use revm_inspectors::tracing::{TracingInspector, TracingInspectorConfig};

use super::{
    CallOptions, Watched,
    text::{Full, Text},
};

/// What a frame, or a log, counts besides its bytes: about the JSON of one with nothing in it.
const BARE_BYTES: usize = 512;

/// Records frames with the inspector of `revm-inspectors`, which itself knows no bound for them. It hears of every end whose
/// beginning it heard of, also when there is no room any more: it would panic otherwise.
#[derive(Debug)]
pub(super) struct CallLog {
    inspector: TracingInspector,
    options: CallOptions,
    depth: usize,
    /// Of each log that was recorded, its index in the transaction. Those of logs that were undone are given again, as with geth.
    indices: Vec<u64>,
    recorded: usize,
    room: usize,
}

impl CallLog {
    pub fn new(options: CallOptions, room: usize) -> Self {
        let config = TracingInspectorConfig::from_geth_call_config(&config(options));
        Self { inspector: TracingInspector::new(config), options, depth: 0, indices: Vec::new(), recorded: 0, room }
    }

    pub fn call<C: ContextTr<Journal: JournalExt>>(&mut self, context: &mut C, inputs: &mut CallInputs) -> Result<(), Full> {
        if self.enters() {
            self.inspector.call(context, inputs);
            self.count(inputs.input.len())?;
        }
        Ok(())
    }

    pub fn call_end<C: ContextTr<Journal: JournalExt>>(
        &mut self,
        context: &mut C,
        inputs: &CallInputs,
        outcome: &mut CallOutcome,
    ) -> Result<(), Full> {
        if self.leaves() {
            self.inspector.call_end(context, inputs, outcome);
            self.count(outcome.result.output.len())?;
        }
        Ok(())
    }

    pub fn create<C: ContextTr<Journal: JournalExt>>(&mut self, context: &mut C, inputs: &mut CreateInputs) -> Result<(), Full> {
        if self.enters() {
            self.inspector.create(context, inputs);
            self.count(inputs.init_code().len())?;
        }
        Ok(())
    }

    pub fn create_end<C: ContextTr<Journal: JournalExt>>(
        &mut self,
        context: &mut C,
        inputs: &CreateInputs,
        outcome: &mut CreateOutcome,
    ) -> Result<(), Full> {
        if self.leaves() {
            self.inspector.create_end(context, inputs, outcome);
            self.count(outcome.result.output.len())?;
        }
        Ok(())
    }

    pub fn log<C: ContextTr<Journal: JournalExt>>(&mut self, context: &mut C, log: Log) -> Result<(), Full> {
        if !self.options.with_log || !self.is_recorded() {
            return Ok(());
        }
        self.count(log.data.data.len())?;
        self.indices.push(context.journal().logs().len().saturating_sub(1) as u64);
        self.inspector.log(context, log);
        Ok(())
    }

    pub fn selfdestruct(&mut self, contract: Address, target: Address, value: U256) {
        if self.is_recorded() {
            // The inspector's context is of no use to it here; any will do.
            <TracingInspector as Inspector<revm::Context>>::selfdestruct(&mut self.inspector, contract, target, value);
        }
    }

    pub fn finish(mut self, result: &ExecutionResult, watched: &Watched) -> Result<String, Full> {
        self.inspector.set_transaction_gas_limit(watched.gas_limit);
        let mut frame = self.inspector.geth_builder().geth_call_traces(config(self.options), result.tx_gas_used());
        renumber(&mut frame, &self.indices, watched.logs_before);
        Text::of(&frame, self.room)
    }

    /// Whether what happens now is part of the answer.
    fn is_recorded(&self) -> bool {
        self.depth == 1 || !self.options.only_top_call
    }

    fn enters(&mut self) -> bool {
        self.depth += 1;
        self.is_recorded()
    }

    fn leaves(&mut self) -> bool {
        let is_recorded = self.is_recorded();
        self.depth -= 1;
        is_recorded
    }

    /// Every byte becomes two digits.
    fn count(&mut self, bytes: usize) -> Result<(), Full> {
        self.recorded = self.recorded.saturating_add(BARE_BYTES + 2 * bytes);
        if self.room < self.recorded { Err(Full) } else { Ok(()) }
    }
}

fn config(options: CallOptions) -> CallConfig {
    CallConfig { only_top_call: Some(options.only_top_call), with_log: Some(options.with_log) }
}

/// Numbers logs within the block; the inspector counts those that were undone too.
fn renumber(frame: &mut CallFrame, indices: &[u64], logs_before: u64) {
    for log in &mut frame.logs {
        let index = log.index.and_then(|recorded| indices.get(usize::try_from(recorded).ok()?));
        log.index = index.map(|index| logs_before + index);
    }
    frame.calls.iter_mut().for_each(|call| renumber(call, indices, logs_before));
}
