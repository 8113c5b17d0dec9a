//! Accepts connections and makes strangers prove who they are.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use primitives::NodeId;
use tokio::{
    task::{JoinError, JoinSet},
    time::Instant,
};
use tracing::{debug, error, warn};
use wire::{HandshakeError, Listener, Net};

use super::{
    super::{
        Config, Peers,
        gossip::{GossipMailbox, Opened, Origin},
    },
    seats::{Seat, Seats},
    toll::Toll,
};

/// Wait after a failed accept. Out of file descriptors, for example, the next one would fail at once.
const PAUSE: Duration = Duration::from_millis(100);

/// All that one handshake needs.
pub(super) struct Entrance<N: Net> {
    pub config: Arc<Config>,
    pub peers: Peers,
    pub gossip: GossipMailbox<N::Stream>,
    pub seats: Seats,
    pub toll: Arc<Mutex<Toll>>,
    /// From when on the toll reckons time.
    pub began: Instant,
}

impl<N: Net> Clone for Entrance<N> {
    fn clone(&self) -> Self {
        let Self { config, peers, gossip, seats, toll, began } = self;
        Self { config: config.clone(), peers: peers.clone(), gossip: gossip.clone(), seats: seats.clone(), toll: toll.clone(), began: *began }
    }
}

impl<N: Net> Entrance<N> {
    /// Accepts for ever. Handshakes under way end with it.
    pub async fn run(self, listener: N::Listener) {
        let mut handshakes = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => self.admit(stream, from, &mut handshakes),
                    Err(error) => {
                        warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(ended) = handshakes.join_next() => note(ended),
            }
        }
    }

    fn admit(&self, stream: N::Stream, from: SocketAddr, handshakes: &mut JoinSet<()>) {
        let bits = self.toll.lock().came(self.began.elapsed(), handshakes.len(), self.config.max_handshakes);
        self.peers.metrics().stamp_bits(bits);
        let seat = self.seats.take(from.ip());
        let (Some(seat), true) = (seat, handshakes.len() < self.config.max_handshakes) else {
            self.peers.metrics().dropped("connection");
            debug!(%from, "connection dropped: too many");
            return;
        };
        handshakes.spawn(self.clone().shake_hands(stream, from, seat, bits));
    }

    async fn shake_hands(self, stream: N::Stream, from: SocketAddr, seat: Seat, bits: u8) {
        let began = Instant::now();
        let demand = |node: NodeId| if self.peers.exempt().has(&node) { 0 } else { bits };
        let outcome = wire::accept_for_work(stream, &self.config.identity, &self.config.limits, &demand).await;
        self.peers.metrics().handshake("inbound", began.elapsed(), &outcome);
        match outcome {
            Ok(connection) => {
                let opened = Opened { connection, origin: Origin::Door(seat), remote: Some(from) };
                if let Err(error) = self.gossip.open(opened).await {
                    debug!(%from, %error, "connection became no session");
                }
            }
            // That is us, looking whether the door is open.
            Err(HandshakeError::SelfConnection { .. }) => {}
            Err(error) => debug!(%from, %error, "handshake failed"),
        }
    }
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        error!(%error, "a handshake panicked");
    }
}
