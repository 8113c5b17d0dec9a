//! New blocks as a node announces them (`newHeads`), each with the moment it was heard.

use std::time::{Duration, Instant};

use primitives::U256;
use serde_json::{Value, json};
use soketto::handshake::{Client, ServerResponse};
use tokio::{
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

type Notifications = soketto::Receiver<Compat<TcpStream>>;

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
        let heard = subscribed.map(|notifications| {
            let (tell, heard) = mpsc::channel(MAX_UNREAD);
            listener.spawn(listen(notifications, tell));
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

async fn subscribe(authority: &str) -> Option<Notifications> {
    let stream = TcpStream::connect(authority).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let mut client = Client::new(stream.compat(), authority, "/");
    let ServerResponse::Accepted { .. } = client.handshake().await.ok()? else { return None };
    let (mut sender, mut notifications) = client.into_builder().finish();
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"] });
    sender.send_text(request.to_string()).await.ok()?;
    sender.flush().await.ok()?;
    let mut answer = Vec::new();
    notifications.receive_data(&mut answer).await.ok()?;
    let answer: Value = serde_json::from_slice(&answer).ok()?;
    answer.get("result").is_some().then_some(notifications)
}

/// Ends when the node closes, or nobody wants to know any more.
async fn listen(mut notifications: Notifications, tell: mpsc::Sender<Head>) {
    let mut message = Vec::new();
    while notifications.receive_data(&mut message).await.is_ok() {
        let at = Instant::now();
        let number = number(&message);
        message.clear();
        let Some(number) = number else { continue };
        if tell.send(Head { number, at }).await.is_err() {
            return;
        }
    }
}

/// Of the block that a notification announces.
fn number(notification: &[u8]) -> Option<u64> {
    let notification: Value = serde_json::from_slice(notification).ok()?;
    let number = notification.pointer("/params/result/number")?.as_str()?;
    u64::try_from(number.parse::<U256>().ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use soketto::handshake::{Server, server::Response};
    use tokio::net::TcpListener;

    #[test]
    fn only_a_notification_of_a_block_has_a_number() {
        assert_eq!(number(br#"{"method":"eth_subscription","params":{"result":{"number":"0x1f"}}}"#), Some(31));
        for other in ["", "{}", r#"{"params":{"result":{"number":31}}}"#, r#"{"params":{"result":"0x1f"}}"#] {
            assert_eq!(number(other.as_bytes()), None, "{other}");
        }
    }

    #[tokio::test]
    async fn announcements_come_until_the_node_closes_and_then_it_is_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let node = tokio::spawn(async move {
            let mut server = Server::new(listener.accept().await.unwrap().0.compat());
            let key = server.receive_request().await.unwrap().key();
            server.send_response(&Response::Accept { key, protocol: None }).await.unwrap();
            let (mut sender, mut receiver) = server.into_builder().finish();
            let mut request = Vec::new();
            receiver.receive_data(&mut request).await.unwrap();
            assert!(String::from_utf8(request).unwrap().contains("newHeads"));
            let says = [r#"{"id":1,"result":"0x1"}"#, r#"{"params":{"result":{"number":"0x7"}}}"#, r#"{"params":{"result":{"number":"0x8"}}}"#];
            for says in says {
                sender.send_text(says).await.unwrap();
                sender.flush().await.unwrap();
            }
            sender.close().await.unwrap();
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
