//! Its life: looks who is missing, and dials.

use std::{sync::Arc, time::Duration};

use primitives::{Clock, NodeId, PeerAddress};
use rand::{Rng, SeedableRng, rngs::StdRng};
use supervision::{Actor, Address, ChildSpec, Context, Fault, Incarnation, MailboxLimits};
use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};
use wire::{HandshakeError, Net, Role};

use super::{
    super::{
        Config, Peer, PeerBook, Peers,
        book::{Candidate, MAX_ADDED, Range},
        gossip::{GossipMailbox, Opened, Origin, Refused},
        stages::Stage,
    },
    NAME,
    found::{Found, Session, Sight, Step},
    targets::Targets,
};

/// Time between two looks at who is missing.
const TICK: Duration = Duration::from_millis(50);

enum Message {
    Tick,
    /// How an attempt ended, and whose it was.
    Outcome(Incarnation, Goal, Result<NodeId, DialError>),
}

impl supervision::Message for Message {
    fn name(&self) -> &'static str {
        match self {
            Self::Tick => "Tick",
            Self::Outcome(..) => "Outcome",
        }
    }
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("no connection within {0:?}")]
    Late(Duration),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl DialError {
    /// The word for it in metrics.
    fn name(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Late(_) => "late",
            Self::Handshake(error) => error.name(),
            Self::Refused(_) => "refused",
        }
    }
}

/// What the dialer is made of.
pub(in super::super) struct Parts<S> {
    pub config: Arc<Config>,
    pub gossip: GossipMailbox<S>,
    pub peers: Peers,
    pub book: PeerBook,
    pub clock: Arc<dyn Clock>,
}

/// The child for the tree.
pub(in super::super) fn child<N: Net>(net: N, parts: Parts<N::Stream>) -> ChildSpec {
    let Parts { config, gossip, peers, book, clock } = parts;
    let capacity = 2 * (config.peers.len() + MAX_ADDED + config.max_outbound) + 8;
    let address = Address::new(NAME, MailboxLimits::each(capacity));
    let factory = move |incarnation: Incarnation| {
        let mut targets = Targets::new(config.peers.clone(), config.redial);
        book.added().into_iter().for_each(|added| targets.want(added));
        let max_found = if config.is_private { 0 } else { config.max_outbound };
        let found = Found::new(max_found, config.redial.stable);
        let random = StdRng::seed_from_u64(config.seed ^ incarnation.0);
        let attempt = Attempt { net: net.clone(), config: config.clone(), gossip: gossip.clone(), peers: peers.clone() };
        let dialer = Dialer { targets, found, random, book: book.clone(), clock: clock.clone(), attempt };
        async move { Ok(dialer) }
    };
    ChildSpec::new(NAME, address, factory).after(&[super::super::gossip::NAME])
}

struct Dialer<N: Net> {
    targets: Targets,
    found: Found,
    random: StdRng,
    book: PeerBook,
    clock: Arc<dyn Clock>,
    attempt: Attempt<N>,
}

impl<N: Net> Actor for Dialer<N> {
    type Message = Message;

    async fn started(&mut self, context: &mut Context<Message>) -> Result<(), Fault> {
        context.every(TICK, || Message::Tick).detach();
        self.tick(context);
        Ok(())
    }

    async fn handle(&mut self, message: Message, context: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::Tick => self.tick(context),
            Message::Outcome(by, goal, outcome) if by == context.incarnation() => self.note(goal, outcome),
            // It waited in the mailbox while its incarnation ended.
            Message::Outcome(..) => {}
        }
        Ok(())
    }
}

impl<N: Net> Dialer<N> {
    fn tick(&mut self, context: &Context<Message>) {
        self.book.take_wanted().into_iter().for_each(|wanted| self.targets.want(wanted));
        self.dial_targets(context);
        if self.found.is_due(self.clock.monotonic()) {
            self.look_into_book(context);
        }
    }

    fn dial_targets(&mut self, context: &Context<Message>) {
        let now = self.clock.monotonic();
        let (peers, random) = (&self.attempt.peers, &mut self.random);
        // Whoever is banned is left alone like one that is connected, and dialled again when the ban is over.
        let is_left_alone = |node: &NodeId| peers.is_connected(node) || peers.conduct().is_kept_out(node, true);
        for (index, address) in self.targets.due(now, is_left_alone, || random.random()) {
            self.dial(Goal::Target(index), address, context);
        }
    }

    fn look_into_book(&mut self, context: &Context<Message>) {
        let (peers, targets, now_ms) = (&self.attempt.peers, &self.targets, self.clock.unix_ms());
        let is_taken = |node: &NodeId| peers.is_connected(node) || peers.conduct().is_kept_out(node, false) || targets.has(node);
        let live = peers.list();
        let found = live.iter().filter(|peer| peer.role() == Role::Dialler && !targets.has(&peer.node()));
        let sessions = found.map(session_of).collect();
        let sight = Sight { now: self.clock.monotonic(), now_ms, sessions, is_taken: &is_taken, is_online: !live.is_empty() };
        let steps = self.book.with(|book| self.found.look(book, &sight, &mut self.random));
        for step in steps {
            match step {
                Step::Dial(candidate) => self.dial(Goal::Found(candidate.node), address_of(&candidate), context),
                Step::Leave(node) => self.leave(&node),
            }
        }
    }

    fn leave(&self, node: &NodeId) {
        if let Some(peer) = self.attempt.peers.get(node) {
            info!(peer = %node, "makes room for somebody better");
            self.attempt.peers.metrics().eviction("rotation");
            peer.close();
        }
    }

    fn dial(&self, goal: Goal, address: PeerAddress, context: &Context<Message>) {
        let (attempt, own, by) = (self.attempt.clone(), context.address().clone(), context.incarnation());
        context.task("dial", async move {
            let outcome = attempt.run(goal, &address).await;
            attempt.peers.metrics().dial(outcome.as_ref().err().map_or("ok", DialError::name));
            if let Err(error) = &outcome {
                debug!(%address, %error, "peer not reached");
            }
            // There is room for one attempt of each peer.
            let _ = own.try_send(Message::Outcome(by, goal, outcome));
        });
    }

    fn note(&mut self, goal: Goal, outcome: Result<NodeId, DialError>) {
        let (now, now_ms) = (self.clock.monotonic(), self.clock.unix_ms());
        match (goal, outcome) {
            (Goal::Target(index), Ok(node)) => {
                self.targets.reached(index, node, now);
                self.book.with(|book| book.reached(&node, now_ms));
            }
            (Goal::Target(index), Err(DialError::Handshake(HandshakeError::SelfConnection { .. }))) => self.note_self(index),
            (Goal::Target(index), Err(error)) => self.note_failure(index, &error, now),
            (Goal::Found(node), outcome) => {
                self.found.ended(&node);
                let (is_online, jitter) = (!self.attempt.peers.list().is_empty(), self.random.random());
                self.book.with(|book| match outcome {
                    Ok(node) => book.reached(&node, now_ms),
                    Err(_) => book.failed(&node, now_ms, jitter, is_online),
                });
            }
        }
    }

    fn note_self(&mut self, index: usize) {
        self.targets.is_us(index);
        let address = self.targets.address(index).map(ToString::to_string);
        info!(address, "a configured peer has this node's own key; not dialled any more");
    }

    fn note_failure(&mut self, index: usize, error: &DialError, now: Duration) {
        let jitter = self.random.random();
        let (failures, wait) = self.targets.failed(index, now, jitter);
        // Once for each time it is lost, not for each attempt.
        if failures == 1 {
            let address = self.targets.address(index).map(ToString::to_string);
            warn!(address, %error, ?wait, "a configured peer is not reached; dialling on");
        }
    }
}

fn session_of(peer: &Peer) -> Session {
    let range = peer.remote().map(|remote| Range::of(remote.ip()));
    Session { node: peer.node(), range, since: peer.since(), round_trip: peer.round_trip(), is_validator: peer.validator().is_some() }
}

fn address_of(candidate: &Candidate) -> PeerAddress {
    PeerAddress { node: Some(candidate.node), host: candidate.address.ip().to_string(), port: candidate.address.port() }
}

/// Whom an attempt is for.
#[derive(Clone, Copy, Debug)]
enum Goal {
    /// A configured peer, or one that the operator added.
    Target(usize),
    /// Somebody from the book.
    Found(NodeId),
}

/// All that one attempt needs.
struct Attempt<N: Net> {
    net: N,
    config: Arc<Config>,
    gossip: GossipMailbox<N::Stream>,
    peers: Peers,
}

impl<N: Net> Clone for Attempt<N> {
    fn clone(&self) -> Self {
        Self { net: self.net.clone(), config: self.config.clone(), gossip: self.gossip.clone(), peers: self.peers.clone() }
    }
}

impl<N: Net> Attempt<N> {
    /// When this returns a node, there is a session with it.
    async fn run(&self, goal: Goal, address: &PeerAddress) -> Result<NodeId, DialError> {
        // Whoever is configured is kept out by a person only.
        if address.node.is_some_and(|node| self.peers.conduct().is_kept_out(&node, matches!(goal, Goal::Target(_)))) {
            return Err(Refused::Banned.into());
        }
        let limit = self.config.connect;
        let connecting = self.net.connect(&address.host, address.port);
        let stream = timeout(limit, connecting).await.map_err(|_| DialError::Late(limit))??;
        let remote = self.net.remote(&stream);
        let began = Instant::now();
        let staying = self.peers.stages().enter(Role::Dialler, Stage::Handshake);
        let outcome = wire::dial(stream, &self.config.identity, address.node, &self.config.limits).await;
        drop(staying);
        self.peers.metrics().handshake("outbound", began.elapsed(), &outcome);
        let connection = outcome?;
        let node = connection.peer;
        let origin = match goal {
            Goal::Target(index) => Origin::Dial(index),
            Goal::Found(_) => Origin::Found,
        };
        match self.gossip.open(Opened { connection, origin, remote }).await {
            Ok(()) | Err(Refused::Duplicate) => Ok(node),
            Err(refused) => Err(refused.into()),
        }
    }
}
