//! The node among its peers: who is connected, what they say, how they are reached again.
//!
//! ```text
//!   dialer ---- proved connection ---> gossip ---- one child for each peer ---> session <---> socket
//!   listener -- proved connection --->   |                                        |
//!                                      Peers  <--- everybody who has to say       Routes ---> consensus, proposals, ...
//! ```
//!
//! | actor      | life                                                                                     |
//! |------------|------------------------------------------------------------------------------------------|
//! | `listener` | accepts, in parallel and bounded; dials itself to know that it still does                |
//! | `dialer`   | keeps a session to each configured peer, for ever                                        |
//! | `gossip`   | owns the sessions and the directory; settles duplicates, and who has a seat              |
//! | `session`  | one peer: pings, routes what it says up to its quota, never waits for anybody            |
//!
//! Whoever shakes hands is a peer, so strangers can harm each other only: configured peers and nodes that proved to speak for
//! a validator have seats of their own, and what a session says to consensus counts against its own quota, which is small for
//! strangers.
//!
//! | lost on a crash                                     | comes back from                                                                       |
//! |-----------------------------------------------------|---------------------------------------------------------------------------------------|
//! | of a session: its link, and what waits in its lanes | either side, which dials again; both then say their tip and ask for the current round |
//! | of gossip: all links, and one that opens            | the same, for each                                                                    |
//! | of the listener: handshakes under way               | the peer, which dials again; the port stays, and so do all sessions                   |
//! | of the dialer: attempts under way, waits            | the directory: who is missing there is dialled at once; all sessions stay             |
//!
//! What others hold, [`Peers`] and [`Door`], stays good through all of it, and so does what is known of how peers behave: [`conduct`].

pub mod conduct;
mod config;
pub mod dialer;
mod exempt;
pub mod gossip;
mod judge;
pub mod listener;
mod metered;
mod metrics;
mod peer;
mod peers;
mod routes;
mod say;
pub mod session;
mod stages;
mod tap;
mod trace;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use opentelemetry::metrics::Meter;
use primitives::Clock;
use supervision::ChildSpec;
use wire::Net;

pub use conduct::{Conduct, Culprit, Deed, Offence};
pub use config::{Config, Redial};
pub use listener::Door;
pub use peer::{Peer, SessionKey, Traffic};
pub use peers::Peers;
pub use routes::{Incoming, NoRoom, PartsMessage, PeerEvent, Route, Routes, StandingMessage, SyncMessage, TransactionsMessage, to};
pub use tap::{MALFORMED, Tap, Wanted};

/// The part of the tree that talks to peers, before it is started.
pub struct P2p {
    /// Everybody who is connected; for saying things.
    pub peers: Peers,
    /// Where the listener listens, once it does.
    pub door: Door,
    /// `p2p.gossip`, `p2p.listener`, `p2p.dialer`.
    pub children: Vec<ChildSpec>,
}

/// Names of the static children, for `after` edges of others.
pub const CHILDREN: [&str; 3] = [gossip::NAME, listener::NAME, dialer::NAME];

/// Wires the actors up. What peers say goes to `routes`.
pub fn build<N: Net>(net: N, config: Config, routes: Routes, meter: &Meter, clock: Arc<dyn Clock>) -> P2p {
    let (config, net) = (Arc::new(config), metered::Metered::new(net, meter));
    let metrics = metrics::P2pMetrics::new(meter);
    let peers = Peers::new(&config, metrics, meter, clock.clone());
    peers.exempt().configure(&config.peers);
    let door = Door::default();
    let gossip = gossip::GossipMailbox::new(config.max_sessions());
    let children = vec![
        gossip::child(gossip.clone(), config.clone(), peers.clone(), routes, clock.clone()),
        listener::child(net.clone(), config.clone(), gossip.clone(), peers.clone(), door.clone()),
        dialer::child(net, config, gossip, peers.clone(), clock),
    ];
    P2p { peers, door, children }
}
