//! How others talk to the keeper of proposals.

use std::time::Duration;

use primitives::{B256, Bytes, Height, NodeId, Proposal, Round, Signed};
use supervision::{AskError, Lane, MailboxLimits};
use wire::{GetParts, Part, PartsStart};

const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// Parts are at most 60 KiB each; a part that finds no room is asked for again.
const LIMITS: MailboxLimits = MailboxLimits { urgent: 256, normal: 1_024, bulk: 64 };

pub(super) enum Message {
    Start(NodeId, PartsStart),
    Part(NodeId, Part),
    Want(NodeId, GetParts),
    Keep(Height, B256, Bytes),
    Accept(Signed<Proposal>),
    Note(Signed<Proposal>),
    Round(Height, Round),
    Stream(Height, Round),
    Committed(Height),
    Left(NodeId),
    Look,
}

impl supervision::Message for Message {
    fn name(&self) -> &'static str {
        match self {
            Self::Start(..) => "Start",
            Self::Part(..) => "Part",
            Self::Want(..) => "Want",
            Self::Keep(..) => "Keep",
            Self::Accept(_) => "Accept",
            Self::Note(_) => "Note",
            Self::Round(..) => "Round",
            Self::Stream(..) => "Stream",
            Self::Committed(_) => "Committed",
            Self::Left(_) => "Left",
            Self::Look => "Look",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Keep(..) | Self::Accept(_) | Self::Note(_) | Self::Round(..) | Self::Stream(..) | Self::Committed(_) => Lane::Urgent,
            Self::Want(..) => Lane::Bulk,
            _ => Lane::Normal,
        }
    }
}

/// The keeper of proposals, seen from outside.
#[derive(Clone, Debug)]
pub struct ProposalsMailbox {
    pub(super) address: supervision::Address<Message>,
}

impl ProposalsMailbox {
    pub fn new() -> Self {
        Self { address: supervision::Address::new("proposals", LIMITS) }
    }

    /// A peer begins a stream. Says whether there was room.
    pub fn start(&self, peer: NodeId, start: PartsStart) -> bool {
        self.address.try_send(Message::Start(peer, start)).is_ok()
    }

    /// A part came. Says whether there was room.
    pub fn part(&self, peer: NodeId, part: Part) -> bool {
        self.address.try_send(Message::Part(peer, part)).is_ok()
    }

    /// A peer asks for parts. Says whether there was room.
    pub fn want(&self, peer: NodeId, request: GetParts) -> bool {
        self.address.try_send(Message::Want(peer, request)).is_ok()
    }

    /// Keeps an undecided block whose hash is known to be right.
    pub fn keep(&self, height: Height, value: B256, body: Bytes) -> bool {
        self.address.try_send(Message::Keep(height, value, body)).is_ok()
    }

    /// A verified proposal of somebody: its block is wanted.
    pub fn accept(&self, proposal: Signed<Proposal>) -> bool {
        self.address.try_send(Message::Accept(proposal)).is_ok()
    }

    /// A proposal that has left: its block may be streamed under it.
    pub fn note(&self, proposal: Signed<Proposal>) -> bool {
        self.address.try_send(Message::Note(proposal)).is_ok()
    }

    /// Consensus is in this round.
    pub fn round_started(&self, height: Height, round: Round) -> bool {
        self.address.try_send(Message::Round(height, round)).is_ok()
    }

    /// Streams the block that was proposed in `round` to everybody.
    pub fn stream(&self, height: Height, round: Round) -> bool {
        self.address.try_send(Message::Stream(height, round)).is_ok()
    }

    pub async fn committed(&self, height: Height) -> Result<(), AskError> {
        self.address.send(Message::Committed(height), ANSWER_LIMIT).await
    }

    /// The session with `peer` ended.
    pub fn left(&self, peer: NodeId) -> bool {
        self.address.try_send(Message::Left(peer)).is_ok()
    }
}

impl Default for ProposalsMailbox {
    fn default() -> Self {
        Self::new()
    }
}
