//! How sessions talk to the store. Nobody waits for it.

use supervision::{Address, Incarnation, Lane, MailboxLimits};
use wire::message::{Addrs, GetAddrs};

use super::super::{Incoming, NoRoom, Peer, PeerEvent};
use crate::storage::StorageError;

const LIMITS: MailboxLimits = MailboxLimits { urgent: 16, normal: 256, bulk: 64 };

pub(super) enum Message {
    Up(Peer),
    Proved(Peer),
    Asked(Incoming<GetAddrs>),
    Told(Incoming<Addrs>),
    Tick,
    Written(Incarnation, Result<(), StorageError>),
}

impl supervision::Message for Message {
    fn name(&self) -> &'static str {
        match self {
            Self::Up(_) => "Up",
            Self::Proved(_) => "Proved",
            Self::Asked(_) => "Asked",
            Self::Told(_) => "Told",
            Self::Tick => "Tick",
            Self::Written(..) => "Written",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Written(..) => Lane::Urgent,
            Self::Up(_) | Self::Proved(_) | Self::Tick => Lane::Normal,
            Self::Asked(_) | Self::Told(_) => Lane::Bulk,
        }
    }
}

/// The address of the store.
#[derive(Clone)]
pub struct StoreMailbox(pub(super) Address<Message>);

impl StoreMailbox {
    pub(in super::super) fn new() -> Self {
        Self(Address::new(super::NAME, LIMITS))
    }

    pub(in super::super) fn asked(&self, question: Incoming<GetAddrs>) -> Result<(), NoRoom> {
        self.0.try_send(Message::Asked(question)).map_err(|_| NoRoom)
    }

    pub(in super::super) fn told(&self, word: Incoming<Addrs>) -> Result<(), NoRoom> {
        self.0.try_send(Message::Told(word)).map_err(|_| NoRoom)
    }

    /// What does not fit is made up for by the next tick, or the next session.
    pub(in super::super) fn happened(&self, event: &PeerEvent) {
        let message = match event {
            PeerEvent::Up(peer) => Message::Up(peer.clone()),
            PeerEvent::Validator(peer) => Message::Proved(peer.clone()),
            PeerEvent::Measured(_) | PeerEvent::Down(_) => return,
        };
        let _ = self.0.try_send(message);
    }
}
