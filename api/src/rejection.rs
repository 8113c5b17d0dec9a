//! Why a transaction was not taken, in the words that Ethereum tools look for.

use alloy_primitives::U256;

/// A transaction that the pool refuses. The texts are those of geth, because clients match on them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("already known")]
    AlreadyKnown,
    #[error("nonce too low: next nonce {next}, tx nonce {nonce}")]
    NonceTooLow { next: u64, nonce: u64 },
    #[error("nonce too high: next nonce {next}, tx nonce {nonce}")]
    NonceTooHigh { next: u64, nonce: u64 },
    /// Wei.
    #[error("insufficient funds for gas * price + value: have {have} want {want}")]
    InsufficientFunds { have: U256, want: U256 },
    #[error("replacement transaction underpriced")]
    ReplacementUnderpriced,
    /// Wei per gas.
    #[error("transaction underpriced: tip needed {needed}, tip permitted {tip}")]
    Underpriced { tip: u128, needed: u128 },
    /// Wei per gas.
    #[error("max fee per gas less than block base fee: maxFeePerGas: {fee_cap}, baseFee: {base_fee}")]
    FeeCapBelowBaseFee { fee_cap: u128, base_fee: u128 },
    /// Wei per gas.
    #[error("max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: {tip}, maxFeePerGas: {fee_cap}")]
    TipAboveFeeCap { tip: u128, fee_cap: u128 },
    #[error("intrinsic gas too low: have {have}, want {want}")]
    IntrinsicGasTooLow { have: u64, want: u64 },
    #[error("exceeds block gas limit: have {have}, limit {limit}")]
    ExceedsBlockGasLimit { have: u64, limit: u64 },
    #[error("max initcode size exceeded: code size {bytes}, limit {limit}")]
    InitcodeTooLarge { bytes: usize, limit: usize },
    #[error("oversized data: transaction size {bytes}, limit {limit}")]
    Oversized { bytes: usize, limit: usize },
    #[error("invalid sender: {reason}")]
    InvalidSender { reason: String },
    #[error("invalid chain id for signer: have {have} want {want}")]
    WrongChain { have: u64, want: u64 },
    #[error("only replay-protected (EIP-155) transactions allowed over RPC")]
    Unprotected,
    #[error("transaction type not supported")]
    TypeNotSupported,
    #[error("txpool is full")]
    PoolFull,
    /// The bytes are no transaction.
    #[error("malformed transaction: {reason}")]
    Malformed { reason: String },
    /// A rule that none of the above names.
    #[error("{0}")]
    Other(String),
}
