//! Its life: connections come in, sessions go out.

use std::{sync::Arc, time::Duration};

use primitives::{Clock, NodeId};
use supervision::{Actor, ChildSpec, Children, Context, Fault, answer};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{debug, info};
use wire::{
    Connection, Role,
    message::{Farewell, Goodbye},
};

use super::{
    super::{Config, Peer, PeerEvent, Peers, Routes, SessionKey, peer::Link, session},
    GossipMailbox, NAME, Opened, Origin, Refused,
    duplicates::{Present, Verdict, judge},
    mailbox::Message,
};

/// Time between two comparisons of directory and sessions.
const SWEEP: Duration = Duration::from_secs(1);

/// The child for the tree.
pub fn child<S>(mailbox: GossipMailbox<S>, config: Arc<Config>, peers: Peers, routes: Routes, clock: Arc<dyn Clock>) -> ChildSpec
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let address = mailbox.0.clone();
    ChildSpec::new(NAME, address, move |_| {
        let gossip = Gossip {
            mailbox: mailbox.clone(),
            config: config.clone(),
            peers: peers.clone(),
            routes: routes.clone(),
            clock: clock.clone(),
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
    clock: Arc<dyn Clock>,
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
        self.sessions = Some(context.children(self.config.max_sessions));
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
        let present = self.peers.get(&node);
        if let Some(present) = &present {
            match self.judge(present, node, role) {
                Verdict::Refuse => return self.turn_away(opened.connection, Farewell::Duplicate, Refused::Duplicate, context),
                Verdict::Replace => self.dismiss(present, &sessions),
            }
        }
        let limit = self.config.max_sessions;
        if limit <= sessions.len() {
            return self.turn_away(opened.connection, Farewell::TooMany, Refused::TooMany { limit }, context);
        }
        self.spawn(opened, &sessions)
    }

    fn judge(&self, present: &Peer, node: NodeId, newcomer: Role) -> Verdict {
        let is_silent = 2 * self.config.ping < present.silent_for(self.clock.monotonic());
        judge(self.config.identity.node(), node, Present { role: present.role(), is_silent }, newcomer)
    }

    fn spawn(&mut self, opened: Opened<S>, sessions: &Children<SessionKey>) -> Result<(), Refused> {
        let Opened { connection, origin, remote } = opened;
        let seat = if let Origin::Door(seat) = origin { Some(seat) } else { None };
        let key = SessionKey { node: connection.peer, number: self.peers.next_number() };
        let (role, codec) = (connection.role, connection.codec);
        let link = Link { role, remote, outbound: connection.outbound.clone() };
        let peer = Peer::new(key, link, self.peers.metrics().clone(), self.clock.monotonic());
        let parts = session::Parts {
            connection,
            seat,
            peer: peer.clone(),
            peers: self.peers.clone(),
            routes: self.routes.clone(),
            config: self.config.clone(),
            clock: self.clock.clone(),
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
    fn turn_away(&self, connection: Connection<S>, why: Farewell, refused: Refused, context: &Context<Message<S>>) -> Result<(), Refused> {
        debug!(peer = %connection.peer, %refused, "connection turned away");
        if let Ok(goodbye) = self.peers.encode(wire::Message::Goodbye(Goodbye { reason: why })) {
            // A link that has just opened has room, unless it is broken already.
            let _ = connection.outbound.try_send(&goodbye);
        }
        connection.outbound.close();
        context.task("farewell", async move {
            // The writer has its own time limits, and nobody is left to hear of its failure.
            let _ = connection.writer.run().await;
        });
        Err(refused)
    }

    fn dismiss(&self, present: &Peer, sessions: &Children<SessionKey>) {
        if let Ok(goodbye) = self.peers.encode(wire::Message::Goodbye(Goodbye { reason: Farewell::Duplicate })) {
            // It may be broken; that is often why it is replaced.
            let _ = present.send(&goodbye);
        }
        present.close();
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
