//! Where the words of peers go.

use std::sync::Arc;

use primitives::{ConsensusMessage, Evidence, NodeId};
use supervision::{Address, Message, SendError};
use wire::message::{
    BlockChunk, CurrentRequest, GetBlocks, GetParts, GetTransactions, HaveTransactions, Part, PartsStart, StandingAnswer, StandingRequest, Status,
    Transactions,
};

use super::Peer;

/// A message with the session it came in. Answer with [`Peer::send`].
#[derive(Clone, Debug)]
pub struct Incoming<T> {
    pub from: Peer,
    pub message: T,
}

/// The receiver has no room now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// Takes a message without waiting.
pub type Route<T> = Arc<dyn Fn(Incoming<T>) -> Result<(), NoRoom> + Send + Sync>;

/// Everything a session may have to hand on. None of these ever waits.
#[derive(Clone)]
pub struct Routes {
    /// Without room the session is closed: the core resends nothing, but a new session begins with what is current.
    pub consensus: Route<ConsensusMessage>,
    /// Without room the session is closed.
    pub current: Route<CurrentRequest>,
    /// Without room the session is closed.
    pub standing: Route<StandingMessage>,
    /// Without room it is dropped, and asked for again by whoever misses it.
    pub parts: Route<PartsMessage>,
    /// Without room it is dropped.
    pub transactions: Route<TransactionsMessage>,
    /// Without room it is dropped.
    pub sync: Route<SyncMessage>,
    /// Without room it is dropped.
    pub evidence: Route<Evidence>,
    /// Sessions that come and go.
    pub events: Arc<dyn Fn(PeerEvent) + Send + Sync>,
}

/// About standings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StandingMessage {
    Request(StandingRequest),
    Answer(StandingAnswer),
}

/// About the parts of proposed blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartsMessage {
    Start(PartsStart),
    Part(Part),
    Get(GetParts),
}

/// About transactions that wait for a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionsMessage {
    These(Transactions),
    Have(HaveTransactions),
    Get(GetTransactions),
}

/// About decided blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncMessage {
    Status(Status),
    Get(GetBlocks),
    Chunk(BlockChunk),
}

/// What happened to a session.
#[derive(Clone, Debug)]
pub enum PeerEvent {
    /// It is open; say what is current.
    Up(Peer),
    /// The peer proved which validator it speaks for: see [`Peer::validator`].
    Validator(Peer),
    /// A ping was answered: see [`Peer::round_trip`].
    Measured(Peer),
    /// It is over.
    Down(NodeId),
}

/// The route into the mailbox behind `address`. What comes while its actor is stopped for good is nobody's loss.
pub fn to<T: 'static, M: Message>(address: &Address<M>, wrap: impl Fn(Incoming<T>) -> M + Send + Sync + 'static) -> Route<T> {
    let address = address.clone();
    Arc::new(move |incoming| match address.try_send(wrap(incoming)) {
        Ok(()) | Err(SendError::Stopped(_)) => Ok(()),
        Err(SendError::Full(_)) => Err(NoRoom),
    })
}
