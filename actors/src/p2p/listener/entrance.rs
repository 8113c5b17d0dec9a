//! Accepts connections and makes strangers prove who they are.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use primitives::NodeId;
use tokio::{
    task::{JoinError, JoinSet},
    time::Instant,
};
use tracing::{debug, error, warn};
use wire::{HandshakeError, Listener, Net, Role};

use super::{
    super::{
        Config, Peers,
        conduct::Rudeness,
        gossip::{GossipMailbox, Opened, Origin},
        stages::Stage,
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
    /// Accepts until the socket does not listen any more, which nobody has asked for. Handshakes under way end with it.
    pub async fn run(self, listener: N::Listener) -> io::Error {
        let mut handshakes = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => self.admit(stream, from, &mut handshakes),
                    // What accept(2) says of a socket that was shut down: no wait will mend it.
                    Err(error) if error.kind() == io::ErrorKind::InvalidInput => return error,
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
        if self.peers.is_banned_address(from.ip()) {
            self.peers.metrics().dropped("banned");
            debug!(%from, "connection dropped: its address is banned");
            return;
        }
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
        let staying = self.peers.stages().enter(Role::Acceptor, Stage::Handshake);
        let outcome = wire::accept_for_work(stream, &self.config.identity, &self.config.limits, &demand).await;
        drop(staying);
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
            Err(error) => {
                debug!(%from, %error, "handshake failed");
                if let Some(rudeness) = rudeness(&error) {
                    self.peers.was_rude(from.ip(), rudeness);
                }
            }
        }
    }
}

/// What a failure tells of whoever came. Another chain, another version and a broken line are no misdeeds.
fn rudeness(error: &HandshakeError) -> Option<Rudeness> {
    use HandshakeError::{Forged, Late, Malformed, Reflected, TooManyBytes};
    match error {
        Late { .. } => Some(Rudeness::Late),
        TooManyBytes { .. } | Malformed(_) | Reflected | Forged { .. } => Some(Rudeness::Nonsense),
        _ => None,
    }
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        error!(%error, "a handshake panicked");
    }
}
