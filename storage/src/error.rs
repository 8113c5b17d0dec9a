//! What a commit or a reopening answers.

use std::time::Duration;

use primitives::Height;

use crate::{OpenError, Refused, Tip, plan::Misplaced};

/// What a commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The newest committed block; none while only loose batches were committed.
    pub tip: Option<Tip>,
    /// How many of the batches had been committed before, and were not written again.
    pub repeated: usize,
}

/// Why nothing of a group was acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Retry: reads go on, and [`Writer::reopen`] succeeds when there is room.
    #[error("the disk is full; free some space, and writing resumes by itself")]
    NoSpace,
    /// Halt: nothing that was written since can be trusted in this process. Close, and exit with 74.
    #[error("the disk failed: {0}; what was being written is not durable, and only a fresh start can tell what is")]
    Sync(String),
    /// Fault: the database could not be read, or is shut.
    #[error("the database failed: {0}")]
    Io(String),
    #[error("the next height is {expected}, not {given}")]
    WrongHeight { expected: Height, given: Height },
    #[error("height {height} is already committed with another block: {stored}, not {given}", height = .stored.height)]
    Conflict { stored: Tip, given: Tip },
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Why the writer is not writing again.
#[derive(Debug, thiserror::Error)]
pub enum ReopenError {
    /// Retry later; reads go on.
    #[error("there is still no room for {bytes} bytes")]
    NoSpace { bytes: usize },
    /// Retry later; reads go on.
    #[error("still reading after {limit:?}: {}", .readers.join(", "))]
    Late { readers: Vec<&'static str>, limit: Duration },
    /// Halt, as [`CommitError::Sync`].
    #[error("the disk failed: {0}")]
    Sync(String),
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl From<Misplaced> for CommitError {
    fn from(misplaced: Misplaced) -> Self {
        match misplaced {
            Misplaced::WrongHeight { expected, given } => Self::WrongHeight { expected, given },
            Misplaced::Conflict { stored, given } => Self::Conflict { stored, given },
            Misplaced::Refused(refused) => Self::Refused(refused),
            Misplaced::Io(what) => Self::Io(what),
        }
    }
}
