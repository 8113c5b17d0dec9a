//! The same methods over a WebSocket.

use serde_json::{Value, json};
use soketto::{
    Incoming, Receiver, Sender,
    handshake::{Client, ServerResponse},
};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use crate::server::Server;

pub struct Socket {
    sender: Sender<Compat<TcpStream>>,
    receiver: Receiver<Compat<TcpStream>>,
}

impl Socket {
    pub async fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let mut client = Client::new(stream.compat(), "localhost", "/");
        assert!(matches!(client.handshake().await.unwrap(), ServerResponse::Accepted { .. }));
        let (sender, receiver) = client.into_builder().finish();
        Self { sender, receiver }
    }

    pub async fn send(&mut self, text: impl ToString) {
        self.sender.send_text_owned(text.to_string()).await.unwrap();
        self.sender.flush().await.unwrap();
    }

    /// The next message after this call, which is its answer when nothing else is told.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })).await;
        let answer = self.next().await.unwrap();
        assert_eq!(answer["id"], 7, "{answer}");
        answer
    }

    /// The next message; none when the server has closed.
    pub async fn next(&mut self) -> Option<Value> {
        let mut data = Vec::new();
        match self.receiver.receive(&mut data).await {
            Ok(Incoming::Data(_)) => Some(serde_json::from_slice(&data).unwrap()),
            Ok(Incoming::Pong(_)) => None,
            Ok(Incoming::Closed(_)) | Err(_) => None,
        }
    }
}

fn chain_id(id: u64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "eth_chainId" })
}

#[tokio::test]
async fn calls_batches_and_rubbish_are_answered_on_one_socket() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    socket.send(chain_id(1)).await;
    assert_eq!(socket.next().await.unwrap(), json!({ "jsonrpc": "2.0", "id": 1, "result": "0x539" }));
    socket.send(json!([chain_id(1), chain_id(2)])).await;
    assert_eq!(socket.next().await.unwrap().as_array().unwrap().len(), 2);
    for (rubbish, code) in [("hello", -32700), ("", -32700), ("{}", -32600), ("[]", -32600), ("[7]", 0)] {
        socket.send(rubbish).await;
        assert_eq!(socket.next().await.unwrap()["error"]["code"].as_i64().unwrap_or_default(), code, "'{rubbish}'");
    }
}

#[tokio::test]
async fn a_notification_gets_no_message() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    socket.send(json!({ "jsonrpc": "2.0", "method": "eth_sendRawTransaction", "params": ["0x02"] })).await;
    socket.send(chain_id(2)).await;
    assert_eq!(socket.next().await.unwrap()["id"], 2);
}

#[tokio::test]
async fn a_slow_call_does_not_hold_up_the_next() {
    let server = Server::start().await;
    server.node.calls.forget_permits(usize::MAX);
    let mut socket = Socket::open(&server).await;
    socket.send(json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [{}] })).await;
    socket.send(chain_id(2)).await;
    assert_eq!(socket.next().await.unwrap()["id"], 2);
    server.node.calls.add_permits(1);
    assert_eq!(socket.next().await.unwrap()["id"], 1);
}

#[tokio::test]
async fn a_client_that_asks_for_ever_is_read_only_as_fast_as_it_is_answered() {
    let server = Server::start().await;
    server.node.calls.forget_permits(usize::MAX);
    let mut socket = Socket::open(&server).await;
    for id in 0..50 {
        socket.send(json!({ "jsonrpc": "2.0", "id": id, "method": "eth_call", "params": [{}] })).await;
    }
    server.node.begun.acquire_many(16).await.unwrap().forget();
    assert_eq!(server.node.begun.available_permits(), 0);
    server.node.calls.add_permits(50);
    for _ in 0..50 {
        assert_eq!(socket.next().await.unwrap()["result"], "0x");
    }
}

#[tokio::test]
async fn a_message_of_more_than_5_mib_is_refused_and_the_socket_closed() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    // The rest of it may not be taken any more.
    let _ = socket.sender.send_text_owned(" ".repeat((5 << 20) + 1)).await;
    let _ = socket.sender.flush().await;
    if let Some(answer) = socket.next().await {
        assert_eq!(answer["error"]["code"], -32007);
    }
    assert_eq!(socket.next().await, None);
    assert_eq!(Socket::open(&server).await.next_chain_id().await, "0x539");
}

impl Socket {
    async fn next_chain_id(&mut self) -> Value {
        self.send(chain_id(1)).await;
        self.next().await.unwrap()["result"].clone()
    }
}

#[tokio::test]
async fn a_handshake_that_is_none_is_refused() {
    let server = Server::start().await;
    let headers = [("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "12"), ("sec-websocket-key", "x")];
    assert_eq!(crate::client::exchange(server.address, "GET", "/", &headers, b"").await.status, 400);
}
