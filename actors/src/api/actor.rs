//! The life of the API: a server in a task, on a socket that outlives it.

use std::{net::TcpListener, sync::Arc, time::Duration};

use supervision::{ChildSpec, Context, Fault, Incarnation, MailboxLimits};
use tokio::sync::oneshot;
use tracing::info;

use super::Backend;

/// How long the tasks of a stopping server may take beyond its own drain limit.
const STOP_MARGIN: Duration = Duration::from_secs(2);

pub(super) enum Message {
    Ended,
}

impl supervision::Message for Message {
    fn name(&self) -> &'static str {
        "Ended"
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
}

struct Server {
    stop: oneshot::Sender<()>,
    drained: oneshot::Receiver<api::Drained>,
}

/// The child of the tree: a door, so it stops first.
pub fn child(mailbox: &ApiMailbox, parts: Parts) -> ChildSpec {
    ChildSpec::new("api", mailbox.0.clone(), move |_: Incarnation| {
        let parts = parts.clone();
        async move { Ok(Api { parts, running: None }) }
    })
    .stops_first()
}

impl supervision::Actor for Api {
    type Message = Message;

    async fn started(&mut self, context: &mut Context<Message>) -> Result<(), Fault> {
        let listener = self.parts.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        info!(address = %listener.local_addr()?, "api listens");
        let (stop, stopped) = oneshot::channel::<()>();
        let (drained, receiver) = oneshot::channel();
        let (backend, config, address) = (self.parts.backend.clone(), self.parts.config.clone(), context.address().clone());
        context.task("serve", async move {
            let ended = api::serve(listener, backend, config, async move { drop(stopped.await) }).await;
            // Nobody waits for it unless the actor stops in order.
            let _ = drained.send(ended);
            let _ = address.try_send(Message::Ended);
        });
        self.running = Some(Server { stop, drained: receiver });
        Ok(())
    }

    async fn handle(&mut self, message: Message, _: &mut Context<Message>) -> Result<(), Fault> {
        match message {
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
