//! Calls that change nothing: `eth_call` and `eth_estimateGas`.

use std::{fmt, sync::OnceLock};

use alloy_eips::{eip2930::AccessList, eip7702::SignedAuthorization, eip7825::MAX_TX_GAS_LIMIT_OSAKA};
use alloy_evm::{Evm, EvmEnv, EvmFactory, eth::EthEvmFactory};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use primitives::Header;
use revm::{
    Inspector,
    context::{
        TxEnv,
        either::Either,
        result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction, OutOfGasError, ResultAndState},
    },
    database::{State, WrapDatabaseRef},
    interpreter::{InstructionResult, Interpreter},
    primitives::hardfork::SpecId,
};

use crate::{Cancel, Chain, OverrideError, Overrides, ReadError, StateReader, database::Database};

/// Opcodes between two looks at the cancel flag.
pub(crate) const STEPS_PER_LOOK: u32 = 1 << 10;

/// Where and within which bounds a call runs. It reads `state` and writes nothing.
pub struct Simulation<'a> {
    pub chain: &'a Chain,
    pub state: &'a dyn StateReader,
    /// The block whose surroundings (number, timestamp, base fee) the call sees.
    pub header: &'a Header,
    /// Most gas a call may use, whatever it asks for.
    pub gas_cap: u64,
    /// Looked at while the call runs.
    pub cancel: &'a Cancel,
}

/// A call as JSON-RPC asks for it. What is not given takes geth's default.
///
/// Its parts are the types of JSON-RPC because nobody else asks: types of our own would be the same fields, copied.
#[derive(Clone, Debug, Default)]
pub struct CallRequest {
    pub from: Option<Address>,
    /// None makes a contract.
    pub to: Option<Address>,
    pub value: U256,
    pub data: Bytes,
    pub gas: Option<u64>,
    /// Wei per gas; not together with the two below.
    pub gas_price: Option<u128>,
    pub max_fee_per_gas: Option<u128>,
    pub max_priority_fee_per_gas: Option<u128>,
    pub nonce: Option<u64>,
    pub access_list: Option<AccessList>,
    pub authorization_list: Vec<SignedAuthorization>,
    pub overrides: Overrides,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    Success { output: Bytes, gas_used: u64 },
    Revert { output: Bytes, gas_used: u64 },
    Halt { reason: HaltReason, gas_used: u64 },
}

/// Why a call was not run, or has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")]
    TwoPrices,
    #[error(transparent)]
    Override(#[from] OverrideError),
    #[error("{0}")]
    Refused(InvalidTransaction),
    #[error("insufficient funds for transfer: address {address} has {have}, but needs {need}")]
    Funds { address: Address, have: U256, need: U256 },
    #[error("gas required exceeds allowance ({allowance})")]
    Allowance { allowance: u64 },
    #[error("execution reverted")]
    Reverted { output: Bytes },
    #[error("{0}")]
    Halted(HaltReason),
    #[error("the call took too long")]
    Cancelled,
    #[error("execution failed: {0}")]
    Failed(String),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Simulation<'_> {
    /// Runs a call and answers how it ended.
    pub fn call(&self, request: &CallRequest) -> Result<CallOutcome, CallError> {
        let gas = request.gas.unwrap_or(self.gas_cap).min(self.gas_cap);
        let result = self.overridden(&request.overrides, |simulation| simulation.run(request, gas))?;
        Ok(match result? {
            ExecutionResult::Success { output, gas, .. } => CallOutcome::Success { output: output.into_data(), gas_used: gas.tx_gas_used() },
            ExecutionResult::Revert { output, gas, .. } => CallOutcome::Revert { output, gas_used: gas.tx_gas_used() },
            ExecutionResult::Halt { reason, gas, .. } => CallOutcome::Halt { reason, gas_used: gas.tx_gas_used() },
        })
    }

    /// How a call ends that may use `gas`.
    pub(crate) fn run(&self, request: &CallRequest, gas: u64) -> Result<ExecutionResult, CallError> {
        Ok(self.transact(request, gas)?.result)
    }

    /// The same with what it touched. The state between calls is thrown away.
    pub(crate) fn transact(&self, request: &CallRequest, gas: u64) -> Result<ResultAndState, CallError> {
        let failure = OnceLock::new();
        let database = Database::new(self.state, &failure);
        let state = State::builder().with_database(WrapDatabaseRef(&database)).build();
        let mut interrupt = Interrupt { cancel: self.cancel, steps: 0, is_over: false };
        let transaction = self.transaction(request, gas)?;
        let environment = self.environment(request, transaction.gas_price);
        let mut evm = EthEvmFactory::default().create_evm_with_inspector(state, environment, &mut interrupt);
        request.overrides.change_precompiles(evm.components_mut().2)?;
        let result = evm.transact_raw(transaction);
        drop(evm);
        if self.cancel.is_cancelled() {
            return Err(CallError::Cancelled);
        }
        if let Some(error) = failure.into_inner() {
            return Err(error.into());
        }
        match result {
            Ok(outcome) => Ok(outcome),
            Err(EVMError::Transaction(error)) => Err(CallError::Refused(error)),
            Err(error) => Err(CallError::Failed(error.to_string())),
        }
    }

    /// As in a block, but any sender may call, with any nonce and more gas than a block has. Who pays nothing sees a base
    /// fee of 0, as with geth.
    pub(crate) fn environment(&self, request: &CallRequest, gas_price: u128) -> EvmEnv<SpecId> {
        let mut environment = self.chain.environment(self.header);
        environment.cfg_env.disable_eip3607 = true;
        environment.cfg_env.disable_nonce_check = true;
        environment.cfg_env.disable_block_gas_limit = true;
        environment.cfg_env.tx_gas_limit_cap = Some(u64::MAX);
        if gas_price == 0 {
            environment.block_env.basefee = 0;
        }
        request.overrides.change_block(&mut environment.block_env);
        environment
    }

    pub(crate) fn transaction(&self, request: &CallRequest, gas_limit: u64) -> Result<TxEnv, CallError> {
        let caller = request.from.unwrap_or_default();
        let nonce = self.nonce(request)?;
        let has_fees = request.max_fee_per_gas.is_some() || request.max_priority_fee_per_gas.is_some();
        Ok(TxEnv {
            tx_type: type_of(request, has_fees),
            caller,
            gas_limit,
            gas_price: self.price(request)?,
            kind: request.to.map_or(TxKind::Create, TxKind::Call),
            value: request.value,
            data: request.data.clone(),
            nonce,
            chain_id: Some(self.chain.chain_id),
            access_list: request.access_list.clone().unwrap_or_default(),
            gas_priority_fee: has_fees.then(|| request.max_priority_fee_per_gas.unwrap_or_default()),
            authorization_list: request.authorization_list.iter().cloned().map(Either::Left).collect(),
            ..TxEnv::default()
        })
    }

    /// The nonce that is asked for, or the caller's next.
    pub(crate) fn nonce(&self, request: &CallRequest) -> Result<u64, CallError> {
        match request.nonce {
            Some(nonce) => Ok(nonce),
            None => Ok(self.state.account(&request.from.unwrap_or_default())?.unwrap_or_default().nonce),
        }
    }

    /// The most the caller would pay, in wei per gas.
    pub(crate) fn price(&self, request: &CallRequest) -> Result<u128, CallError> {
        match (request.gas_price, request.max_fee_per_gas, request.max_priority_fee_per_gas) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => Err(CallError::TwoPrices),
            (Some(price), None, None) | (None, Some(price), _) => Ok(price),
            (None, None, Some(0)) | (None, None, None) => Ok(0),
            (None, None, Some(tip)) => Ok((u128::from(self.header.base_fee_per_gas.unwrap_or_default()) * 2).saturating_add(tip)),
        }
    }

    /// Most gas that a transaction like `request` could have in a block. The gas limit of the block may be overridden to anything; it
    /// is the listener's gas cap that bounds what runs.
    pub(crate) fn most_gas(&self, request: &CallRequest) -> u64 {
        let block = if self.chain.is_osaka(self.header.timestamp) { MAX_TX_GAS_LIMIT_OSAKA } else { self.header.gas_limit };
        let asked = request.gas.filter(|gas| *gas >= crate::execute::MIN_TRANSACTION_GAS);
        asked.unwrap_or(block.min(self.header.gas_limit)).min(self.gas_cap)
    }
}

impl fmt::Debug for Simulation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").field("height", &self.state.height()).field("gas_cap", &self.gas_cap).finish_non_exhaustive()
    }
}

/// Whether the call stopped because its gas was spent.
pub(crate) fn is_out_of_gas(reason: &HaltReason) -> bool {
    matches!(reason, HaltReason::OutOfGas(OutOfGasError::Basic | OutOfGasError::Memory | OutOfGasError::Precompile | OutOfGasError::InvalidOperand))
}

fn type_of(request: &CallRequest, has_fees: bool) -> u8 {
    match (request.authorization_list.is_empty(), has_fees, &request.access_list) {
        (false, ..) => 4,
        (true, true, _) => 2,
        (true, false, Some(_)) => 1,
        (true, false, None) => 0,
    }
}

/// Halts every frame once the caller has given up.
struct Interrupt<'a> {
    cancel: &'a Cancel,
    steps: u32,
    is_over: bool,
}

impl<C> Inspector<C> for Interrupt<'_> {
    fn step(&mut self, interpreter: &mut Interpreter, _: &mut C) {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(STEPS_PER_LOOK) {
            self.is_over = self.cancel.is_cancelled();
        }
        if self.is_over {
            interpreter.halt(InstructionResult::OutOfGas);
        }
    }
}
