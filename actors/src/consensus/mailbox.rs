//! How others talk to consensus.

use std::time::Duration;

use consensus::host::Event;
use primitives::{ConsensusMessage, Height, NodeId, Round};
use supervision::{AskError, Fence, Incarnation, Lane, MailboxLimits};
use wire::message::{StandingAnswer, StandingRequest};

use crate::{
    execution::{BuiltBlock, Decided},
    proposals::Arrived,
};

/// Messages of peers are `Normal`; one that finds no room closes its session.
const LIMITS: MailboxLimits = MailboxLimits { urgent: 512, normal: 8_192, bulk: 64 };
/// How long an event that must not be lost waits for room.
const TELL_LIMIT: Duration = Duration::from_secs(5);

pub(super) enum Message {
    Happened(Box<Event>),
    /// An answer of the signer to that life.
    Signed(Incarnation, Box<Event>),
    Arrived(Box<Arrived>),
    Built(Height, Round, BuiltBlock),
    Fetched(Box<Decided>),
    Asked(NodeId, StandingRequest),
    Answered(NodeId, Box<StandingAnswer>),
    Recall,
}

impl supervision::Message for Message {
    fn name(&self) -> &'static str {
        match self {
            Self::Happened(event) | Self::Signed(_, event) => name(event),
            Self::Arrived(_) => "Arrived",
            Self::Built(..) => "Built",
            Self::Fetched(_) => "Fetched",
            Self::Asked(..) => "Asked",
            Self::Answered(..) => "Answered",
            Self::Recall => "Recall",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Happened(event) if is_a_peer_s(event) => Lane::Normal,
            Self::Happened(_) | Self::Signed(..) | Self::Built(..) | Self::Recall => Lane::Urgent,
            Self::Arrived(_) | Self::Asked(..) | Self::Answered(..) => Lane::Normal,
            Self::Fetched(_) => Lane::Bulk,
        }
    }
}

fn is_a_peer_s(event: &Event) -> bool {
    matches!(event, Event::Message { .. } | Event::PeerUp { .. } | Event::PeerDown { .. } | Event::RoundAsked { .. })
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Message { message, .. } => message.name(),
        Event::Elapsed(_) => "Elapsed",
        Event::Released { .. } => "Released",
        Event::NotReleased { .. } => "NotReleased",
        Event::SigningVerdict(_) => "SigningVerdict",
        Event::JournalOpened { .. } => "JournalOpened",
        Event::Committed { .. } => "Committed",
        Event::Uncommitted { .. } => "Uncommitted",
        Event::Retry => "Retry",
        Event::BodyMissing { .. } => "BodyMissing",
        Event::Built { .. } => "Built",
        Event::Judged { .. } => "Judged",
        Event::BodyDurable { .. } => "BodyDurable",
        Event::PeerUp { .. } => "PeerUp",
        Event::PeerDown { .. } => "PeerDown",
        Event::RoundTrip(_) => "RoundTrip",
        Event::RoundAsked { .. } => "RoundAsked",
        Event::StandingAsked { .. } => "StandingAsked",
        Event::StandingAnswered { .. } => "StandingAnswered",
        Event::Synced(_) => "Synced",
        Event::TransactionsWaiting(_) => "TransactionsWaiting",
    }
}

/// Consensus, seen from outside.
#[derive(Clone, Debug)]
pub struct ConsensusMailbox {
    pub(super) address: supervision::Address<Message>,
}

impl ConsensusMailbox {
    pub fn new() -> Self {
        Self { address: supervision::Address::new("consensus", LIMITS) }
    }

    /// Tells which incarnation lives.
    pub fn fence(&self) -> Fence {
        self.address.fence()
    }

    /// A message of a peer. Without room its session must end: nobody says it again.
    pub fn message(&self, from: NodeId, message: ConsensusMessage) -> bool {
        self.happened(Event::Message { from, message })
    }

    /// Something happened; says whether there was room for it.
    pub(crate) fn happened(&self, event: Event) -> bool {
        self.address.try_send(Message::Happened(Box::new(event))).is_ok()
    }

    /// Something happened that must not be lost.
    pub(crate) async fn tell(&self, event: Event) -> Result<(), AskError> {
        self.address.send(Message::Happened(Box::new(event)), TELL_LIMIT).await
    }

    /// The signer answers what `life` asked.
    pub(crate) async fn signed(&self, life: Incarnation, event: Event) -> Result<(), AskError> {
        self.address.send(Message::Signed(life, Box::new(event)), TELL_LIMIT).await
    }

    /// A proposed block is whole.
    pub fn arrived(&self, arrived: Arrived) -> bool {
        self.address.try_send(Message::Arrived(Box::new(arrived))).is_ok()
    }

    /// A block above the tip was fetched, with a certificate that holds.
    pub fn synced(&self, decided: Decided) -> bool {
        self.address.try_send(Message::Fetched(Box::new(decided))).is_ok()
    }

    /// A validator asks where we are.
    pub fn asked(&self, from: NodeId, request: StandingRequest) -> bool {
        self.address.try_send(Message::Asked(from, request)).is_ok()
    }

    /// A validator answered.
    pub fn answered(&self, from: NodeId, answer: StandingAnswer) -> bool {
        self.address.try_send(Message::Answered(from, Box::new(answer))).is_ok()
    }

    /// The keeper of proposals has lost its book.
    pub fn recall(&self) -> bool {
        self.address.try_send(Message::Recall).is_ok()
    }

    /// Whether some executable transaction waits.
    pub fn transactions_waiting(&self, waiting: bool) -> bool {
        self.happened(Event::TransactionsWaiting(waiting))
    }
}

impl Default for ConsensusMailbox {
    fn default() -> Self {
        Self::new()
    }
}
