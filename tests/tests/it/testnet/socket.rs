//! A WebSocket to a validator.

use serde_json::{Value, json};
use soketto::{
    Incoming, Receiver, Sender,
    handshake::{Client, ServerResponse},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::secs;

/// How long the next message may take.
const MESSAGE_LIMIT: std::time::Duration = secs(20);

/// An open WebSocket.
pub struct Socket {
    sender: Sender<Compat<TcpStream>>,
    receiver: Receiver<Compat<TcpStream>>,
    /// What was told while an answer was awaited.
    told: Vec<Value>,
}

impl Socket {
    pub async fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut client = Client::new(stream.compat(), "localhost", "/");
        assert!(matches!(client.handshake().await.unwrap(), ServerResponse::Accepted { .. }));
        let (sender, receiver) = client.into_builder().finish();
        Self { sender, receiver, told: Vec::new() }
    }

    /// The whole answer to one call.
    pub async fn call(&mut self, method: &str, parameters: Value) -> Value {
        let call = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": parameters });
        self.sender.send_text_owned(call.to_string()).await.unwrap();
        self.sender.flush().await.unwrap();
        loop {
            let message = self.receive().await;
            match message["id"] == 7 {
                true => return message,
                false => self.told.push(message),
            }
        }
    }

    /// A new subscription's identifier.
    pub async fn subscribe(&mut self, parameters: Value) -> Value {
        let answer = self.call("eth_subscribe", parameters).await;
        assert!(answer["result"].as_str().is_some_and(|id| id.starts_with("0x")), "{answer}");
        answer["result"].clone()
    }

    /// What subscription `id` is told next; what others are told meanwhile is kept for them.
    pub async fn told(&mut self, id: &Value) -> Value {
        let is_it = |message: &Value| message["method"] == "eth_subscription" && message["params"]["subscription"] == *id;
        if let Some(index) = self.told.iter().position(is_it) {
            return self.told.remove(index)["params"]["result"].take();
        }
        loop {
            let mut message = self.receive().await;
            match is_it(&message) {
                true => return message["params"]["result"].take(),
                false => self.told.push(message),
            }
        }
    }

    /// Waits until the other side has ended the connection; what it tells before is of no interest.
    pub async fn ended(mut self) {
        let mut data = Vec::new();
        let end = async { while !matches!(self.receiver.receive(&mut data).await, Err(_) | Ok(Incoming::Closed(_))) {} };
        timeout(MESSAGE_LIMIT, end).await.expect("an end in time");
    }

    async fn receive(&mut self) -> Value {
        let mut data = Vec::new();
        loop {
            let incoming = timeout(MESSAGE_LIMIT, self.receiver.receive(&mut data)).await.expect("a message in time").unwrap();
            match incoming {
                Incoming::Data(_) => return serde_json::from_slice(&data).unwrap(),
                Incoming::Pong(_) => {}
                Incoming::Closed(reason) => panic!("closed: {reason:?}"),
            }
        }
    }
}
