//! One WebSocket whose news are passed over.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use soketto::{
    Incoming, Receiver, Sender,
    handshake::{Client, ServerResponse},
};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::Reply;

/// Messages after which another connection is made, so that subscriptions do not pile up for ever.
const MESSAGES_OF_A_LIFE: u32 = 300;
/// A call that is answered at once, sent behind what is not answered at all.
const BEHIND: &str = r#"{"jsonrpc":"2.0","id":"behind","method":"web3_clientVersion"}"#;

/// A WebSocket, opened when it is needed.
pub struct SocketLine {
    port: u16,
    open: Option<Open>,
}

struct Open {
    sender: Sender<Compat<TcpStream>>,
    receiver: Receiver<Compat<TcpStream>>,
    messages: u32,
}

impl SocketLine {
    pub fn to(port: u16) -> Self {
        Self { port, open: None }
    }

    /// What `message` is answered with; an empty body when it is a notification.
    pub async fn ask(&mut self, message: &str, is_silent: bool) -> Result<Reply> {
        let mut open = match self.open.take().filter(|open| open.messages < MESSAGES_OF_A_LIFE) {
            Some(open) => open,
            None => Open::new(self.port).await?,
        };
        open.messages += 1;
        open.say(message).await?;
        if is_silent {
            open.say(BEHIND).await?;
        }
        let body = open.answer().await?;
        self.open = Some(open);
        let is_behind = is_silent && serde_json::from_slice::<Value>(&body).is_ok_and(|answer| answer["id"] == "behind");
        Ok(if is_behind { Reply { status: 204, body: Vec::new() } } else { Reply { status: 200, body } })
    }

    /// Begins anew with the next message.
    pub fn close(&mut self) {
        self.open = None;
    }
}

impl Open {
    async fn new(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let mut client = Client::new(stream.compat(), "127.0.0.1", "/");
        match client.handshake().await? {
            ServerResponse::Accepted { .. } => {}
            other => bail!("no WebSocket: {other:?}"),
        }
        let (sender, receiver) = client.into_builder().finish();
        Ok(Self { sender, receiver, messages: 0 })
    }

    async fn say(&mut self, message: &str) -> Result<()> {
        self.sender.send_text(message).await.context("send")?;
        self.sender.flush().await.context("flush")
    }

    /// The next message that is no news.
    async fn answer(&mut self) -> Result<Vec<u8>> {
        loop {
            let mut data = Vec::new();
            match self.receiver.receive(&mut data).await.context("receive")? {
                Incoming::Data(_) if is_news(&data) => {}
                Incoming::Data(_) => return Ok(data),
                Incoming::Pong(_) => {}
                Incoming::Closed(reason) => bail!("closed: {reason:?}"),
            }
        }
    }
}

fn is_news(data: &[u8]) -> bool {
    serde_json::from_slice::<Value>(data).is_ok_and(|message| message["method"] == "eth_subscription")
}
