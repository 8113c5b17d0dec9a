//! What building and judging a block can come to.

use std::sync::Arc;

use alloy_primitives::B256;

use crate::{Executed, NotExecutable, Refused, Rule, execute::Stop};

/// What is to be thought of a block.
#[derive(Clone, Debug)]
pub enum Verdict {
    Valid(Arc<Executed>),
    /// It breaks this rule, and always will.
    Invalid(Rule),
    /// Cannot be said now; may become valid later.
    None(NoVerdict),
}

/// Why there is no verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoVerdict {
    #[error("its parent {parent} was not executed here")]
    UnknownParent { parent: B256 },
    #[error("another block is decided at its height or below")]
    ConflictsWithFinalized,
    #[error("its timestamp is {ahead_ms} ms ahead of our clock")]
    AheadOfClock { ahead_ms: u64 },
    #[error("too many other blocks of its height were executed meanwhile")]
    Dropped,
    #[error("it was cancelled")]
    Cancelled,
    #[error("execution failed: {0}")]
    Failed(String),
}

/// A block that we made.
#[derive(Debug)]
pub struct Built {
    pub executed: Arc<Executed>,
    /// Candidates that were tried and left out.
    pub refused: Vec<Refused>,
}

/// Why no block was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    #[error("the parent {parent} was not executed here")]
    UnknownParent { parent: B256 },
    #[error("another block is decided at this height or below")]
    ConflictsWithFinalized,
    #[error("building was cancelled")]
    Cancelled,
    #[error("execution failed: {0}")]
    Failed(String),
}

impl From<Rule> for Verdict {
    fn from(rule: Rule) -> Self {
        Self::Invalid(rule)
    }
}

impl From<NoVerdict> for Verdict {
    fn from(reason: NoVerdict) -> Self {
        Self::None(reason)
    }
}

impl From<Stop> for Verdict {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Cancelled => NoVerdict::Cancelled.into(),
            Stop::Failed(error) => NoVerdict::Failed(error).into(),
            Stop::Transaction { index, why: NotExecutable::Blob } => Rule::BlobTransaction { index }.into(),
            Stop::Transaction { index, why } => Rule::Transaction { index, why }.into(),
        }
    }
}

impl From<Stop> for BuildError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Cancelled => Self::Cancelled,
            Stop::Failed(error) => Self::Failed(error),
            Stop::Transaction { index, why } => Self::Failed(format!("transaction {index}: {why}")),
        }
    }
}
