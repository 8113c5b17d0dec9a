//! The life of the API: a server in a task, on a socket that outlives it.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use supervision::{ChildSpec, Context, Fault, Incarnation, MailboxLimits};
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::{
    Backend,
    looks::{LOOK_EVERY, LOOK_LIMIT, Look, Looks, look},
};

/// How long the tasks of a stopping server may take beyond its own drain limit.
const STOP_MARGIN: Duration = Duration::from_secs(2);

pub(super) enum Message {
    Look,
    /// What a look at our own door showed, and whose look it was.
    Looked(Incarnation, Look),
    Ended,
}

impl supervision::Message for Message {
    fn name(&self) -> &'static str {
        match self {
            Self::Look => "Look",
            Self::Looked(..) => "Looked",
            Self::Ended => "Ended",
        }
    }
}

/// The API, seen from the tree.
#[derive(Clone, Debug)]
pub struct ApiMailbox(supervision::Address<Message>);

impl ApiMailbox {
    pub fn new() -> Self {
        Self(supervision::Address::new("api", MailboxLimits::each(4)))
    }
}

impl Default for ApiMailbox {
    fn default() -> Self {
        Self::new()
    }
}

/// What the API is made of; handed to each incarnation.
#[derive(Clone)]
pub struct Parts {
    /// Bound before the tree starts; each incarnation serves on a copy of it.
    pub listener: Arc<TcpListener>,
    pub backend: Backend,
    pub config: api::Config,
}

struct Api {
    parts: Parts,
    running: Option<Server>,
    looks: Looks,
}

struct Server {
    address: SocketAddr,
    room: api::Room,
    stop: oneshot::Sender<()>,
    drained: oneshot::Receiver<api::Drained>,
}

/// The child of the tree: a door, so it stops first.
pub fn child(mailbox: &ApiMailbox, parts: Parts) -> ChildSpec {
    ChildSpec::new("api", mailbox.0.clone(), move |_: Incarnation| {
        let parts = parts.clone();
        async move { Ok(Api { parts, running: None, looks: Looks::default() }) }
    })
    .stops_first()
}

impl supervision::Actor for Api {
    type Message = Message;

    async fn started(&mut self, context: &mut Context<Message>) -> Result<(), Fault> {
        let listener = self.parts.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let own_address = listener.local_addr()?;
        info!(address = %own_address, "api listens");
        let (stop, stopped) = oneshot::channel::<()>();
        let (drained, receiver) = oneshot::channel();
        let (backend, config, address) = (self.parts.backend.clone(), self.parts.config.clone(), context.address().clone());
        let door = api::Door::new(listener, &config);
        let room = door.room();
        context.task("serve", async move {
            let ended = api::serve(door, backend, config, async move { drop(stopped.await) }).await;
            // Nobody waits for it unless the actor stops in order.
            let _ = drained.send(ended);
            let _ = address.try_send(Message::Ended);
        });
        self.running = Some(Server { address: own_address, room, stop, drained: receiver });
        context.every(LOOK_EVERY, || Message::Look).detach();
        Ok(())
    }

    async fn handle(&mut self, message: Message, context: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::Look => self.look(context),
            // It waited in the mailbox while its incarnation ended, and is about a server that is gone.
            Message::Looked(by, _) if by != context.incarnation() => Ok(()),
            Message::Looked(_, look) => self.looked(&look),
            Message::Ended => Err(Fault::new("the server ended by itself")),
        }
    }

    async fn stopping(&mut self, _: &mut Context<Message>) {
        let Some(server) = self.running.take() else { return };
        let _ = server.stop.send(());
        let limit = self.parts.config.drain_limit + STOP_MARGIN;
        if let Ok(Ok(drained)) = tokio::time::timeout(limit, server.drained).await {
            info!(finished = drained.finished, cut = drained.cut, "api closed");
        }
    }
}

impl Api {
    fn look(&mut self, context: &Context<Message>) -> Result<(), Fault> {
        let Some(Server { address, room, .. }) = self.running.as_ref() else { return Ok(()) };
        if self.looks.begin() {
            let (at, room, own, by) = (*address, room.clone(), context.address().clone(), context.incarnation());
            context.task("look", async move {
                let look = look(at, LOOK_LIMIT).await;
                let look = if room.is_full() && matches!(look, Look::Silent(_)) { Look::Crowded } else { look };
                // There is room for one look at a time.
                let _ = own.try_send(Message::Looked(by, look));
            });
        }
        Ok(())
    }

    fn looked(&mut self, look: &Look) -> Result<(), Fault> {
        if *look != Look::Answered {
            warn!(?look, "api did not answer itself");
        }
        self.looks.ended(look)
    }
}
