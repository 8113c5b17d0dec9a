//! Why the node cannot answer, and the JSON-RPC error a client sees.

use alloy_primitives::Bytes;
use jsonrpsee::types::ErrorObjectOwned;
use primitives::Height;

use crate::{Rejection, revert};

/// Server error, as geth uses it for everything without a code of its own.
pub(crate) const SERVER_ERROR: i32 = -32000;
/// A question outlived its time limit, or what it needs is restarting (EIP-1474: resource unavailable).
pub(crate) const UNAVAILABLE: i32 = -32002;
/// A limit was exceeded (EIP-1474).
pub(crate) const LIMIT_EXCEEDED: i32 = -32005;
/// A parameter is missing, superfluous or of the wrong form.
pub(crate) const INVALID_PARAMS: i32 = -32602;
/// A call was reverted by the contract.
pub(crate) const REVERTED: i32 = 3;

/// Why a node gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// A part of the node is restarting, suspended or full; asking again later may help.
    #[error("temporarily unavailable: {0}")]
    Unavailable(String),
    /// The question outlived its time limit.
    #[error("request timed out")]
    Timeout,
    /// No decided block has this hash, or none has been decided at this height yet.
    #[error("header not found")]
    UnknownBlock,
    /// The block is known, but what was asked of it (its state, a pruned body) is no longer kept.
    #[error("{what} of block {block} is not kept; kept are {oldest} to {newest}; an archive node has it")]
    NotKept { what: &'static str, block: Height, oldest: Height, newest: Height },
    /// A value with the right form that makes no sense.
    #[error("{0}")]
    InvalidParams(String),
    /// The pool refuses the transaction.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The contract reverted; `data` is what it returned.
    #[error("{}", revert::describe(data))]
    Reverted { data: Bytes },
    /// The call ended in an exceptional halt: out of gas, invalid opcode, stack underflow.
    #[error("{0}")]
    Halted(String),
    /// The caller has too little money, or another rule outside the EVM stands against the call.
    #[error("{0}")]
    NotExecutable(String),
    /// More was asked for than one answer may hold.
    #[error("{0}")]
    LimitExceeded(String),
    /// Our own assumption broke while answering.
    #[error("internal error: {0}")]
    Internal(String),
}

impl BackendError {
    /// The code of the JSON-RPC error.
    pub fn code(&self) -> i32 {
        match self {
            Self::Unavailable(_) | Self::Timeout => UNAVAILABLE,
            Self::InvalidParams(_) => INVALID_PARAMS,
            Self::Reverted { .. } => REVERTED,
            Self::LimitExceeded(_) => LIMIT_EXCEEDED,
            Self::Internal(_) => -32603,
            Self::UnknownBlock | Self::NotKept { .. } | Self::Rejected(_) | Self::Halted(_) | Self::NotExecutable(_) => SERVER_ERROR,
        }
    }
}

impl From<BackendError> for ErrorObjectOwned {
    fn from(error: BackendError) -> Self {
        let data = match &error {
            BackendError::Reverted { data } => Some(data.clone()),
            _ => None,
        };
        Self::owned(error.code(), error.to_string(), data)
    }
}
