//! Saying things to peers without minding who finds no room.

use primitives::NodeId;
use tracing::{debug, error};
use wire::{
    Message,
    message::{Farewell, Goodbye},
};

use super::{Peer, Peers};

impl Peers {
    /// Says it to one peer, or to everybody. Never waits; what finds no room at a peer is that peer's to ask for again.
    pub fn say(&self, to: Option<NodeId>, message: Message) {
        let kind = message.kind();
        match (self.encode(message), to) {
            (Ok(message), None) => drop(self.broadcast(&message)),
            (Ok(message), Some(peer)) => {
                if let Err(error) = self.send_to(&peer, &message) {
                    debug!(%peer, kind, %error, "not said");
                }
            }
            // Whoever makes messages cuts them; one that fits no frame is our own mistake.
            (Err(error), _) => error!(kind, %error, "a message fits no frame"),
        }
    }

    /// Says how a height is being decided, to one peer or to all that listen. Whoever follows only asks for the block when it is decided.
    pub fn say_to_listeners(&self, to: Option<NodeId>, message: Message) {
        let kind = message.kind();
        match (to, self.encode(message)) {
            (Some(peer), Ok(message)) => drop(self.send_to(&peer, &message)),
            (None, Ok(message)) => self.list().iter().filter(|peer| peer.listens()).for_each(|peer| drop(peer.send(&message))),
            (_, Err(error)) => error!(kind, %error, "a message fits no frame"),
        }
    }

    /// Ends a session with a word why, behind the votes that wait.
    pub(super) fn part(&self, peer: &Peer, reason: Farewell) {
        if let Ok(goodbye) = self.encode(Message::Goodbye(Goodbye { reason })) {
            // It may be broken, or take nothing; that is often why we leave.
            let _ = peer.send(&goodbye);
        }
        peer.close();
    }
}
