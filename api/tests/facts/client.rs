//! The smallest HTTP client that can also misbehave.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in '{}'", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Code and message of a JSON-RPC error.
    pub fn error(&self) -> (i64, String) {
        error(&self.json())
    }
}

pub fn error(response: &Value) -> (i64, String) {
    assert!(response.get("result").is_none(), "no error: {response}");
    (response["error"]["code"].as_i64().unwrap(), response["error"]["message"].as_str().unwrap().to_owned())
}

/// One exchange on a connection of its own.
pub async fn exchange(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head += &format!("host: {to}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    // A server that refuses a body closes before it has read it, so the rest may fail to be written.
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let (_, answer) = tokio::join!(writer.write_all(body), read(&mut reader));
    answer
}

async fn read(reader: &mut (impl AsyncReadExt + Unpin)) -> Answer {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8192];
    while let Ok(read) = reader.read(&mut chunk).await {
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
    parse(&String::from_utf8(bytes).unwrap())
}

fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP answer: '{text}'"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Answer { status, headers, body: body.to_owned() }
}

pub async fn get(to: SocketAddr, path: &str) -> Answer {
    exchange(to, "GET", path, &[], b"").await
}

pub async fn post(to: SocketAddr, body: impl AsRef<[u8]>) -> Answer {
    exchange(to, "POST", "/", &[("content-type", "application/json")], body.as_ref()).await
}

/// The whole response to one call.
pub async fn call(to: SocketAddr, method: &str, params: Value) -> Value {
    post(to, json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()).await.json()
}

/// What a call that succeeds found.
pub async fn result(to: SocketAddr, method: &str, params: Value) -> Value {
    let response = call(to, method, params).await;
    response.get("result").unwrap_or_else(|| panic!("{method}: {response}")).clone()
}

/// Code and message of a call that fails.
pub async fn failure(to: SocketAddr, method: &str, params: Value) -> (i64, String) {
    error(&call(to, method, params).await)
}
