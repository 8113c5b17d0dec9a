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
//! | `store`    | keeps the peer book: who there is, learnt from peers, on disk                            |
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
//! | of the store: the word in hand                      | the book stays in memory; what was not on disk yet is written by the next life        |
//!
//! What others hold, [`Peers`], [`PeerBook`] and [`Door`], stays good through all of it, and so does what is known of how peers behave: [`conduct`].

pub mod book;
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
pub mod store;
mod tap;
mod trace;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use opentelemetry::metrics::Meter;
use primitives::Clock;
use supervision::ChildSpec;
use wire::Net;

pub use book::PeerBook;
pub use conduct::{Conduct, Culprit, Deed, Offence};
pub use config::{Config, Redial};
pub use listener::Door;
pub use peer::{Peer, SessionKey, Traffic};
pub use peers::Peers;
pub use routes::{Incoming, NoRoom, PartsMessage, PeerEvent, Route, Routes, StandingMessage, SyncMessage, TransactionsMessage, to};
pub use store::Keep;
pub use tap::{MALFORMED, Tap, Wanted};

/// The part of the tree that talks to peers, before it is started.
pub struct P2p {
    /// Everybody who is connected; for saying things.
    pub peers: Peers,
    /// Where the listener listens, once it does.
    pub door: Door,
    /// Everybody who is known, and who is banned.
    pub book: PeerBook,
    /// `p2p.gossip`, `p2p.listener`, `p2p.dialer`, `p2p.store`.
    pub children: Vec<ChildSpec>,
}

/// Names of the static children, for `after` edges of others.
pub const CHILDREN: [&str; 4] = [gossip::NAME, listener::NAME, dialer::NAME, store::NAME];

/// What p2p needs of the node around it.
pub struct Surroundings {
    /// Where what peers say goes.
    pub routes: Routes,
    /// Where the peer book lies; none: nothing outlives the process.
    pub keep: Option<Keep>,
    pub meter: Meter,
    pub clock: Arc<dyn Clock>,
}

/// Wires the actors up.
pub fn build<N: Net>(net: N, config: Config, around: Surroundings) -> P2p {
    let Surroundings { routes, keep, meter, clock } = around;
    let (config, net) = (Arc::new(config), metered::Metered::new(net, &meter));
    let metrics = metrics::P2pMetrics::new(&meter);
    let peers = Peers::new(&config, metrics, &meter, clock.clone());
    peers.exempt().configure(&config.peers);
    let book = PeerBook::new(config.identity.node(), peers.conduct().clone());
    let store = store::StoreMailbox::new();
    let door = Door::default();
    let gossip = gossip::GossipMailbox::new(config.max_sessions());
    let sessions =
        gossip::Parts { config: config.clone(), peers: peers.clone(), routes: telling(&store, routes), store: store.clone(), clock: clock.clone() };
    let shelf = store::Parts { config: config.clone(), peers: peers.clone(), book: book.clone(), door: door.clone(), clock: clock.clone(), keep };
    let children = vec![
        gossip::child(gossip.clone(), sessions),
        listener::child(net.clone(), config.clone(), gossip.clone(), peers.clone(), door.clone()),
        dialer::child(net, dialer::Parts { config, gossip, peers: peers.clone(), book: book.clone(), clock }),
        store::child(&store, shelf),
    ];
    P2p { peers, door, book, children }
}

/// The store hears of sessions, too.
fn telling(store: &store::StoreMailbox, routes: Routes) -> Routes {
    let (store, events) = (store.clone(), routes.events);
    let told = move |event: PeerEvent| {
        store.happened(&event);
        events(event);
    };
    Routes { events: Arc::new(told), ..routes }
}
