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
        Config, Peers,
        gossip::{GossipMailbox, Opened, Origin, Refused},
        stages::Stage,
    },
    NAME,
    targets::Targets,
};

/// Time between two looks at who is missing.
const TICK: Duration = Duration::from_millis(50);

enum Message {
    Tick,
    /// How an attempt ended, and whose it was.
    Outcome(Incarnation, usize, Result<NodeId, DialError>),
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

/// The child for the tree.
pub fn child<N: Net>(net: N, config: Arc<Config>, gossip: GossipMailbox<N::Stream>, peers: Peers, clock: Arc<dyn Clock>) -> ChildSpec {
    let capacity = 2 * config.peers.len() + 8;
    let address = Address::new(NAME, MailboxLimits::each(capacity));
    let factory = move |incarnation: Incarnation| {
        let targets = Targets::new(config.peers.clone(), config.redial);
        let random = StdRng::seed_from_u64(config.seed ^ incarnation.0);
        let attempt = Attempt { net: net.clone(), config: config.clone(), gossip: gossip.clone(), peers: peers.clone() };
        let dialer = Dialer { targets, random, clock: clock.clone(), attempt };
        async move { Ok(dialer) }
    };
    ChildSpec::new(NAME, address, factory).after(&[super::super::gossip::NAME])
}

struct Dialer<N: Net> {
    targets: Targets,
    random: StdRng,
    clock: Arc<dyn Clock>,
    attempt: Attempt<N>,
}

impl<N: Net> Actor for Dialer<N> {
    type Message = Message;

    async fn started(&mut self, context: &mut Context<Message>) -> Result<(), Fault> {
        context.every(TICK, || Message::Tick).detach();
        self.dial(context);
        Ok(())
    }

    async fn handle(&mut self, message: Message, context: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::Tick => self.dial(context),
            Message::Outcome(by, index, outcome) if by == context.incarnation() => self.note(index, outcome),
            // It waited in the mailbox while its incarnation ended.
            Message::Outcome(..) => {}
        }
        Ok(())
    }
}

impl<N: Net> Dialer<N> {
    fn dial(&mut self, context: &Context<Message>) {
        let (now, peers, random) = (self.clock.monotonic(), &self.attempt.peers, &mut self.random);
        for (index, address) in self.targets.due(now, |node| peers.is_connected(node), || random.random()) {
            let (attempt, own, by) = (self.attempt.clone(), context.address().clone(), context.incarnation());
            context.task("dial", async move {
                let outcome = attempt.run(index, &address).await;
                attempt.peers.metrics().dial(outcome.as_ref().err().map_or("ok", DialError::name));
                if let Err(error) = &outcome {
                    debug!(%address, %error, "peer not reached");
                }
                // There is room for one attempt of each peer.
                let _ = own.try_send(Message::Outcome(by, index, outcome));
            });
        }
    }

    fn note(&mut self, index: usize, outcome: Result<NodeId, DialError>) {
        let now = self.clock.monotonic();
        match outcome {
            Ok(node) => self.targets.reached(index, node, now),
            Err(DialError::Handshake(HandshakeError::SelfConnection { .. })) => self.note_self(index),
            Err(error) => self.note_failure(index, &error, now),
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
    async fn run(&self, index: usize, address: &PeerAddress) -> Result<NodeId, DialError> {
        // Whoever is configured is kept out by a person only.
        if address.node.is_some_and(|node| self.peers.conduct().is_kept_out(&node, true)) {
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
        match self.gossip.open(Opened { connection, origin: Origin::Dial(index), remote }).await {
            Ok(()) | Err(Refused::Duplicate) => Ok(node),
            Err(refused) => Err(refused.into()),
        }
    }
}
