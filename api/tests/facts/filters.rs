//! Filters that clients poll.

use alloy_primitives::B256;
use serde_json::{Value, json};

use crate::{
    client::{failure, result},
    node::{ALICE, OTHER_TOPIC, PENDING, TOPIC, transfer},
    server::Server,
};

const NOT_FOUND: (i64, &str) = (-32000, "filter not found");

async fn install(server: &Server, method: &str, params: Value) -> Value {
    let id = result(server.address, method, params).await;
    let text = id.as_str().unwrap();
    assert!(text.len() == 34 && text.starts_with("0x"), "{text}");
    id
}

async fn changes(server: &Server, id: &Value) -> Value {
    result(server.address, "eth_getFilterChanges", json!([id])).await
}

async fn refused(server: &Server, method: &str, params: Value) -> (i64, String) {
    failure(server.address, method, params).await
}

#[tokio::test]
async fn a_block_filter_tells_each_new_block_once() {
    let server = Server::start().await;
    let id = install(&server, "eth_newBlockFilter", json!([])).await;
    assert_eq!(changes(&server, &id).await, json!([]));
    server.node.decide();
    server.node.decide();
    assert_eq!(changes(&server, &id).await, json!([server.node.block_at(3).hash, server.node.block_at(4).hash]));
    assert_eq!(changes(&server, &id).await, json!([]));
}

#[tokio::test]
async fn a_filter_of_logs_tells_new_ones_and_all_on_demand() {
    let server = Server::start().await;
    let id = install(&server, "eth_newFilter", json!([{ "fromBlock": "0x1", "topics": [TOPIC] }])).await;
    let other = install(&server, "eth_newFilter", json!([{ "topics": [OTHER_TOPIC] }])).await;
    let later = install(&server, "eth_newFilter", json!([{ "fromBlock": "0x4" }])).await;
    let bounded = install(&server, "eth_newFilter", json!([{ "toBlock": "0x3" }])).await;
    let everything = install(&server, "eth_newFilter", json!([{ "fromBlock": "earliest", "toBlock": "latest" }])).await;
    server.node.decide();
    server.node.decide();
    for (id, blocks) in
        [(&id, vec!["0x3", "0x4"]), (&other, vec![]), (&later, vec!["0x4"]), (&bounded, vec!["0x3"]), (&everything, vec!["0x3", "0x4"])]
    {
        let found = changes(&server, id).await;
        let numbers: Vec<&str> = found.as_array().unwrap().iter().map(|log| log["blockNumber"].as_str().unwrap()).collect();
        assert_eq!(numbers, blocks);
        assert_eq!(changes(&server, id).await, json!([]));
    }
    let all = result(server.address, "eth_getFilterLogs", json!([id])).await;
    assert_eq!(all.as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_filter_of_waiting_transactions_tells_hashes_or_transactions() {
    let server = Server::start().await;
    let hashes = install(&server, "eth_newPendingTransactionFilter", json!([])).await;
    let full = install(&server, "eth_newPendingTransactionFilter", json!([true])).await;
    let (known, gone) = (*transfer(3).tx_hash(), B256::repeat_byte(9));
    server.node.waits(known);
    server.node.waits(gone);
    assert_eq!(changes(&server, &hashes).await, json!([known, gone]));
    let transactions = changes(&server, &full).await;
    assert_eq!((transactions.as_array().unwrap().len(), &transactions[0]["hash"]), (1, &json!(known)));
    assert_eq!((&transactions[0]["blockHash"], &transactions[0]["gasPrice"]), (&Value::Null, &json!("0xb2d05e00")));
}

#[tokio::test]
async fn a_filter_that_missed_transactions_is_removed_and_says_so() {
    let server = Server::start().await;
    let id = install(&server, "eth_newPendingTransactionFilter", json!([])).await;
    (0..2 * PENDING).for_each(|_| server.node.waits(B256::ZERO));
    let (code, message) = refused(&server, "eth_getFilterChanges", json!([id])).await;
    assert!(code == -32000 && message.starts_with("filter not found: more transactions came"), "{code} {message}");
    assert_eq!(refused(&server, "eth_getFilterChanges", json!([id])).await, (NOT_FOUND.0, NOT_FOUND.1.to_owned()));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = Server::start().await;
    let id = install(&server, "eth_newBlockFilter", json!([])).await;
    assert_eq!(result(server.address, "eth_uninstallFilter", json!([id])).await, true);
    assert_eq!(result(server.address, "eth_uninstallFilter", json!([id])).await, false);
    let not_found = (NOT_FOUND.0, NOT_FOUND.1.to_owned());
    for id in [id, json!("0x1")] {
        assert_eq!(refused(&server, "eth_getFilterChanges", json!([id])).await, not_found);
        assert_eq!(refused(&server, "eth_getFilterLogs", json!([id])).await, not_found);
    }
    let blocks = install(&server, "eth_newBlockFilter", json!([])).await;
    assert_eq!(refused(&server, "eth_getFilterLogs", json!([blocks])).await, not_found);
}

#[tokio::test]
async fn a_filter_that_makes_no_sense_is_not_installed() {
    let server = Server::start().await;
    for (method, wrong) in [
        ("eth_newFilter", json!([])),
        ("eth_newFilter", json!([7])),
        ("eth_newFilter", json!([{ "address": "0x12" }])),
        ("eth_newFilter", json!([{ "fromBlock": "0x2", "toBlock": "0x1" }])),
        ("eth_newFilter", json!([{ "blockHash": B256::ZERO }])),
        ("eth_newFilter", json!([{ "address": ALICE }, 1])),
        ("eth_newBlockFilter", json!([1])),
        ("eth_newPendingTransactionFilter", json!(["yes"])),
        ("eth_getFilterChanges", json!([])),
        ("eth_getFilterChanges", json!([1])),
        ("eth_getFilterLogs", json!(["filter"])),
        ("eth_uninstallFilter", json!(["0x", 1])),
        ("eth_uninstallFilter", json!([{}])),
    ] {
        assert_eq!(refused(&server, method, wrong.clone()).await.0, -32602, "{method} {wrong}");
    }
}

#[tokio::test]
async fn one_filter_too_many_is_refused_with_the_remedy() {
    let server = Server::start().await;
    for _ in 0..1_024 {
        install(&server, "eth_newBlockFilter", json!([])).await;
    }
    let (code, message) = refused(&server, "eth_newBlockFilter", json!([])).await;
    assert_eq!((code, message.as_str()), (-32005, "1024 filters stand already; uninstall some, or wait until unused ones expire"));
}
