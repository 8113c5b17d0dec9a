//! The end: nobody is let in, what is under way is finished, nothing is left.

use std::time::Duration;

use api::{Config, Drained};
use serde_json::json;
use tokio::net::TcpStream;

use crate::{
    client::call,
    server::{Server, config},
    websocket::Socket,
};

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    assert_eq!(Server::start().await.stop().ended().await, Drained { finished: 0, cut: 0 });
}

#[tokio::test]
async fn a_call_under_way_is_finished_and_a_new_one_refused() {
    let server = Server::start().await;
    server.node.calls.forget_permits(usize::MAX);
    let (address, node) = (server.address, server.node.clone());
    let slow = tokio::spawn(async move { call(address, "eth_call", json!([{ "input": "0x01" }])).await });
    node.begun.acquire().await.unwrap().forget();
    let stopping = server.stop();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    node.calls.add_permits(1);
    assert_eq!(slow.await.unwrap()["result"], "0x01");
    assert_eq!(stopping.ended().await, Drained { finished: 1, cut: 0 });
}

#[tokio::test]
async fn a_call_that_never_ends_is_cut_at_the_limit() {
    let server = Server::with(Config { drain_limit: Duration::from_millis(50), ..config() }).await;
    server.node.calls.forget_permits(usize::MAX);
    let (address, node) = (server.address, server.node.clone());
    let mut socket = Socket::open(&server).await;
    socket.send(json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [{}] })).await;
    let stream = TcpStream::connect(address).await.unwrap();
    node.begun.acquire().await.unwrap().forget();
    assert_eq!(server.stop().ended().await.cut, 1);
    assert_eq!(socket.next().await, None);
    drop(stream);
}

#[tokio::test]
async fn a_websocket_is_told_goodbye() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    let stopping = server.stop();
    assert_eq!(socket.next().await, None);
    assert_eq!(stopping.ended().await, Drained { finished: 1, cut: 0 });
}
