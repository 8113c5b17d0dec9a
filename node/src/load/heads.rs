//! New blocks as a node announces them (`newHeads`), each with the moment it was heard.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use primitives::U256;
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// How often a block is asked for when nobody announces it: latencies are exact to this.
const POLL_EVERY: Duration = Duration::from_millis(10);
/// One who announces blocks and has been silent for so long is asked nevertheless.
const SILENCE: Duration = Duration::from_millis(500);
/// How long a node may take to accept the subscription.
const SUBSCRIBE_LIMIT: Duration = Duration::from_secs(2);
/// Announcements that may wait; who announces more waits.
const MAX_UNREAD: usize = 1_024;

/// A block that was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub number: u64,
    pub at: Instant,
}

/// What one node announces; nothing when it has no WebSocket, or once that is closed.
#[derive(Debug)]
pub struct Heads {
    heard: Option<mpsc::Receiver<Head>>,
    /// Ends with this.
    _listener: JoinSet<()>,
}

impl Heads {
    /// Subscribes to the node at `authority`, on the port of its HTTP face.
    pub async fn of(authority: &str) -> Self {
        let mut listener = JoinSet::new();
        let subscribed = timeout(SUBSCRIBE_LIMIT, subscribe(authority)).await.ok().flatten();
        let heard = subscribed.map(|socket| {
            let (tell, heard) = mpsc::channel(MAX_UNREAD);
            listener.spawn(listen(socket, tell));
            heard
        });
        Self { heard, _listener: listener }
    }

    /// The next announcement; none when it is time to ask.
    pub async fn next(&mut self) -> Option<Head> {
        let Some(heard) = &mut self.heard else {
            sleep(POLL_EVERY).await;
            return None;
        };
        match timeout(SILENCE, heard.recv()).await {
            Ok(None) => {
                self.heard = None;
                None
            }
            Ok(head) => head,
            Err(_) => None,
        }
    }

    /// An announcement that is there already.
    pub fn ready(&mut self) -> Option<Head> {
        self.heard.as_mut()?.try_recv().ok()
    }
}

async fn subscribe(authority: &str) -> Option<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(authority).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (mut socket, _) = client_async(format!("ws://{authority}/"), stream).await.ok()?;
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"] });
    socket.send(Message::text(request.to_string())).await.ok()?;
    let answer = socket.next().await?.ok()?;
    let answer: Value = serde_json::from_str(answer.to_text().ok()?).ok()?;
    answer.get("result").is_some().then_some(socket)
}

/// Ends when the node closes, or nobody wants to know any more.
async fn listen(mut socket: WebSocketStream<TcpStream>, tell: mpsc::Sender<Head>) {
    while let Some(Ok(message)) = socket.next().await {
        let at = Instant::now();
        let Some(number) = message.to_text().ok().and_then(number) else { continue };
        if tell.send(Head { number, at }).await.is_err() {
            return;
        }
    }
}

/// Of the block that a notification announces.
fn number(notification: &str) -> Option<u64> {
    let notification: Value = serde_json::from_str(notification).ok()?;
    let number = notification.pointer("/params/result/number")?.as_str()?;
    u64::try_from(number.parse::<U256>().ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;

    #[test]
    fn only_a_notification_of_a_block_has_a_number() {
        assert_eq!(number(r#"{"method":"eth_subscription","params":{"result":{"number":"0x1f"}}}"#), Some(31));
        for other in ["", "{}", r#"{"params":{"result":{"number":31}}}"#, r#"{"params":{"result":"0x1f"}}"#] {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn announcements_come_until_the_node_closes_and_then_it_is_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let node = tokio::spawn(async move {
            let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
            assert!(socket.next().await.unwrap().unwrap().to_text().unwrap().contains("newHeads"));
            let says = [r#"{"id":1,"result":"0x1"}"#, r#"{"params":{"result":{"number":"0x7"}}}"#, r#"{"params":{"result":{"number":"0x8"}}}"#];
            for says in says {
                socket.send(Message::text(says)).await.unwrap();
            }
            socket.close(None).await.unwrap();
        });
        let mut heads = Heads::of(&authority).await;
        assert_eq!(heads.next().await.map(|head| head.number), Some(7));
        node.await.unwrap();
        assert_eq!(heads.next().await.map(|head| head.number), Some(8));
        assert_eq!((heads.next().await, heads.ready(), heads.heard.is_none()), (None, None, true));
    }

    #[tokio::test]
    async fn a_node_without_a_websocket_is_asked() {
        let mut heads = Heads::of("127.0.0.1:1").await;
        assert_eq!((heads.heard.is_none(), heads.next().await), (true, None));
    }
}
