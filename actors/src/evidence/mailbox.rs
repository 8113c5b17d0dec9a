//! How others talk to the keeper of evidence.

use primitives::{Evidence, NodeId};
use supervision::{Lane, MailboxLimits};

const LIMITS: MailboxLimits = MailboxLimits { urgent: 64, normal: 256, bulk: 256 };

pub(super) enum Message {
    Found(Vec<Evidence>),
    Heard(NodeId, Box<Evidence>),
    Greet(NodeId),
    Written(NodeId, Box<Evidence>, bool),
}

impl supervision::Message for Message {
    fn name(&self) -> &'static str {
        match self {
            Self::Found(_) => "Found",
            Self::Heard(..) => "Heard",
            Self::Greet(_) => "Greet",
            Self::Written(..) => "Written",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Found(_) | Self::Written(..) => Lane::Urgent,
            Self::Greet(_) => Lane::Normal,
            Self::Heard(..) => Lane::Bulk,
        }
    }
}

/// The keeper of evidence, seen from outside. What finds no room is told by others, or in the next session.
#[derive(Clone, Debug)]
pub struct EvidenceMailbox {
    pub(super) address: supervision::Address<Message>,
}

impl EvidenceMailbox {
    pub fn new() -> Self {
        Self { address: supervision::Address::new("evidence", LIMITS) }
    }

    /// Consensus found these; they are on disk.
    pub fn found(&self, pieces: Vec<Evidence>) -> bool {
        self.address.try_send(Message::Found(pieces)).is_ok()
    }

    /// A peer says this; nothing about it is verified.
    pub fn heard(&self, from: NodeId, piece: Evidence) -> bool {
        self.address.try_send(Message::Heard(from, Box::new(piece))).is_ok()
    }

    /// A peer has come.
    pub fn greet(&self, peer: NodeId) -> bool {
        self.address.try_send(Message::Greet(peer)).is_ok()
    }
}

impl Default for EvidenceMailbox {
    fn default() -> Self {
        Self::new()
    }
}
