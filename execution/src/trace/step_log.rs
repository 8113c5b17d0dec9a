//! Every opcode with its surroundings: geth's struct logger.

use std::{
    borrow::{Borrow, Cow},
    collections::{BTreeMap, HashMap},
};

use alloy_primitives::{Address, B256, Bytes, U256, hex};
use revm::{
    bytecode::opcode::{self, OpCode},
    context::result::ExecutionResult,
    interpreter::{
        FrameInput, InstructionResult, Interpreter, InterpreterAction,
        interpreter_types::{InputsTr, Jumps, LoopControl, ReturnData},
    },
};
use serde::Serialize;

use super::{
    StepOptions,
    text::{Full, Text},
};

/// Bytes of a word of memory.
const WORD_BYTES: usize = 32;
/// What the answer says around its list of steps.
const FRAME_BYTES: usize = 128;

/// One opcode, as geth writes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    pc: u64,
    op: Cow<'static, str>,
    /// Gas left before it.
    gas: u64,
    gas_cost: u64,
    depth: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<Vec<U256>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_data: Option<Bytes>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    memory: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    storage: BTreeMap<B256, B256>,
    #[serde(skip_serializing_if = "is_zero")]
    refund: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An opcode that has begun, and what it needs of the stack.
#[derive(Debug)]
struct Begun {
    step: Step,
    code: u8,
    /// The slot it reads or writes, and the value below it on the stack.
    slot: Option<(U256, Option<U256>)>,
}

/// Records the steps of a transaction, as JSON.
#[derive(Debug)]
pub(super) struct StepLog {
    options: StepOptions,
    text: Text,
    begun: Option<Begun>,
    /// The refund counter of each frame that is open; what is inside counts from 0.
    refunds: Vec<i64>,
    /// Slots of each contract that were read or written until now.
    storage: HashMap<Address, BTreeMap<B256, B256>>,
}

impl StepLog {
    pub fn new(options: StepOptions, room: usize) -> Self {
        Self { options, text: Text::new(room.saturating_sub(FRAME_BYTES)), begun: None, refunds: Vec::new(), storage: HashMap::new() }
    }

    pub fn enter(&mut self) {
        self.refunds.push(0);
    }

    pub fn leave(&mut self) {
        self.refunds.pop();
    }

    /// An opcode is about to run.
    pub fn begin(&mut self, interpreter: &Interpreter) {
        if let Some(refund) = self.refunds.last_mut() {
            *refund = interpreter.gas.refunded();
        }
        let is_over = self.options.limit != 0 && self.options.limit < self.text.len() as u64;
        self.begun = (!is_over).then(|| self.observe(interpreter));
    }

    fn observe(&self, interpreter: &Interpreter) -> Begun {
        let code = interpreter.bytecode.opcode();
        let stack = interpreter.stack.data();
        let from_top = |index: usize| stack.len().checked_sub(index + 1).map(|index| stack[index]);
        let step = Step {
            pc: interpreter.bytecode.pc() as u64,
            op: name(code),
            gas: interpreter.gas.remaining(),
            gas_cost: 0,
            depth: self.refunds.len(),
            error: None,
            stack: (!self.options.without_stack).then(|| stack.clone()),
            return_data: Some(interpreter.return_data.buffer()).filter(|data| self.options.return_data && !data.is_empty()).cloned(),
            memory: if self.options.memory { words(&interpreter.memory.borrow().context_memory()) } else { Vec::new() },
            storage: BTreeMap::new(),
            refund: u64::try_from(self.refunds.iter().sum::<i64>()).unwrap_or_default(),
        };
        let is_storage = !self.options.without_storage && matches!(code, opcode::SLOAD | opcode::SSTORE);
        let slot = is_storage.then(|| from_top(0).map(|slot| (slot, from_top(1)))).flatten();
        Begun { step, code, slot }
    }

    /// The opcode has run; a frame that it opens has not.
    pub fn end(&mut self, interpreter: &mut Interpreter) -> Result<(), Full> {
        let Some(mut begun) = self.begun.take() else { return Ok(()) };
        let action = interpreter.bytecode.action().as_ref();
        let result = action.and_then(InterpreterAction::instruction_result);
        // What a creation hands on is no cost of the opcode for geth; what a call hands on is.
        let handed_on = match action {
            Some(InterpreterAction::NewFrame(FrameInput::Create(inputs))) => inputs.gas_limit(),
            _ => 0,
        };
        begun.step.gas_cost = begun.step.gas.saturating_sub(interpreter.gas.remaining()).saturating_sub(handed_on);
        begun.step.error = result.and_then(error);
        if let Some((slot, below)) = begun.slot {
            let read = || interpreter.stack.data().last().copied();
            let value = if begun.code == opcode::SSTORE { below } else { read() };
            let known = self.storage.entry(interpreter.input.target_address()).or_default();
            if let (Some(value), None) = (value, begun.step.error) {
                known.insert(slot.into(), value.into());
            }
            begun.step.storage.clone_from(known);
        }
        self.text.push_element(&begun.step)
    }

    pub fn finish(self, result: &ExecutionResult) -> Result<String, Full> {
        let output = match result {
            ExecutionResult::Success { output, .. } => output.data().clone(),
            ExecutionResult::Revert { output, .. } => output.clone(),
            ExecutionResult::Halt { .. } => Bytes::new(),
        };
        let (gas, failed, steps) = (result.tx_gas_used(), !result.is_success(), self.text.into_string());
        Ok(format!(r#"{{"gas":{gas},"failed":{failed},"returnValue":"{output}","structLogs":[{steps}]}}"#))
    }
}

fn name(code: u8) -> Cow<'static, str> {
    OpCode::new(code).map_or_else(|| format!("opcode {code:#x} not defined").into(), |known| known.as_str().into())
}

fn words(memory: &[u8]) -> Vec<String> {
    memory.chunks(WORD_BYTES).map(|chunk| hex::encode_prefixed(B256::right_padding_from(chunk))).collect()
}

/// Why an opcode did not run, where geth finds out before it runs it.
fn error(result: InstructionResult) -> Option<&'static str> {
    match result {
        InstructionResult::OutOfGas
        | InstructionResult::MemoryOOG
        | InstructionResult::MemoryLimitOOG
        | InstructionResult::InvalidOperandOOG
        | InstructionResult::ReentrancySentryOOG => Some("out of gas"),
        InstructionResult::StackUnderflow => Some("stack underflow"),
        InstructionResult::StackOverflow => Some("stack limit reached 1024"),
        InstructionResult::StateChangeDuringStaticCall | InstructionResult::CallNotAllowedInsideStatic => Some("write protection"),
        _ => None,
    }
}
