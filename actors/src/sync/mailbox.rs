//! How others talk to sync.

use primitives::{Height, NodeId};
use supervision::{Lane, MailboxLimits};
use wire::{BlockChunk, GetBlocks};

/// Chunks are at most 60 KiB each; one that finds no room ends its request, which is made again.
const LIMITS: MailboxLimits = MailboxLimits { urgent: 256, normal: 1_024, bulk: 512 };

pub(super) enum Message {
    Status(NodeId, Height),
    Left(NodeId),
    Chunk(NodeId, BlockChunk),
    Serve(NodeId, GetBlocks),
    Committed(Height),
    Behind(Height),
    Look,
}

impl supervision::Message for Message {
    fn name(&self) -> &'static str {
        match self {
            Self::Status(..) => "Status",
            Self::Left(_) => "Left",
            Self::Chunk(..) => "Chunk",
            Self::Serve(..) => "Serve",
            Self::Committed(_) => "Committed",
            Self::Behind(_) => "Behind",
            Self::Look => "Look",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Committed(_) | Self::Behind(_) => Lane::Urgent,
            // In one lane: a status that came before the end of its session must not be heard after it.
            Self::Status(..) | Self::Left(_) | Self::Look => Lane::Normal,
            Self::Chunk(..) | Self::Serve(..) => Lane::Bulk,
        }
    }
}

/// Sync, seen from outside. What finds no room is dropped: statuses and chunks come again.
#[derive(Clone, Debug)]
pub struct SyncMailbox {
    pub(super) address: supervision::Address<Message>,
}

impl SyncMailbox {
    pub fn new() -> Self {
        Self { address: supervision::Address::new("sync", LIMITS) }
    }

    /// `peer` has committed `height`.
    pub fn status(&self, peer: NodeId, height: Height) -> bool {
        self.address.try_send(Message::Status(peer, height)).is_ok()
    }

    pub fn left(&self, peer: NodeId) -> bool {
        self.address.try_send(Message::Left(peer)).is_ok()
    }

    pub fn chunk(&self, peer: NodeId, chunk: BlockChunk) -> bool {
        self.address.try_send(Message::Chunk(peer, chunk)).is_ok()
    }

    /// `peer` asks for blocks.
    pub fn serve(&self, peer: NodeId, request: GetBlocks) -> bool {
        self.address.try_send(Message::Serve(peer, request)).is_ok()
    }

    pub fn committed(&self, height: Height) -> bool {
        self.address.try_send(Message::Committed(height)).is_ok()
    }

    /// Others are at `height` already.
    pub fn behind(&self, height: Height) -> bool {
        self.address.try_send(Message::Behind(height)).is_ok()
    }
}

impl Default for SyncMailbox {
    fn default() -> Self {
        Self::new()
    }
}
