//! How others talk to the mempool.

use std::{collections::HashSet, sync::Arc, time::Duration};

use primitives::{Address, B256, Bytes, NodeId, RecoveredTransaction};
use supervision::{AskError, Lane, MailboxLimits, Reply};

use super::{
    Pooled, Rejected, Sender,
    pool::{Content, TooMany},
};
use crate::storage::StorageError;

/// How long a client waits for its transaction to be on disk.
const SUBMIT_LIMIT: Duration = Duration::from_secs(10);
/// How long a question about the pool may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// How long a proposer waits for transactions: without an answer its block is empty.
const BEST_LIMIT: Duration = Duration::from_millis(250);
const LIMITS: MailboxLimits = MailboxLimits { urgent: 256, normal: 4_096, bulk: 256 };

/// A committed block as the pool sees it.
#[derive(Debug)]
pub struct Committed {
    /// Senders and receivers it touched, as they are after it.
    pub accounts: Vec<(Address, Sender)>,
    /// Hashes of its transactions.
    pub included: HashSet<B256>,
    /// Wei per gas of the next block.
    pub base_fee: u64,
}

/// How many transactions wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub pending: usize,
    pub queued: usize,
}

pub(super) enum Message {
    Submit(Pooled, Reply<Result<B256, Rejected>>),
    Offer(Option<NodeId>, Vec<Bytes>),
    Announced(NodeId, Vec<B256>),
    Asked(NodeId, Vec<B256>),
    Look,
    Admit(Vec<Pooled>),
    Remind,
    Written(u64, Result<(), StorageError>),
    Best(u64, Reply<Vec<Arc<RecoveredTransaction>>>),
    Discard(Vec<B256>),
    Committed(Committed),
    Find(B256, Reply<Option<Pooled>>),
    Count(Reply<Counts>),
    NextNonce(Address, Reply<Option<u64>>),
    Content(Option<Address>, usize, Reply<Result<Content, TooMany>>),
}

impl supervision::Message for Message {
    fn name(&self) -> &'static str {
        match self {
            Self::Submit(..) => "Submit",
            Self::Offer(..) => "Offer",
            Self::Announced(..) => "Announced",
            Self::Asked(..) => "Asked",
            Self::Look => "Look",
            Self::Admit(_) => "Admit",
            Self::Remind => "Remind",
            Self::Written(..) => "Written",
            Self::Best(..) => "Best",
            Self::Discard(_) => "Discard",
            Self::Committed(_) => "Committed",
            Self::Find(..) => "Find",
            Self::Count(_) => "Count",
            Self::NextNonce(..) => "NextNonce",
            Self::Content(..) => "Content",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Best(..) | Self::Committed(_) | Self::Discard(_) | Self::Written(..) => Lane::Urgent,
            Self::Offer(..) | Self::Announced(..) | Self::Asked(..) | Self::Admit(_) | Self::Remind | Self::Look => Lane::Bulk,
            _ => Lane::Normal,
        }
    }
}

/// The mempool, seen from outside.
#[derive(Clone, Debug)]
pub struct MempoolMailbox {
    pub(super) address: supervision::Address<Message>,
}

impl MempoolMailbox {
    pub fn new() -> Self {
        Self { address: supervision::Address::new("mempool", LIMITS) }
    }

    /// Lets a transaction in whose sender is recovered. Returns when it is on disk.
    pub async fn submit(&self, pooled: Pooled) -> Result<B256, Rejected> {
        let asked = self.address.ask(SUBMIT_LIMIT, |reply| Message::Submit(pooled, reply)).await;
        asked.unwrap_or_else(|error| Err(Rejected::Unavailable(error.to_string())))
    }

    /// Transactions, EIP-2718 encoded, from a peer or out of blocks that were not decided. What does not fit is dropped; whoever has
    /// it announces it again.
    pub fn offer(&self, from: Option<NodeId>, transactions: Vec<Bytes>) -> bool {
        self.address.try_send(Message::Offer(from, transactions)).is_ok()
    }

    /// A peer has these.
    pub fn announced(&self, from: NodeId, hashes: Vec<B256>) -> bool {
        self.address.try_send(Message::Announced(from, hashes)).is_ok()
    }

    /// A peer asks for these.
    pub fn asked(&self, from: NodeId, hashes: Vec<B256>) -> bool {
        self.address.try_send(Message::Asked(from, hashes)).is_ok()
    }

    /// The best transactions for a block of `gas_limit`.
    pub async fn best(&self, gas_limit: u64) -> Result<Vec<Arc<RecoveredTransaction>>, AskError> {
        self.address.ask(BEST_LIMIT, |reply| Message::Best(gas_limit, reply)).await
    }

    /// These can never be executed.
    pub fn discard(&self, hashes: Vec<B256>) -> bool {
        hashes.is_empty() || self.address.try_send(Message::Discard(hashes)).is_ok()
    }

    /// A block was committed.
    pub async fn committed(&self, committed: Committed) -> Result<(), AskError> {
        self.address.send(Message::Committed(committed), ANSWER_LIMIT).await
    }

    /// The waiting transaction with this hash.
    pub async fn find(&self, hash: B256) -> Result<Option<Pooled>, AskError> {
        self.address.ask(ANSWER_LIMIT, |reply| Message::Find(hash, reply)).await
    }

    pub async fn counts(&self) -> Result<Counts, AskError> {
        self.address.ask(ANSWER_LIMIT, Message::Count).await
    }

    /// The nonce after all transactions of `sender` that wait without a gap; none when nothing of it waits.
    pub async fn next_nonce(&self, sender: Address) -> Result<Option<u64>, AskError> {
        self.address.ask(ANSWER_LIMIT, |reply| Message::NextNonce(sender, reply)).await
    }

    /// What waits, of `sender` or of everybody, unless that is more than `max` transactions.
    pub async fn content(&self, sender: Option<Address>, max: usize) -> Result<Result<Content, TooMany>, AskError> {
        self.address.ask(ANSWER_LIMIT, |reply| Message::Content(sender, max, reply)).await
    }
}

impl Default for MempoolMailbox {
    fn default() -> Self {
        Self::new()
    }
}
