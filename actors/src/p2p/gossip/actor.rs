//! Its life: connections come in, sessions go out.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use primitives::{Clock, NodeId};
use supervision::{Actor, ChildSpec, Children, Context, Fault, answer};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{debug, info};
use wire::{
    Role,
    message::{Farewell, Goodbye},
};

use super::{
    super::{Config, Peer, PeerEvent, Peers, Routes, SessionKey, peer::Link, session, session::Quotas, store::StoreMailbox},
    GossipMailbox, NAME, Opened, Origin, Refused,
    duplicates::{Present, Verdict, judge},
    mailbox::Message,
    seating::{Configured, Guest, Room, room},
};

/// Time between two comparisons of directory and sessions.
const SWEEP: Duration = Duration::from_secs(1);
/// Time that a newcomer has to prove which validator it speaks for. Its proof is the first thing it says.
const PROBATION: Duration = Duration::from_secs(1);
/// Sessions that say goodbye at a time, beyond which no stranger comes in.
const MAX_LEAVING: usize = 64;

/// What gossip is made of.
#[derive(Clone)]
pub(in super::super) struct Parts {
    pub config: Arc<Config>,
    pub peers: Peers,
    pub routes: Routes,
    pub store: StoreMailbox,
    pub clock: Arc<dyn Clock>,
}

/// The child for the tree.
pub(in super::super) fn child<S>(mailbox: GossipMailbox<S>, parts: Parts) -> ChildSpec
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let address = mailbox.0.clone();
    ChildSpec::new(NAME, address, move |_| {
        let Parts { config, peers, routes, store, clock } = parts.clone();
        let gossip = Gossip {
            mailbox: mailbox.clone(),
            peers,
            routes,
            store,
            clock,
            configured: Configured::new(&config.peers),
            quotas: Quotas::new(config.validator_count()),
            config,
            sessions: None,
        };
        async move { Ok(gossip) }
    })
}

struct Gossip<S> {
    mailbox: GossipMailbox<S>,
    config: Arc<Config>,
    peers: Peers,
    routes: Routes,
    store: StoreMailbox,
    clock: Arc<dyn Clock>,
    configured: Configured,
    quotas: Quotas,
    sessions: Option<Children<SessionKey>>,
}

impl<S> Actor for Gossip<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Message = Message<S>;

    async fn started(&mut self, context: &mut Context<Message<S>>) -> Result<(), Fault> {
        // The sessions of an earlier life ended with it.
        for peer in self.peers.list() {
            self.forget(&peer.key());
        }
        // Twice, because a seat that is kept is never refused for those who leave.
        self.sessions = Some(context.children(self.config.max_sessions() + 2 * MAX_LEAVING));
        context.every(SWEEP, || Message::Sweep).detach();
        Ok(())
    }

    async fn handle(&mut self, message: Message<S>, context: &mut Context<Message<S>>) -> Result<(), Fault> {
        match message {
            Message::Open(opened, reply) => answer(reply, self.open(*opened, context)),
            Message::Ended(key, reason) => self.ended(&key, &reason),
            Message::Sweep => self.sweep(),
        }
        Ok(())
    }
}

impl<S> Gossip<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn open(&mut self, opened: Opened<S>, context: &Context<Message<S>>) -> Result<(), Refused> {
        let Some(sessions) = self.sessions.clone() else { return Err(Refused::Stopping) };
        let (node, role) = (opened.connection.peer, opened.connection.role);
        if let Origin::Dial(index) = opened.origin {
            self.configured.found(index, node);
            self.peers.exempt().reached(index, node);
        }
        let is_configured = self.configured.has(&node);
        if self.peers.conduct().is_kept_out(&node, is_configured) {
            return self.turn_away(opened, Farewell::Banned, Refused::Banned, context);
        }
        // Whom we dialled we wanted; how many there are of those is for the dialer to limit.
        let is_wanted = is_configured || role == Role::Dialler;
        if !is_wanted && MAX_LEAVING <= self.leaving(&sessions) {
            return self.turn_away(opened, Farewell::TooMany, self.too_many(), context);
        }
        let present = self.peers.get(&node);
        if let Some(present) = &present {
            if is_configured {
                present.configure();
            }
            match self.judge(present, node, role) {
                Verdict::Refuse => return self.turn_away(opened, Farewell::Duplicate, Refused::Duplicate, context),
                Verdict::Replace => self.dismiss(present, Farewell::Duplicate, &sessions),
            }
        }
        if !is_wanted && !self.make_room(opened.remote, &sessions) {
            return self.turn_away(opened, Farewell::TooMany, self.too_many(), context);
        }
        self.spawn(opened, &sessions)
    }

    /// Sessions that are over for everybody else and still say goodbye.
    fn leaving(&self, sessions: &Children<SessionKey>) -> usize {
        sessions.len().saturating_sub(self.peers.list().len())
    }

    fn too_many(&self) -> Refused {
        Refused::TooMany { limit: self.config.max_strangers }
    }

    /// Whether there is now a seat for a stranger.
    fn make_room(&self, newcomer: Option<SocketAddr>, sessions: &Children<SessionKey>) -> bool {
        let guests: Vec<Guest> = self.peers.list().iter().map(|peer| self.guest(peer)).collect();
        match room(&guests, newcomer.map(|remote| remote.ip()), self.config.max_strangers) {
            Room::Free => true,
            Room::After(key) => {
                self.evict(&key, sessions);
                true
            }
            Room::Never => false,
        }
    }

    fn guest(&self, peer: &Peer) -> Guest {
        Guest {
            key: peer.key(),
            ip: peer.remote().map(|remote| remote.ip()),
            is_new: self.clock.monotonic() < peer.since() + PROBATION,
            is_configured: self.configured.has(&peer.node()) || peer.role() == Role::Dialler,
            // Without a set, anybody could prove to be one of as many as they like.
            validator: peer.validator().filter(|_| self.config.validators.is_some()),
        }
    }

    fn evict(&self, key: &SessionKey, sessions: &Children<SessionKey>) {
        if let Some(peer) = self.peers.get(&key.node) {
            debug!(session = %key, "a stranger makes room for another");
            self.peers.metrics().eviction("room");
            self.dismiss(&peer, Farewell::TooMany, sessions);
        }
    }

    fn judge(&self, present: &Peer, node: NodeId, newcomer: Role) -> Verdict {
        let ping = if self.peers.is_between_validators(present) { self.config.ping } else { self.config.keepalive };
        let is_silent = 2 * ping < present.silent_for(self.clock.monotonic());
        judge(self.config.identity.node(), node, Present { role: present.role(), is_silent }, newcomer)
    }

    fn spawn(&mut self, opened: Opened<S>, sessions: &Children<SessionKey>) -> Result<(), Refused> {
        let Opened { connection, origin, remote } = opened;
        let seat = if let Origin::Door(seat) = origin { Some(seat) } else { None };
        let key = SessionKey { node: connection.peer, number: self.peers.next_number() };
        let (role, codec) = (connection.role, connection.codec);
        let link = Link { role, remote, outbound: connection.outbound.clone() };
        let peer = Peer::new(key, link, self.peers.metrics().clone(), self.peers.tap().clone(), self.clock.monotonic());
        if self.configured.has(&key.node) {
            peer.configure();
        }
        let parts = session::Parts {
            connection,
            seat,
            peer: peer.clone(),
            peers: self.peers.clone(),
            routes: self.routes.clone(),
            store: self.store.clone(),
            config: self.config.clone(),
            clock: self.clock.clone(),
            quotas: self.quotas.clone(),
        };
        let gossip = self.mailbox.0.clone();
        let spec = session::child(parts).when_ended(move |reason| {
            // A full mailbox is no harm: the sweep finds it.
            let _ = gossip.try_send(Message::Ended(key, reason.to_string()));
        });
        // In the directory first: the session may end before this function does.
        self.peers.insert(peer.clone());
        if let Err(error) = sessions.spawn(key, spec) {
            debug!(session = %key, %error, "no session");
            self.peers.remove(&key);
            return Err(Refused::Stopping);
        }
        info!(peer = %key.node, session = key.number, direction = role.direction(), %codec, "peer connected");
        (self.routes.events)(PeerEvent::Up(peer));
        Ok(())
    }

    /// Lets a connection go with a word why.
    fn turn_away(&self, opened: Opened<S>, why: Farewell, refused: Refused, context: &Context<Message<S>>) -> Result<(), Refused> {
        let Opened { connection, origin, .. } = opened;
        debug!(peer = %connection.peer, %refused, "connection turned away");
        if let Ok(goodbye) = self.peers.encode(wire::Message::Goodbye(Goodbye { reason: why })) {
            // A link that has just opened has room, unless it is broken already.
            let _ = connection.outbound.try_send(&goodbye);
        }
        connection.outbound.close();
        context.task("farewell", async move {
            // The writer has its own time limits, and nobody is left to hear of its failure.
            let _ = connection.writer.run().await;
            // Until then it takes its place among those of its IP address.
            drop(origin);
        });
        Err(refused)
    }

    fn dismiss(&self, present: &Peer, reason: Farewell, sessions: &Children<SessionKey>) {
        self.peers.part(present, reason);
        sessions.stop(&present.key());
        self.forget(&present.key());
    }

    fn ended(&self, key: &SessionKey, reason: &str) {
        if self.forget(key) {
            info!(peer = %key.node, session = key.number, reason, "peer disconnected");
        }
    }

    fn forget(&self, key: &SessionKey) -> bool {
        let was_current = self.peers.remove(key);
        if was_current {
            (self.routes.events)(PeerEvent::Down(key.node));
        }
        was_current
    }

    fn sweep(&self) {
        let Some(sessions) = &self.sessions else { return };
        for peer in self.peers.list() {
            if !sessions.contains(&peer.key()) {
                self.ended(&peer.key(), "found gone");
            }
        }
    }
}
