//! Its life: binds, accepts, and looks from outside whether it does.

use std::{io, sync::Arc};

use parking_lot::Mutex;
use supervision::{Actor, Address, ChildSpec, Context, Fault, Incarnation, MailboxLimits};
use tokio::time::{Instant, timeout};
use tracing::{error, info};
use wire::{HandshakeError, Listener as _, Net};

use super::{
    super::{Config, Peers, gossip::GossipMailbox},
    Door, NAME,
    entrance::Entrance,
    seats::Seats,
    toll::Toll,
};

const LIMITS: MailboxLimits = MailboxLimits { urgent: 1, normal: 8, bulk: 1 };
/// Failed looks at our own door, one after the other, that make a fault. One may be a moment's crowd.
const MAX_FAILED_PROBES: u32 = 2;

enum Message {
    Probe,
    /// What a look at our own door showed, and whose look it was.
    Probed(Incarnation, Result<(), String>),
    /// The socket accepts no more.
    Ended(io::Error),
}

impl supervision::Message for Message {
    fn name(&self) -> &'static str {
        match self {
            Self::Probe => "Probe",
            Self::Probed(..) => "Probed",
            Self::Ended(_) => "Ended",
        }
    }
}

/// The child for the tree. It stops before everybody who is no door.
pub fn child<N: Net>(net: N, config: Arc<Config>, gossip: GossipMailbox<N::Stream>, peers: Peers, door: Door) -> ChildSpec {
    let address = Address::new(NAME, LIMITS);
    let (seats, toll) = (Seats::new(config.max_per_ip), Arc::new(Mutex::new(Toll::new(config.stamp_bits))));
    let began = Instant::now();
    let factory = move |_| {
        let entrance =
            Entrance { config: config.clone(), peers: peers.clone(), gossip: gossip.clone(), seats: seats.clone(), toll: toll.clone(), began };
        let listener = Listener { net: net.clone(), entrance, door: door.clone(), is_looking: false, failed_probes: 0 };
        async move { Ok(listener) }
    };
    ChildSpec::new(NAME, address, factory).after(&[super::super::gossip::NAME]).stops_first()
}

struct Listener<N: Net> {
    net: N,
    entrance: Entrance<N>,
    door: Door,
    /// One look at a time.
    is_looking: bool,
    failed_probes: u32,
}

impl<N: Net> Actor for Listener<N> {
    type Message = Message;

    async fn started(&mut self, context: &mut Context<Message>) -> Result<(), Fault> {
        let config = &self.entrance.config;
        let wanted = self.door.address().unwrap_or(config.listen);
        let listener = self.net.listen(wanted).await.map_err(|error| Fault::new(format!("cannot listen on {wanted}: {error}")))?;
        let address = listener.local_address()?;
        self.door.opened(address);
        info!(%address, "listening for peers");
        let (entrance, own) = (self.entrance.clone(), context.address().clone());
        context.task("accept", async move {
            let error = entrance.run(listener).await;
            // There is room for this one and a look.
            let _ = own.try_send(Message::Ended(error));
        });
        context.every(config.self_dial, || Message::Probe).detach();
        Ok(())
    }

    async fn handle(&mut self, message: Message, context: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::Probe => self.probe(context),
            // It waited in the mailbox while its incarnation ended, and is about a door that is gone.
            Message::Probed(by, _) if by != context.incarnation() => {}
            Message::Probed(_, Ok(())) => self.found_open(),
            Message::Probed(_, Err(reason)) => return self.found_shut(&reason),
            Message::Ended(error) => return Err(self.stopped(&format!("its socket accepts no more: {error}"))),
        }
        Ok(())
    }
}

impl<N: Net> Listener<N> {
    fn probe(&mut self, context: &Context<Message>) {
        let (Some(address), false) = (self.door.own_address(), self.is_looking) else { return };
        self.is_looking = true;
        let (net, config) = (self.net.clone(), self.entrance.config.clone());
        let (own, by) = (context.address().clone(), context.incarnation());
        context.task("self-dial", async move {
            let outcome = look(net, address, &config).await;
            // There is room for one look at a time.
            let _ = own.try_send(Message::Probed(by, outcome));
        });
    }

    fn found_open(&mut self) {
        self.is_looking = false;
        self.failed_probes = 0;
        self.door.probed(true);
    }

    fn found_shut(&mut self, reason: &str) -> Result<(), Fault> {
        self.is_looking = false;
        self.failed_probes += 1;
        self.door.probed(false);
        if self.failed_probes < MAX_FAILED_PROBES {
            return Ok(());
        }
        Err(self.stopped(&format!("this node does not reach its own door: {reason}")))
    }

    fn stopped(&self, reason: &str) -> Fault {
        self.door.probed(false);
        error!(reason, "P2P server stopped unexpectedly");
        Fault::new(reason)
    }
}

impl<N: Net> Drop for Listener<N> {
    fn drop(&mut self) {
        self.door.closed();
    }
}

/// Dials ourselves. The door is open if whoever answers turns out to be us.
async fn look<N: Net>(net: N, address: std::net::SocketAddr, config: &Config) -> Result<(), String> {
    let host = address.ip().to_string();
    let stream = timeout(config.connect, net.connect(&host, address.port())).await.map_err(|_| "no connection in time".to_owned())?;
    let stream = stream.map_err(|error| error.to_string())?;
    match wire::dial(stream, &config.identity, None, &config.limits).await {
        Err(HandshakeError::SelfConnection { .. }) => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(connection) => Err(format!("node {} answers at our address {address}", connection.peer)),
    }
}
