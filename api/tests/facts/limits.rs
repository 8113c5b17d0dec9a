//! Slow nodes, and too many who ask.

use std::time::Duration;

use alloy_primitives::Bytes;
use api::Config;
use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::{
    client::{call, error, failure, get, post, result},
    node::PANIC,
    server::{Server, config},
};

/// A server whose calls never end.
async fn stuck(config: Config) -> Server {
    let server = Server::with(config).await;
    server.node.calls.forget_permits(usize::MAX);
    server
}

#[tokio::test]
async fn a_slow_call_ends_at_its_limit() {
    let server = stuck(Config { call_limit: Duration::from_millis(50), ..config() }).await;
    assert_eq!(failure(server.address, "eth_call", json!([{}])).await, (-32002, "request timed out".into()));
    assert_eq!(result(server.address, "eth_chainId", json!([])).await, "0x539");
}

#[tokio::test]
async fn one_call_too_many_is_refused_and_the_probes_still_answer() {
    let server = stuck(Config { max_calls: 1, ..config() }).await;
    let address = server.address;
    let first = tokio::spawn(async move { call(address, "eth_call", json!([{}])).await });
    server.node.begun.acquire().await.unwrap().forget();
    let refused = post(address, json!({ "jsonrpc": "2.0", "id": 5, "method": "eth_chainId" }).to_string()).await;
    assert_eq!((refused.status, refused.error().0, &refused.json()["id"]), (503, -32005, &json!(5)));
    assert_eq!(get(address, "/livez").await.status, 200);
    assert_eq!(get(address, "/health").await.status, 200);
    server.node.calls.add_permits(1);
    assert_eq!(first.await.unwrap()["result"], "0x");
    assert_eq!(result(address, "eth_chainId", json!([])).await, "0x539");
}

#[tokio::test]
async fn a_batch_keeps_a_few_calls_under_way_and_no_more() {
    let server = stuck(config()).await;
    let batch: Vec<_> = (0..40).map(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "eth_call", "params": [{}] })).collect();
    let address = server.address;
    let answers = tokio::spawn(async move { post(address, json!(batch).to_string()).await.json() });
    server.node.begun.acquire_many(16).await.unwrap().forget();
    assert_eq!(server.node.begun.available_permits(), 0);
    server.node.calls.add_permits(40);
    let ids: Vec<u64> = answers.await.unwrap().as_array().unwrap().iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (0..40).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_connection_too_many_waits_for_its_turn() {
    let server = Server::with(Config { max_connections: 1, ..config() }).await;
    let first = TcpStream::connect(server.address).await.unwrap();
    let address = server.address;
    let second = tokio::spawn(async move { call(address, "eth_chainId", json!([])).await });
    // The first is let in before the second because it connected before it.
    drop(first);
    assert_eq!(second.await.unwrap()["result"], "0x539");
}

#[tokio::test]
async fn what_is_no_http_is_answered_and_closed() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"\x16\x03\x01 hello\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 400"));
}

#[tokio::test]
async fn an_error_of_a_call_is_not_an_error_of_http() {
    let server = Server::start().await;
    let answer = post(server.address, json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_nothing" }).to_string()).await;
    assert_eq!((answer.status, error(&answer.json()).0), (200, -32601));
}

#[tokio::test]
async fn a_method_that_panics_fails_alone() {
    let server = Server::start().await;
    let calling =
        |id: u64, input: &[u8]| json!({ "jsonrpc": "2.0", "id": id, "method": "eth_call", "params": [{ "input": Bytes::copy_from_slice(input) }] });
    let answers = post(server.address, json!([calling(1, PANIC), calling(2, &[1])]).to_string()).await.json();
    assert_eq!((error(&answers[0]).0, &answers[1]["result"]), (-32603, &json!("0x01")));
}
