//! Why a transaction was not let in, in the words Ethereum clients know.

use primitives::U256;

/// A refusal. Its text is what an Ethereum tool expects to read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("already known")]
    AlreadyKnown,
    #[error("nonce too low: next nonce {next}, tx nonce {got}")]
    NonceTooLow { next: u64, got: u64 },
    #[error("nonce too high: next nonce {next}, tx nonce {got}; at most {max_gap} ahead are kept")]
    NonceTooHigh { next: u64, got: u64, max_gap: u64 },
    #[error("insufficient funds for gas * price + value: have {have} want {want}")]
    InsufficientFunds { have: U256, want: U256 },
    #[error("replacement transaction underpriced: needs a fee cap of {fee_needed} and a tip of {tip_needed} wei per gas")]
    Underpriced { fee_needed: u128, tip_needed: u128 },
    #[error("too many transactions of this sender wait already; at most {max} are kept")]
    SenderFull { max: usize },
    #[error("txpool is full")]
    Full,
    /// It could not be written down, and only what is written down is acknowledged.
    #[error("the disk of this node is full: transactions cannot be kept; send it to another node, or again when there is room")]
    NoSpace,
    /// This node cannot tell just now; the same transaction may be let in later.
    #[error("the pool is unavailable: {0}")]
    Unavailable(String),
}
