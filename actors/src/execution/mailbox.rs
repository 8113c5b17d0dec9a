//! How others talk to execution.

use std::time::Duration;

use execution::Verdict;
use primitives::{B256, Body, Certificate, Height};
use supervision::{AskError, Lane, MailboxLimits, Reply};

const LIMITS: MailboxLimits = MailboxLimits { urgent: 16, normal: 64, bulk: 16 };
/// How long a block may take to build; the others wait for it.
const BUILD_LIMIT: Duration = Duration::from_secs(10);
/// How long a verdict may take. Without one the vote is nil.
const JUDGE_LIMIT: Duration = Duration::from_secs(20);
/// How long a decided block may take to be durable.
pub(crate) const COMMIT_LIMIT: Duration = Duration::from_secs(120);

/// A block of our own.
#[derive(Clone, Debug)]
pub struct BuiltBlock {
    pub hash: B256,
    pub body: Body,
}

/// A decided block with the proof of its decision.
#[derive(Clone, Debug)]
pub struct Decided {
    pub certificate: Certificate,
    pub body: Body,
}

/// Why a decided block is not committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitFailure {
    #[error("the disk is full")]
    NoSpace,
    #[error("for the moment: {0}")]
    Unavailable(String),
    /// The validators decided a block that breaks a rule.
    #[error("the decided block breaks a rule: {0}")]
    Rejected(String),
}

impl From<AskError> for CommitFailure {
    fn from(error: AskError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

pub(super) enum Message {
    Build(Height, Reply<Result<BuiltBlock, String>>),
    Judge(Body, Reply<Verdict>),
    Commit(Box<Decided>, Reply<Result<u64, CommitFailure>>),
}

impl supervision::Message for Message {
    fn name(&self) -> &'static str {
        match self {
            Self::Build(..) => "Build",
            Self::Judge(..) => "Judge",
            Self::Commit(..) => "Commit",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Commit(..) => Lane::Urgent,
            _ => Lane::Normal,
        }
    }
}

/// Execution, seen from outside.
#[derive(Clone, Debug)]
pub struct ExecutionMailbox {
    pub(super) address: supervision::Address<Message>,
}

impl ExecutionMailbox {
    pub fn new() -> Self {
        Self { address: supervision::Address::new("execution", LIMITS) }
    }

    /// A block at `height`, which must be the one after the head.
    pub async fn build(&self, height: Height) -> Result<BuiltBlock, String> {
        let asked = self.address.ask(BUILD_LIMIT, |reply| Message::Build(height, reply)).await;
        asked.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// What is to be thought of a proposed block; none when there is no telling.
    pub async fn judge(&self, body: Body) -> Result<Verdict, AskError> {
        self.address.ask(JUDGE_LIMIT, |reply| Message::Judge(body, reply)).await
    }

    /// Commits a decided block. Returns its timestamp in milliseconds once it is durable; idempotent.
    pub async fn commit(&self, decided: Decided) -> Result<u64, CommitFailure> {
        self.address.ask(COMMIT_LIMIT, |reply| Message::Commit(Box::new(decided), reply)).await?
    }
}

impl Default for ExecutionMailbox {
    fn default() -> Self {
        Self::new()
    }
}
