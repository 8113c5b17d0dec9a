//! The eyes of a tracer inside the EVM, and the hand that stops it.

use alloy_primitives::{Address, Log, U256};
use revm::{
    Inspector,
    context::ContextTr,
    inspector::JournalExt,
    interpreter::{CallInputs, CallOutcome, CreateInputs, CreateOutcome, InstructionResult, Interpreter},
};

use super::{Tracer, call_log::CallLog, step_log::StepLog, text::Full};
use crate::{Cancel, call::STEPS_PER_LOOK};

/// Why a transaction was not watched to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    Cancelled,
    /// There is no room for more.
    Full,
}

/// What was seen.
#[derive(Debug)]
pub(super) enum Records {
    Steps(StepLog),
    Calls(CallLog),
    /// The outcome tells everything.
    Nothing,
}

/// Watches one transaction. Once it is stopped, every frame halts at its next opcode.
pub(super) struct Watch<'a> {
    cancel: &'a Cancel,
    steps: u32,
    stopped: Option<Stopped>,
    records: Records,
}

impl<'a> Watch<'a> {
    /// Records at most `room` bytes.
    pub fn new(tracer: &Tracer, cancel: &'a Cancel, room: usize) -> Self {
        let records = match tracer {
            Tracer::Steps(options) => Records::Steps(StepLog::new(*options, room)),
            Tracer::Calls(options) => Records::Calls(CallLog::new(*options, room)),
            Tracer::Prestate(_) => Records::Nothing,
        };
        Self { cancel, steps: 0, stopped: None, records }
    }

    /// What was seen, if it is all there is.
    pub fn finish(self) -> Result<Records, Stopped> {
        if self.cancel.is_cancelled() {
            return Err(Stopped::Cancelled);
        }
        self.stopped.map_or(Ok(self.records), Err)
    }

    fn note(&mut self, result: Result<(), Full>) {
        if result.is_err() {
            self.stopped = Some(Stopped::Full);
        }
    }

    fn look(&mut self) {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(STEPS_PER_LOOK) && self.cancel.is_cancelled() {
            self.stopped = Some(Stopped::Cancelled);
        }
    }
}

impl<C: ContextTr<Journal: JournalExt>> Inspector<C> for Watch<'_> {
    fn step(&mut self, interpreter: &mut Interpreter, _: &mut C) {
        self.look();
        if self.stopped.is_some() {
            interpreter.halt(InstructionResult::OutOfGas);
        } else if let Records::Steps(log) = &mut self.records {
            log.begin(interpreter);
        }
    }

    fn step_end(&mut self, interpreter: &mut Interpreter, _: &mut C) {
        if let (Records::Steps(log), None) = (&mut self.records, self.stopped) {
            let result = log.end(interpreter);
            self.note(result);
        }
    }

    fn log(&mut self, context: &mut C, log: Log) {
        if let Records::Calls(calls) = &mut self.records {
            let result = calls.log(context, log);
            self.note(result);
        }
    }

    fn call(&mut self, context: &mut C, inputs: &mut CallInputs) -> Option<CallOutcome> {
        match &mut self.records {
            Records::Steps(log) => log.enter(),
            Records::Calls(calls) => {
                let result = calls.call(context, inputs);
                self.note(result);
            }
            Records::Nothing => {}
        }
        None
    }

    fn call_end(&mut self, context: &mut C, inputs: &CallInputs, outcome: &mut CallOutcome) {
        match &mut self.records {
            Records::Steps(log) => log.leave(),
            Records::Calls(calls) => {
                let result = calls.call_end(context, inputs, outcome);
                self.note(result);
            }
            Records::Nothing => {}
        }
    }

    fn create(&mut self, context: &mut C, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        match &mut self.records {
            Records::Steps(log) => log.enter(),
            Records::Calls(calls) => {
                let result = calls.create(context, inputs);
                self.note(result);
            }
            Records::Nothing => {}
        }
        None
    }

    fn create_end(&mut self, context: &mut C, inputs: &CreateInputs, outcome: &mut CreateOutcome) {
        match &mut self.records {
            Records::Steps(log) => log.leave(),
            Records::Calls(calls) => {
                let result = calls.create_end(context, inputs, outcome);
                self.note(result);
            }
            Records::Nothing => {}
        }
    }

    fn selfdestruct(&mut self, contract: Address, target: Address, value: U256) {
        if let Records::Calls(calls) = &mut self.records {
            calls.selfdestruct(contract, target, value);
        }
    }
}
