//! How others talk to storage.

use std::time::Duration;

use storage::Batch;
use supervision::{AskError, Lane, MailboxLimits, Reply};

const LIMITS: MailboxLimits = MailboxLimits { urgent: 64, normal: 256, bulk: 16 };

/// Why a batch is not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// Retry: reads go on, and writing resumes by itself when there is room.
    #[error("the disk is full")]
    NoSpace,
    /// The process is about to end.
    #[error("the disk failed: {0}")]
    Failed(String),
    /// The batch itself is wrong.
    #[error("the batch was refused: {0}")]
    Refused(String),
    #[error("storage: {0}")]
    Absent(#[from] AskError),
}

pub(super) enum Message {
    Commit(Vec<Batch>, Reply<Result<(), StorageError>>),
    Reopen,
}

impl supervision::Message for Message {
    fn name(&self) -> &'static str {
        match self {
            Self::Commit(..) => "Commit",
            Self::Reopen => "Reopen",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Commit(batches, _) if batches.iter().any(|batch| batch.tip().is_some()) => Lane::Urgent,
            _ => Lane::Normal,
        }
    }
}

/// Storage, seen from outside.
#[derive(Clone, Debug)]
pub struct StorageMailbox {
    pub(super) address: supervision::Address<Message>,
}

impl StorageMailbox {
    pub fn new() -> Self {
        Self { address: supervision::Address::new("storage", LIMITS) }
    }

    /// Writes `batch` whole. Durable when this returns.
    pub async fn commit(&self, batch: Batch, limit: Duration) -> Result<(), StorageError> {
        self.address.ask(limit, |reply| Message::Commit(vec![batch], reply)).await?
    }
}

impl Default for StorageMailbox {
    fn default() -> Self {
        Self::new()
    }
}
