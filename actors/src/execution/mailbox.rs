//! How others talk to execution.

use std::time::Duration;

use execution::Verdict;
use primitives::{B256, Body, Certificate, Height};
use supervision::{AskError, Fence, Incarnation, Lane, MailboxLimits, Reply};

const LIMITS: MailboxLimits = MailboxLimits { urgent: 16, normal: 64, bulk: 16 };
/// How long a block may take to build; the others wait for it.
const BUILD_LIMIT: Duration = Duration::from_secs(10);
/// How long a verdict may take. Without one the vote is nil.
const JUDGE_LIMIT: Duration = Duration::from_secs(20);
/// How long a decided block may take to be durable.
pub(crate) const COMMIT_LIMIT: Duration = Duration::from_secs(120);

/// Between two looks at the life that was asked to commit.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long the next life may take to answer what waited in the mailbox, before it is asked anew.
const NEXT_LIFE_LIMIT: Duration = Duration::from_millis(500);

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
        let (fence, life) = (self.address.fence(), self.address.fence().current());
        let answer = self.address.ask(COMMIT_LIMIT, |reply| Message::Commit(Box::new(decided), reply));
        tokio::select! {
            answer = answer => answer?,
            // A life that blocks its thread is replaced and keeps the question in its hands all the same.
            () = replaced(&fence, life) => Err(CommitFailure::Unavailable("execution was replaced with the block in hand".to_owned())),
        }
    }
}

/// Waits until `life` is over and the next one has had its time.
async fn replaced(fence: &Fence, life: Incarnation) {
    while fence.is_current(life) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tokio::time::sleep(NEXT_LIFE_LIMIT).await;
}

impl Default for ExecutionMailbox {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use opentelemetry::metrics::{MeterProvider, noop::NoopMeterProvider};
    use primitives::Round;
    use supervision::{Actor, ChildSpec, Config, Context, Fault, Tree, answer};

    use super::*;

    const BLOCKED: Duration = Duration::from_secs(3);

    /// In its first life it blocks its thread with a commit in hand.
    struct Blocked(Incarnation);

    impl Actor for Blocked {
        type Message = Message;

        async fn handle(&mut self, message: Message, _: &mut Context<Message>) -> Result<(), Fault> {
            let Message::Commit(_, reply) = message else { return Ok(()) };
            if self.0 == Incarnation(1) {
                std::thread::sleep(BLOCKED);
            }
            answer(reply, Ok(7));
            Ok(())
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_commit_in_the_hands_of_a_blocked_thread_is_given_up_when_that_life_is_replaced() {
        let mailbox = ExecutionMailbox::new();
        let spec = ChildSpec::new("execution", mailbox.address.clone(), |life| async move { Ok(Blocked(life)) });
        let spec = spec.hang_limit(Duration::from_millis(100));
        let tree = Tree::build("test", [spec], Config::new(NoopMeterProvider::new().meter("test"))).unwrap().start().await;
        tree.ready(BLOCKED).await.unwrap();
        let certificate = Certificate { height: Height(1), round: Round(0), value: B256::ZERO, signatures: Vec::new() };
        let decided = Decided { certificate, body: Body { block: Default::default(), metadata: Default::default() } };
        let asked = std::time::Instant::now();
        assert!(matches!(mailbox.commit(decided.clone()).await, Err(CommitFailure::Unavailable(_))));
        assert!(asked.elapsed() < BLOCKED, "the answer did not wait for the thread");
        assert_eq!(mailbox.commit(decided).await, Ok(7));
        let _ = tree.stop("the test is over").await;
    }
}
