//! Running a block: system calls, transactions, receipts, requests, and what all of it changes.

use std::sync::OnceLock;

use alloy_consensus::{Eip658Value, ReceiptEnvelope, TransactionEnvelope, TxType};
use alloy_eips::{Encodable2718, eip7685::Requests};
use alloy_evm::{
    Evm, EvmFactory,
    block::{BlockExecutionError, BlockExecutor, BlockValidationError},
    eth::{
        EthBlockExecutionCtx, EthBlockExecutor, EthEvmFactory,
        receipt_builder::{ReceiptBuilder, ReceiptBuilderCtx},
    },
};
use primitives::{Header, RecoveredTransaction, Transaction};
use revm::{
    context::result::InvalidTransaction,
    database::{BundleState, State, WrapDatabaseRef, states::bundle_state::BundleRetention},
};

use crate::{Cancel, Chain, ReadError, StateReader, database::Database};

/// What RLP may add to a transaction that stands in a list.
const MAX_STRING_HEADER_BYTES: usize = 4;
/// The least any transaction costs; with less left, a block is full.
pub(crate) const MIN_TRANSACTION_GAS: u64 = 21_000;

/// What running a block left behind.
pub(crate) struct Run {
    pub included: Vec<RecoveredTransaction>,
    pub refused: Vec<Refused>,
    pub outcomes: Vec<ReceiptEnvelope>,
    pub requests: Requests,
    pub gas_used: u64,
    pub blob_gas_used: u64,
    pub bundle: BundleState,
}

/// A candidate that a builder could not include.
#[derive(Clone, Debug)]
pub struct Refused {
    pub transaction: RecoveredTransaction,
    pub why: NotExecutable,
}

/// Why a transaction cannot stand at this place of a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotExecutable {
    #[error("its gas limit {gas_limit} exceeds the {left} gas that the block has left")]
    NoGasLeft { gas_limit: u64, left: u64 },
    #[error("the block has no room for its {bytes} bytes")]
    NoRoom { bytes: usize },
    #[error("blob transactions are not accepted yet")]
    Blob,
    #[error("{0}")]
    Refused(InvalidTransaction),
    #[error("{0}")]
    Other(String),
}

impl NotExecutable {
    /// Whether it is only too early: a later block may take the transaction as it is.
    pub fn is_early(&self) -> bool {
        match self {
            Self::NoGasLeft { .. } | Self::NoRoom { .. } => true,
            Self::Refused(reason) => matches!(
                reason,
                InvalidTransaction::NonceTooHigh { .. }
                    | InvalidTransaction::GasPriceLessThanBasefee
                    | InvalidTransaction::CallerGasLimitMoreThanBlock
            ),
            Self::Blob | Self::Other(_) => false,
        }
    }
}

/// Why a block was not run to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    Cancelled,
    /// The state could not be read, or the EVM failed in itself.
    Failed(String),
    /// A transaction of a block that must hold all of them.
    Transaction {
        index: usize,
        why: NotExecutable,
    },
}

/// What to do with a transaction that cannot be executed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Stop: the block is broken.
    All,
    /// Leave it out, and every one beyond this many bytes.
    Fitting { max_bytes: usize },
}

/// Runs `transactions` on `state` in the block described by `header`, of which all but the results is filled in.
pub(crate) fn run(
    chain: &Chain,
    state: &dyn StateReader,
    header: &Header,
    transactions: &mut dyn Iterator<Item = RecoveredTransaction>,
    policy: Policy,
    cancel: &Cancel,
) -> Result<Run, Stop> {
    let failure = OnceLock::new();
    let result = run_on(chain, &Database::new(state, &failure), header, transactions, policy, cancel);
    match failure.into_inner() {
        Some(error) => Err(Stop::Failed(ReadError::to_string(&error))),
        None => result,
    }
}

fn run_on(
    chain: &Chain,
    database: &Database<'_>,
    header: &Header,
    transactions: &mut dyn Iterator<Item = RecoveredTransaction>,
    policy: Policy,
    cancel: &Cancel,
) -> Result<Run, Stop> {
    let mut state = State::builder().with_database(WrapDatabaseRef(database)).with_bundle_update().build();
    let evm = EthEvmFactory::default().create_evm(&mut state, chain.environment(header));
    let mut executor = EthBlockExecutor::new(evm, context(header), chain, Receipts);
    executor.apply_pre_execution_changes().map_err(failed)?;
    let (mut included, mut refused) = (Vec::new(), Vec::new());
    let mut bytes_left = match policy {
        Policy::All => usize::MAX,
        Policy::Fitting { max_bytes } => max_bytes,
    };
    let is_full = |gas_used| policy != Policy::All && header.gas_limit.saturating_sub(gas_used) < MIN_TRANSACTION_GAS;
    while !is_full(executor.cumulative_tx_gas_used) {
        let Some(transaction) = transactions.next() else { break };
        if cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let size = transaction.encode_2718_len() + MAX_STRING_HEADER_BYTES;
        let result = match admissible(&transaction, size, bytes_left) {
            Err(why) => Err(why),
            Ok(()) => match executor.execute_transaction(&transaction) {
                Ok(_) => Ok(()),
                Err(error) => Err(refusal(error)?),
            },
        };
        match (result, policy) {
            (Ok(()), _) => {
                bytes_left = bytes_left.saturating_sub(size);
                included.push(transaction);
            }
            (Err(why), Policy::All) => return Err(Stop::Transaction { index: included.len(), why }),
            (Err(why), Policy::Fitting { .. }) => refused.push(Refused { transaction, why }),
        }
    }
    let (_, result) = executor.finish().map_err(failed)?;
    state.merge_transitions(BundleRetention::PlainState);
    Ok(Run {
        included,
        refused,
        outcomes: result.receipts,
        requests: result.requests,
        gas_used: result.gas_used,
        blob_gas_used: result.blob_gas_used,
        bundle: state.take_bundle(),
    })
}

pub(crate) fn context(header: &Header) -> EthBlockExecutionCtx<'static> {
    EthBlockExecutionCtx {
        parent_hash: header.parent_hash,
        parent_beacon_block_root: header.parent_beacon_block_root,
        ommers: &[],
        withdrawals: None,
        extra_data: header.extra_data.clone(),
        tx_count_hint: None,
        slot_number: None,
    }
}

/// What the EVM would not refuse by itself.
fn admissible(transaction: &Transaction, size: usize, bytes_left: usize) -> Result<(), NotExecutable> {
    if transaction.is_eip4844() {
        return Err(NotExecutable::Blob);
    }
    if bytes_left < size {
        return Err(NotExecutable::NoRoom { bytes: size });
    }
    Ok(())
}

/// Tells a transaction that cannot be executed from a machine that cannot execute.
fn refusal(error: BlockExecutionError) -> Result<NotExecutable, Stop> {
    match error {
        BlockExecutionError::Validation(BlockValidationError::InvalidTx { error, .. }) => Ok(match error.as_invalid_tx_err() {
            Some(error) => NotExecutable::Refused(error.clone()),
            None => NotExecutable::Other(error.to_string()),
        }),
        BlockExecutionError::Validation(BlockValidationError::TransactionGasLimitMoreThanAvailableBlockGas {
            transaction_gas_limit: gas_limit,
            block_available_gas: left,
        }) => Ok(NotExecutable::NoGasLeft { gas_limit, left }),
        error => Err(failed(error)),
    }
}

fn failed(error: BlockExecutionError) -> Stop {
    Stop::Failed(error.to_string())
}

/// Makes consensus receipts; what else is stored is derived from them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipts;

impl ReceiptBuilder for Receipts {
    type Transaction = Transaction;
    type Receipt = ReceiptEnvelope;

    fn build_receipt<E: Evm>(&self, context: ReceiptBuilderCtx<'_, <Transaction as TransactionEnvelope>::TxType, E>) -> ReceiptEnvelope {
        let status = Eip658Value::Eip658(context.result.is_success());
        let receipt = alloy_consensus::Receipt { status, cumulative_gas_used: context.cumulative_gas_used, logs: context.result.into_logs() };
        let receipt = receipt.with_bloom();
        match context.tx_type {
            TxType::Legacy => ReceiptEnvelope::Legacy(receipt),
            TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
            TxType::Eip1559 => ReceiptEnvelope::Eip1559(receipt),
            TxType::Eip4844 => ReceiptEnvelope::Eip4844(receipt),
            TxType::Eip7702 => ReceiptEnvelope::Eip7702(receipt),
        }
    }
}
