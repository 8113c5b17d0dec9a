//! What a WebSocket is told.

use alloy_primitives::B256;
use api::SyncStatus;
use primitives::Height;
use serde_json::{Value, json};

use crate::{
    client::failure,
    node::{ALICE, CONTRACT, OTHER_TOPIC, PENDING, TOPIC, transfer},
    server::Server,
    websocket::Socket,
};

async fn subscribe(socket: &mut Socket, params: Value) -> Value {
    let answer = socket.call("eth_subscribe", params).await;
    let id = answer["result"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    assert!(id.len() == 34 && id.starts_with("0x"), "{id}");
    json!(id)
}

/// What the next message tells `id` of.
async fn told(socket: &mut Socket, id: &Value) -> Value {
    let message = socket.next().await.unwrap();
    assert_eq!((&message["jsonrpc"], &message["method"], &message["params"]["subscription"]), (&json!("2.0"), &json!("eth_subscription"), id));
    assert_eq!((message.as_object().unwrap().len(), message["params"].as_object().unwrap().len()), (3, 2), "{message}");
    message["params"]["result"].clone()
}

#[tokio::test]
async fn every_new_head_is_told_in_order() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    let id = subscribe(&mut socket, json!(["newHeads"])).await;
    (0..20).for_each(|_| server.node.decide());
    for height in 3..23 {
        let head = told(&mut socket, &id).await;
        assert_eq!((&head["number"], &head["hash"]), (&json!(format!("{height:#x}")), &json!(server.node.block_at(height).hash)));
    }
    server.node.decide();
    let head = told(&mut socket, &id).await;
    let of_header = crate::client::result(server.address, "eth_getHeaderByNumber", json!(["0x17"])).await;
    assert_eq!(head, of_header);
    for absent in ["transactions", "uncles", "size", "totalDifficulty", "withdrawals"] {
        assert!(head.get(absent).is_none(), "{absent}");
    }
}

#[tokio::test]
async fn logs_are_told_to_whom_they_concern() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    let all = subscribe(&mut socket, json!(["logs", { "address": CONTRACT, "topics": [[TOPIC, OTHER_TOPIC]] }])).await;
    subscribe(&mut socket, json!(["logs", { "topics": [OTHER_TOPIC] }])).await;
    subscribe(&mut socket, json!(["logs", { "address": [ALICE] }])).await;
    server.node.decide();
    server.node.decide();
    for number in ["0x3", "0x4"] {
        let log = told(&mut socket, &all).await;
        assert_eq!((&log["blockNumber"], &log["topics"], &log["removed"]), (&json!(number), &json!([TOPIC]), &json!(false)));
    }
    let every = subscribe(&mut socket, json!(["logs"])).await;
    assert_eq!(socket.call("eth_unsubscribe", json!([all])).await["result"], true);
    server.node.decide();
    assert_eq!(told(&mut socket, &every).await["blockNumber"], "0x5");
}

#[tokio::test]
async fn waiting_transactions_are_told_by_hash_or_as_a_whole() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    let hashes = subscribe(&mut socket, json!(["newPendingTransactions"])).await;
    let hash = *transfer(3).tx_hash();
    server.node.waits(hash);
    assert_eq!(told(&mut socket, &hashes).await, json!(hash));
    socket.call("eth_unsubscribe", json!([hashes])).await;
    let full = subscribe(&mut socket, json!(["newPendingTransactions", true])).await;
    // Nobody knows this one any more.
    server.node.waits(B256::repeat_byte(9));
    server.node.waits(hash);
    let transaction = told(&mut socket, &full).await;
    assert_eq!((&transaction["hash"], &transaction["blockNumber"]), (&json!(hash), &Value::Null));
}

#[tokio::test]
async fn the_beginning_and_the_end_of_syncing_are_told() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    let id = subscribe(&mut socket, json!(["syncing"])).await;
    server.node.faults.lock().unwrap().sync = Some(SyncStatus::Syncing { starting: Height(1), current: Height(2), highest: Height(9) });
    let status = json!({ "startingBlock": "0x1", "currentBlock": "0x2", "highestBlock": "0x9" });
    assert_eq!(told(&mut socket, &id).await, json!({ "syncing": true, "status": status }));
    server.node.faults.lock().unwrap().sync = None;
    assert_eq!(told(&mut socket, &id).await, false);
}

#[tokio::test]
async fn who_unsubscribes_hears_no_more() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    let id = subscribe(&mut socket, json!(["newHeads"])).await;
    assert_eq!(socket.call("eth_unsubscribe", json!([id])).await["result"], true);
    let again = socket.call("eth_unsubscribe", json!([id])).await["error"].clone();
    assert_eq!(again, json!({ "code": -32000, "message": "subscription not found" }));
    server.node.decide();
    assert_eq!(socket.call("eth_blockNumber", json!([])).await["result"], "0x3");
}

#[tokio::test]
async fn one_connection_cannot_end_the_subscription_of_another() {
    let server = Server::start().await;
    let (mut first, mut second) = (Socket::open(&server).await, Socket::open(&server).await);
    let id = subscribe(&mut first, json!(["newHeads"])).await;
    assert_eq!(second.call("eth_unsubscribe", json!([id])).await["error"]["code"], -32000);
    server.node.decide();
    assert_eq!(told(&mut first, &id).await["number"], "0x3");
}

#[tokio::test]
async fn a_subscription_that_makes_no_sense_is_refused() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    for (params, code) in [
        (json!([]), -32602),
        (json!([7]), -32602),
        (json!(["newBlocks"]), -32601),
        (json!(["newHeads", {}]), -32602),
        (json!(["syncing", true]), -32602),
        (json!(["newPendingTransactions", "yes"]), -32602),
        (json!(["logs", { "topics": ["0x12"] }]), -32602),
        (json!(["logs", { "blockHash": B256::ZERO }]), -32602),
        (json!(["logs", {}, 1]), -32602),
    ] {
        assert_eq!(socket.call("eth_subscribe", params.clone()).await["error"]["code"], code, "{params}");
    }
    let unknown = socket.call("eth_subscribe", json!(["newBlocks"])).await["error"]["message"].clone();
    assert_eq!(unknown, "no \"newBlocks\" subscription in eth namespace");
    for wrong in [json!([]), json!([1]), json!(["0x"])] {
        assert_eq!(socket.call("eth_unsubscribe", wrong).await["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn over_http_there_are_no_subscriptions() {
    let server = Server::start().await;
    for (method, params) in [("eth_subscribe", json!(["newHeads"])), ("eth_unsubscribe", json!(["0x1"]))] {
        assert_eq!(failure(server.address, method, params).await, (-32601, "notifications not supported".into()));
    }
}

#[tokio::test]
async fn one_subscription_too_many_is_refused_with_the_remedy() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    for _ in 0..64 {
        subscribe(&mut socket, json!(["newHeads"])).await;
    }
    let refused = socket.call("eth_subscribe", json!(["newHeads"])).await["error"].clone();
    assert_eq!(refused, json!({ "code": -32005, "message": "this connection has 64 subscriptions already; unsubscribe from some" }));
    subscribe(&mut Socket::open(&server).await, json!(["newHeads"])).await;
}

#[tokio::test]
async fn a_subscriber_that_is_too_far_behind_hears_why_and_is_cut() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server).await;
    let id = subscribe(&mut socket, json!(["newPendingTransactions"])).await;
    // More than is remembered, before the connection has a turn.
    (0..2 * PENDING).for_each(|_| server.node.waits(B256::ZERO));
    let last = socket.next().await.unwrap();
    assert_eq!(last["params"]["subscription"], id);
    assert_eq!(last["params"]["error"], format!("too slow: {PENDING} waiting transactions were missed"));
    assert_eq!(socket.next().await, None);
    let mut another = Socket::open(&server).await;
    let id = subscribe(&mut another, json!(["newHeads"])).await;
    (0..200).for_each(|_| server.node.decide());
    let last = another.next().await.unwrap();
    assert_eq!(last["params"], json!({ "subscription": id, "error": "too slow: 199 blocks behind, the limit is 128" }));
    assert_eq!(another.next().await, None);
}

#[tokio::test]
async fn a_subscriber_that_reads_nothing_stops_nobody_else() {
    let server = Server::start().await;
    let mut deaf = Socket::open(&server).await;
    for _ in 0..60 {
        subscribe(&mut deaf, json!(["newHeads"])).await;
    }
    let mut listener = Socket::open(&server).await;
    let id = subscribe(&mut listener, json!(["newHeads"])).await;
    // Some 60 MB for the one that does not read.
    for height in 3..1_000 {
        server.node.decide();
        assert_eq!(told(&mut listener, &id).await["number"], format!("{height:#x}"));
    }
}
