//! Its life: begins with an open link, ends with it.

use std::{sync::Arc, time::Duration};

use primitives::Clock;
use supervision::{Actor, Address, ChildSpec, Context, Fault, Lane, MailboxLimits};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
};
use tracing::info;
use wire::{
    Connection, WriteError,
    message::{Farewell, Goodbye, Ping, Pong},
};

use super::{
    super::{
        Config, Offence, Peer, PeerEvent, Peers, Routes,
        listener::Seat,
        stages::{Stage, Staying},
        store::StoreMailbox,
    },
    class::Meters,
    liveness::{Liveness, Pace, Verdict},
    quota::Quotas,
    reader::{End, Reader},
};

const LIMITS: MailboxLimits = MailboxLimits { urgent: 4, normal: 64, bulk: 1 };
/// How long a goodbye may take to leave.
const FAREWELL_LIMIT: Duration = Duration::from_secs(2);
const STOP_LIMIT: Duration = Duration::from_secs(4);

pub(super) enum Message {
    Tick,
    Pong(Pong),
    Ended(End),
}

impl supervision::Message for Message {
    fn name(&self) -> &'static str {
        match self {
            Self::Tick => "Tick",
            Self::Pong(_) => "Pong",
            Self::Ended(_) => "Ended",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Ended(_) => Lane::Urgent,
            Self::Tick | Self::Pong(_) => Lane::Normal,
        }
    }
}

/// What a session is made of.
pub(in super::super) struct Parts<S> {
    pub connection: Connection<S>,
    /// Held as long as the session lives.
    pub seat: Option<Seat>,
    pub peer: Peer,
    pub peers: Peers,
    pub routes: Routes,
    pub store: StoreMailbox,
    pub config: Arc<Config>,
    pub clock: Arc<dyn Clock>,
    pub quotas: Quotas,
}

/// The dynamic child of one connection.
pub(in super::super) fn child<S>(parts: Parts<S>) -> ChildSpec
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let address = Address::new("session", LIMITS);
    ChildSpec::once("session", address, move |_| async move { Ok(Session::new(parts)) }).stop_limit(STOP_LIMIT)
}

struct Session<S> {
    /// Taken when the session starts.
    connection: Option<Connection<S>>,
    /// Resolves when the writer has ended.
    written: Option<oneshot::Receiver<()>>,
    liveness: Liveness,
    peer: Peer,
    peers: Peers,
    routes: Routes,
    store: StoreMailbox,
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    quotas: Quotas,
    /// From its last words on.
    draining: Option<Staying>,
    _seat: Option<Seat>,
}

impl<S> Actor for Session<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Message = Message;

    async fn started(&mut self, context: &mut Context<Message>) -> Result<(), Fault> {
        let connection = self.connection.take().ok_or_else(|| Fault::new("this session was started before"))?;
        self.run(connection, context);
        if let Some(proof) = self.peers.proof() {
            // A link that has no room for its first word is closed by this, and its writer tells.
            let _ = self.peer.send(&proof);
        }
        context.every(self.config.ping, || Message::Tick).detach();
        self.ping();
        Ok(())
    }

    async fn handle(&mut self, message: Message, context: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::Tick => self.tick(context).await,
            Message::Pong(pong) => self.pong(pong),
            Message::Ended(end) => self.end(&end, context).await,
        }
        Ok(())
    }

    async fn stopping(&mut self, _: &mut Context<Message>) {
        self.say_goodbye(Some(Farewell::Stopping)).await;
    }
}

impl<S> Session<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn new(parts: Parts<S>) -> Self {
        let Parts { connection, seat, peer, peers, routes, store, config, clock, quotas } = parts;
        Self {
            connection: Some(connection),
            written: None,
            liveness: Liveness::default(),
            peer,
            peers,
            routes,
            store,
            config,
            clock,
            quotas,
            draining: None,
            _seat: seat,
        }
    }

    fn run(&mut self, connection: Connection<S>, context: &Context<Message>) {
        let Connection { inbound, writer, .. } = connection;
        let reader = Reader {
            inbound,
            peer: self.peer.clone(),
            peers: self.peers.clone(),
            routes: self.routes.clone(),
            store: self.store.clone(),
            session: context.address().clone(),
            config: self.config.clone(),
            clock: self.clock.clone(),
            quota: self.quotas.session(),
            meters: Meters::new(self.peers.has_seat(&self.peer)),
        };
        context.task("read", reader.run());
        let (done, written) = oneshot::channel();
        self.written = Some(written);
        let session = context.address().clone();
        context.task("write", async move {
            let end = match writer.run().await {
                Ok(()) => End::Link("closed by us".to_owned()),
                Err(WriteError::Stalled { limit }) => End::Slow(limit),
                Err(error) => End::Link(error.to_string()),
            };
            drop(done);
            // The lane of this message has room for reader and writer.
            let _ = session.try_send(Message::Ended(end));
        });
    }

    async fn tick(&mut self, context: &mut Context<Message>) {
        if !self.ping() {
            self.end(&End::Silent, context).await;
        }
    }

    /// A validator has to know at once that another one is gone; a link to anybody else is only kept open.
    fn pace(&self) -> Pace {
        let config = &self.config;
        match self.peers.is_between_validators(&self.peer) {
            true => Pace { every: config.ping, misses: config.misses },
            false => Pace { every: config.keepalive.max(config.ping), misses: config.keepalive_misses },
        }
    }

    /// Sends a ping if it is time; false if the peer is gone.
    fn ping(&mut self) -> bool {
        let sent_ms = self.clock.unix_ms();
        let nonce = match self.liveness.tick(self.pace(), self.clock.monotonic(), sent_ms) {
            Verdict::Ping(nonce) => nonce,
            Verdict::Wait => return true,
            Verdict::Dead => return false,
        };
        if let Ok(ping) = self.peers.encode(wire::Message::Ping(Ping { nonce, sent_ms })) {
            // Without room the link is closed, and the writer tells.
            let _ = self.peer.send(&ping);
        }
        true
    }

    fn pong(&mut self, pong: Pong) {
        if let Some(measured) = self.liveness.pong(pong.nonce, pong.received_ms, self.clock.monotonic()) {
            self.peer.measured(measured.round_trip, measured.clock_offset_ms);
            (self.routes.events)(PeerEvent::Measured(self.peer.clone()));
        }
    }

    async fn end(&mut self, end: &End, context: &mut Context<Message>) {
        if let End::Slow(limit) = end {
            self.peers.offence(&self.peer.node(), Offence::Slow, format!("it took nothing for {limit:?}"));
        }
        match self.peer.left_for() {
            Some(offence) => info!(peer = %self.peer.node(), reason = %end, offence, "session ends"),
            None => info!(peer = %self.peer.node(), reason = %end, "session ends"),
        }
        self.say_goodbye(end.farewell()).await;
        context.done();
    }

    /// Closes the link, after a last word if there is one, and waits until it is closed.
    async fn say_goodbye(&mut self, why: Option<Farewell>) {
        self.draining = Some(self.peers.stages().enter(self.peer.role(), Stage::Draining));
        if let Some(reason) = why
            && let Ok(goodbye) = self.peers.encode(wire::Message::Goodbye(Goodbye { reason }))
        {
            // Whoever broke the link does not hear it.
            let _ = self.peer.send(&goodbye);
        }
        self.peer.close();
        if let Some(written) = self.written.take() {
            // Late or not: what follows drops the link.
            let _ = tokio::time::timeout(FAREWELL_LIMIT, written).await;
        }
    }
}
