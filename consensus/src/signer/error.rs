//! Why the signer did not do what it was asked.

use std::{io, path::Path};

use primitives::{Disk, Height};

use super::{
    Incarnation,
    journal::{self, Journal, JournalError},
    promise::PromiseError,
};
use crate::entry::MalformedEntry;

/// Why the signer did not do what it was asked. Nothing left.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    #[error("incarnation {} of consensus is refused; {} is the current one", .incarnation.0, .current.0)]
    Stale { incarnation: Incarnation, current: Incarnation },
    #[error("no height was started")]
    NotStarted,
    #[error("height {height} cannot start before height {needed} is committed")]
    NotCommitted { height: Height, needed: Height },
    #[error("the {entry} is of height {of}, the journal of height {height}")]
    WrongHeight { entry: &'static str, of: Height, height: Height },
    #[error(transparent)]
    Entry(MalformedEntry),
    #[error("the journal {file} of height {height} holds a record that this version cannot read: {source}; use the version that wrote it")]
    Unreadable { file: String, height: Height, source: MalformedEntry },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Promise(#[from] PromiseError),
    #[error("the disk failed earlier, nothing is signed any more: {cause}")]
    Failed { cause: String },
}

impl SignerError {
    /// Whether trying again later may help: the disk has no room. The messages wait and leave with the next release that succeeds.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Journal(error) => error.is_retryable(),
            Self::Promise(error) => error.is_retryable,
            _ => false,
        }
    }

    /// Whether the disk failed, so that nothing can be released by this process any more (exit code 74).
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Journal(error) => matches!(error, JournalError::Disk { .. }),
            Self::Promise(error) => !error.is_retryable,
            Self::Failed { .. } => true,
            _ => false,
        }
    }

    pub(super) fn unreadable(journal: &Journal, source: MalformedEntry) -> Self {
        Self::Unreadable { file: journal.shown().to_owned(), height: journal.height(), source }
    }

    pub(super) fn list(disk: &dyn Disk, source: io::Error) -> Self {
        Self::Journal(JournalError::Disk { file: disk.locate(Path::new(journal::DIRECTORY)).display().to_string(), source })
    }
}
