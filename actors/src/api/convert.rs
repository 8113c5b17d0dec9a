//! Words of the parts below, in the words of the API.

use api::{AccountState, BackendError, Rejection};
use execution::{CallError, CallRequest, Overrides, TraceError, TrieError, admission::Inadmissible};
use primitives::Height;
use storage::{LogQuery, ReadError};
use supervision::AskError;

use crate::mempool::Rejected;

pub(super) fn read(error: ReadError) -> BackendError {
    match error {
        ReadError::Closed => BackendError::Unavailable("storage is restarting".into()),
        ReadError::Empty => BackendError::Unavailable("nothing is committed yet".into()),
        ReadError::NotKept { asked, from, to } => not_kept(asked, from, to),
        ReadError::Io(reason) => BackendError::Internal(reason),
    }
}

fn not_kept(block: Height, oldest: Height, newest: Height) -> BackendError {
    BackendError::NotKept { what: "the state", block, oldest, newest }
}

pub(super) fn state(error: execution::ReadError) -> BackendError {
    match error {
        execution::ReadError::Closed => BackendError::Unavailable("storage is restarting".into()),
        execution::ReadError::NotKept { asked, from, to } => not_kept(asked, from, to),
        other => BackendError::Internal(other.to_string()),
    }
}

pub(super) fn trie(error: TrieError) -> BackendError {
    match error {
        TrieError::Read(error) => state(error),
        other => BackendError::Internal(other.to_string()),
    }
}

pub(super) fn proof(proof: execution::AccountProof) -> api::AccountProof {
    let account = proof.account.unwrap_or_default();
    api::AccountProof {
        state: AccountState { balance: account.balance, nonce: account.nonce },
        code_hash: account.code_hash,
        storage_root: account.storage_root,
        nodes: proof.nodes,
        slots: proof.slots.into_iter().map(|slot| api::SlotProof { value: slot.value, nodes: slot.nodes }).collect(),
    }
}

pub(super) fn wanted(wanted: api::LogCriteria) -> LogQuery {
    LogQuery { addresses: wanted.addresses, topics: wanted.topics }
}

pub(super) fn asked(error: AskError) -> BackendError {
    match error {
        AskError::Deadline => BackendError::Timeout,
        other => BackendError::Unavailable(other.to_string()),
    }
}

/// A transaction that the pool refuses.
pub(super) fn rejected(rejected: Rejected) -> BackendError {
    let rejection = match rejected {
        Rejected::AlreadyKnown => Rejection::AlreadyKnown,
        Rejected::NonceTooLow { next, got } => Rejection::NonceTooLow { next, nonce: got },
        Rejected::NonceTooHigh { next, got, .. } => Rejection::NonceTooHigh { next, nonce: got },
        Rejected::InsufficientFunds { have, want } => Rejection::InsufficientFunds { have, want },
        Rejected::Underpriced { .. } => Rejection::ReplacementUnderpriced,
        Rejected::Full => Rejection::PoolFull,
        full @ Rejected::SenderFull { .. } => Rejection::Other(full.to_string()),
        full @ Rejected::NoSpace => return BackendError::Unavailable(full.to_string()),
        Rejected::Unavailable(reason) => return BackendError::Unavailable(reason),
    };
    rejection.into()
}

/// A transaction that no pool would take.
pub(super) fn inadmissible(inadmissible: Inadmissible) -> BackendError {
    let rejection = match inadmissible {
        Inadmissible::Malformed(reason) => Rejection::Malformed { reason },
        Inadmissible::TooLarge { bytes, max } => Rejection::Oversized { bytes, limit: max },
        Inadmissible::Blob | Inadmissible::BeforeItsFork(_) => Rejection::TypeNotSupported,
        Inadmissible::ChainId { expected, found } => Rejection::WrongChain { have: found, want: expected },
        Inadmissible::Signature => Rejection::InvalidSender { reason: "the signature does not hold or is not canonical".into() },
        Inadmissible::IntrinsicGas { needed, gas_limit } => Rejection::IntrinsicGasTooLow { have: gas_limit, want: needed },
        Inadmissible::GasLimit { gas_limit, max } => Rejection::ExceedsBlockGasLimit { have: gas_limit, limit: max },
        Inadmissible::TipAboveCap { tip, cap } => Rejection::TipAboveFeeCap { tip, fee_cap: cap },
        Inadmissible::InitCode { bytes, max } => Rejection::InitcodeTooLarge { bytes, limit: max },
        Inadmissible::NonceTooLow { expected, got } => Rejection::NonceTooLow { next: expected, nonce: got },
        Inadmissible::Balance { have, need } => Rejection::InsufficientFunds { have, want: need },
        Inadmissible::Read(error) => return state(error),
        other @ (Inadmissible::NonceMax | Inadmissible::NoAuthorization | Inadmissible::SenderHasCode) => Rejection::Other(other.to_string()),
    };
    rejection.into()
}

pub(super) fn call(call: api::Call) -> CallRequest {
    CallRequest {
        from: Some(call.from),
        to: call.to,
        value: call.value,
        data: call.input,
        gas: call.gas,
        gas_price: call.gas_price,
        max_fee_per_gas: call.max_fee_per_gas,
        max_priority_fee_per_gas: call.max_priority_fee_per_gas,
        nonce: call.nonce,
        access_list: (!call.access_list.is_empty()).then_some(call.access_list),
        authorization_list: call.authorizations,
        overrides: Overrides { state: call.overrides.state, block: call.overrides.block },
    }
}

pub(super) fn call_error(error: CallError) -> BackendError {
    match error {
        CallError::TwoPrices => BackendError::InvalidParams(error.to_string()),
        CallError::Override(error) => BackendError::InvalidParams(format!("invalid state override: {error}")),
        CallError::Refused(_) | CallError::Funds { .. } | CallError::Allowance { .. } => BackendError::NotExecutable(error.to_string()),
        CallError::Reverted { output } => BackendError::Reverted { data: output },
        CallError::Halted(reason) => BackendError::Halted(reason.to_string()),
        CallError::Cancelled => BackendError::Timeout,
        CallError::Failed(reason) => BackendError::Internal(reason),
        CallError::Read(error) => state(error),
    }
}

pub(super) fn tracer(tracer: api::Tracer) -> execution::Tracer {
    match tracer {
        api::Tracer::Steps(options) => execution::Tracer::Steps(execution::StepOptions {
            memory: options.enable_memory,
            without_stack: options.disable_stack,
            without_storage: options.disable_storage,
            return_data: options.enable_return_data,
            limit: options.limit,
        }),
        api::Tracer::Calls(options) => {
            execution::Tracer::Calls(execution::CallOptions { only_top_call: options.only_top_call, with_log: options.with_log })
        }
        api::Tracer::Prestate(options) => execution::Tracer::Prestate(execution::PrestateOptions {
            diff: options.diff_mode,
            without_code: options.disable_code,
            without_storage: options.disable_storage,
            include_empty: options.include_empty,
        }),
    }
}

pub(super) fn trace_error(error: TraceError) -> BackendError {
    match error {
        TraceError::TooLarge { .. } => BackendError::LimitExceeded(error.to_string()),
        TraceError::NoTransaction { .. } => BackendError::NotExecutable(error.to_string()),
        TraceError::Cancelled => BackendError::Timeout,
        TraceError::Failed(_) => BackendError::Internal(error.to_string()),
        TraceError::Call(error) => call_error(error),
        TraceError::Read(error) => state(error),
    }
}
