//! The methods that geth has besides: raw bytes, uncles, the pool, forks, access lists, waiting for a receipt.

use alloy_consensus::{Eip658Value, Receipt, ReceiptEnvelope, ReceiptWithBloom, SignableTransaction, TxEip4844};
use alloy_eips::Encodable2718;
use alloy_primitives::{B256, Bytes, Signature};
use serde_json::{Value, json};

use crate::{
    client::{call, failure, result},
    node::{ALICE, CONTRACT, OSAKA, receipt, transfer},
    server::Server,
};

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn transactions_and_receipts_are_given_as_they_were_decided() {
    let server = Server::start().await;
    let at = server.address;
    let block = server.node.block_at(1);
    let raw: Vec<Bytes> = block.block.body.transactions.iter().map(|transaction| transaction.encoded_2718().into()).collect();
    let hash = block.block.body.transactions[1].tx_hash();
    for method in ["eth_getRawTransactionByHash", "debug_getRawTransaction"] {
        assert_eq!(result(at, method, json!([hash])).await, json!(raw[1]));
        assert_eq!(result(at, method, json!([transfer(3).tx_hash()])).await, json!(Bytes::from(transfer(3).encoded_2718())));
        assert_eq!(result(at, method, json!([B256::ZERO])).await, Value::Null);
    }
    assert_eq!(result(at, "eth_getRawTransactionByBlockNumberAndIndex", json!(["0x1", "0x0"])).await, json!(raw[0]));
    assert_eq!(result(at, "eth_getRawTransactionByBlockHashAndIndex", json!([block.hash, "0x1"])).await, json!(raw[1]));
    assert_eq!(result(at, "eth_getRawTransactionByBlockHashAndIndex", json!([block.hash, "0x2"])).await, Value::Null);
    let receipts = result(at, "debug_getRawReceipts", json!(["0x1"])).await;
    let first = Receipt { status: Eip658Value::success(), cumulative_gas_used: 21_000, logs: vec![] };
    let first = ReceiptEnvelope::Eip1559(ReceiptWithBloom::from(first));
    assert_eq!((receipts.as_array().unwrap().len(), &receipts[0]), (2, &json!(Bytes::from(first.encoded_2718()))));
    for method in ["debug_getRawBlock", "debug_getRawHeader", "debug_getRawReceipts"] {
        assert_eq!(failure(at, method, json!(["0x99"])).await, (-32000, "header not found".into()));
        assert_eq!(failure(at, method, json!([])).await.0, -32602);
    }
}

#[tokio::test]
async fn there_are_no_uncles() {
    let server = Server::start().await;
    let at = server.address;
    let hash = server.node.block_at(1).hash;
    assert_eq!(result(at, "eth_getUncleCountByBlockNumber", json!(["0x1"])).await, "0x0");
    assert_eq!(result(at, "eth_getUncleCountByBlockHash", json!([hash])).await, "0x0");
    assert_eq!(result(at, "eth_getUncleCountByBlockNumber", json!(["0x99"])).await, Value::Null);
    assert_eq!(result(at, "eth_getUncleCountByBlockHash", json!([B256::ZERO])).await, Value::Null);
    assert_eq!(result(at, "eth_getUncleByBlockNumberAndIndex", json!(["0x1", "0x0"])).await, Value::Null);
    assert_eq!(result(at, "eth_getUncleByBlockHashAndIndex", json!([hash, "0x0"])).await, Value::Null);
    assert_eq!(failure(at, "eth_getUncleByBlockHashAndIndex", json!([hash])).await.0, -32602);
}

#[tokio::test]
async fn a_block_is_found_by_an_object_wherever_one_is_named() {
    let server = Server::start().await;
    let at = server.address;
    let hash = server.node.block_at(2).hash;
    for block in [json!("0x2"), json!({ "blockNumber": "0x2" }), json!({ "blockHash": hash }), json!({ "blockHash": hash, "requireCanonical": true })]
    {
        for (method, params) in [
            ("eth_getBlockByNumber", json!([block, false])),
            ("eth_getHeaderByNumber", json!([block])),
            ("eth_getBlockReceipts", json!([block])),
            ("eth_getBlockTransactionCountByNumber", json!([block])),
            ("eth_getTransactionByBlockNumberAndIndex", json!([block, "0x0"])),
            ("eth_getUncleCountByBlockNumber", json!([block])),
            ("eth_getBalance", json!([ALICE, block])),
            ("eth_getCode", json!([CONTRACT, block])),
            ("eth_getStorageAt", json!([CONTRACT, "0x0", block])),
            ("eth_getTransactionCount", json!([ALICE, block])),
            ("eth_call", json!([{}, block])),
            ("eth_estimateGas", json!([{}, block])),
            ("eth_createAccessList", json!([{}, block])),
            ("debug_getRawBlock", json!([block])),
            ("debug_getRawHeader", json!([block])),
            ("debug_getRawReceipts", json!([block])),
        ] {
            assert_ne!(result(at, method, params).await, Value::Null, "{method} {block}");
        }
    }
    let both = json!({ "blockHash": hash, "blockNumber": "0x2" });
    assert_eq!(failure(at, "eth_getBalance", json!([ALICE, both])).await.0, -32602);
    assert_eq!(failure(at, "eth_getBalance", json!([ALICE, {}])).await.0, -32602);
}

#[tokio::test]
async fn the_pool_is_shown_by_sender_and_nonce() {
    let server = Server::start().await;
    let at = server.address;
    let content = result(at, "txpool_content", json!([])).await;
    let sender = ALICE.to_checksum(None);
    assert_eq!((keys(&content), keys(&content["pending"]), keys(&content["queued"])), (vec!["pending", "queued"], vec![&*sender], vec![&*sender]));
    assert_eq!((keys(&content["pending"][&sender]), keys(&content["queued"][&sender])), (vec!["3"], vec!["5", "6"]));
    assert_eq!(content["pending"][&sender]["3"]["hash"], json!(transfer(3).tx_hash()));
    let of_sender = result(at, "txpool_contentFrom", json!([ALICE])).await;
    assert_eq!((&of_sender["pending"], &of_sender["queued"]), (&content["pending"][&sender], &content["queued"][&sender]));
    assert_eq!(result(at, "txpool_contentFrom", json!([CONTRACT])).await, json!({ "pending": {}, "queued": {} }));
    let line = format!("{}: 1 wei + 21000 gas × 3000000000 wei", CONTRACT.to_checksum(None));
    assert_eq!(result(at, "txpool_inspect", json!([])).await["queued"][&sender], json!({ "5": line, "6": line }));
    server.node.faults.lock().unwrap().full = true;
    assert_eq!(failure(at, "txpool_content", json!([])).await, (-32005, "more than 10000 wait".into()));
    assert_eq!(failure(at, "txpool_inspect", json!([])).await.0, -32005);
    assert_eq!(failure(at, "txpool_contentFrom", json!([])).await.0, -32602);
}

#[tokio::test]
async fn the_forks_are_shown_as_eip_7910_wants_them() {
    let server = Server::start().await;
    let config = result(server.address, "eth_config", json!([])).await;
    assert_eq!(keys(&config), ["current", "last", "next"]);
    let (current, next) = (&config["current"], &config["next"]);
    assert_eq!(keys(current), ["activationTime", "blobSchedule", "chainId", "forkId", "precompiles", "systemContracts"]);
    assert_eq!((&current["activationTime"], &current["chainId"], &next["activationTime"]), (&json!(0), &json!("0x539"), &json!(OSAKA)));
    assert_eq!(current["blobSchedule"], json!({ "baseFeeUpdateFraction": 5_007_716, "max": 9, "target": 6 }));
    assert_eq!(current["precompiles"]["BLS12_MAP_FP2_TO_G2"], "0x0000000000000000000000000000000000000011");
    assert_eq!((current["precompiles"].as_object().unwrap().len(), next["precompiles"].as_object().unwrap().len()), (17, 18));
    assert_eq!(next["precompiles"]["P256VERIFY"], "0x0000000000000000000000000000000000000100");
    assert_eq!(current["forkId"].as_str().unwrap().len(), 10);
    assert_ne!(current["forkId"], next["forkId"]);
    assert_eq!(&config["last"], next);
    let contracts =
        ["BEACON_ROOTS_ADDRESS", "CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS", "HISTORY_STORAGE_ADDRESS", "WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS"];
    assert_eq!(keys(&current["systemContracts"]), contracts);
}

#[tokio::test]
async fn an_access_list_is_sorted_and_says_how_the_call_would_fail() {
    let server = Server::start().await;
    let found = result(server.address, "eth_createAccessList", json!([{ "to": CONTRACT }, "latest"])).await;
    let list = json!([{ "address": CONTRACT, "storageKeys": [B256::ZERO, B256::with_last_byte(1)] }]);
    assert_eq!(found, json!({ "accessList": list, "gasUsed": "0x6590", "error": "execution reverted" }));
    assert_eq!(failure(server.address, "eth_createAccessList", json!([])).await.0, -32602);
    assert_eq!(failure(server.address, "eth_createAccessList", json!([7])).await.0, -32602);
}

#[tokio::test]
async fn a_submission_waits_for_its_receipt() {
    let server = Server::start().await;
    let raw = Bytes::from(transfer(3).encoded_2718());
    let (address, params) = (server.address, json!([raw, "0x2710"]));
    let waiting = tokio::spawn(async move { call(address, "eth_sendRawTransactionSync", params).await });
    while server.node.submitted.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    server.node.decide();
    let receipt = waiting.await.unwrap()["result"].clone();
    assert_eq!(receipt, result(address, "eth_getTransactionReceipt", json!([transfer(3).tx_hash()])).await);
    assert_eq!((&receipt["blockNumber"], &receipt["logs"][0]["blockTimestamp"]), (&json!("0x3"), &json!("0x6955b903")));
}

#[tokio::test]
async fn a_submission_that_is_not_decided_in_time_answers_code_4_with_its_hash() {
    let server = Server::start().await;
    let raw = Bytes::from(transfer(3).encoded_2718());
    for limit in [json!(20), json!("0x14")] {
        let error = call(server.address, "eth_sendRawTransactionSync", json!([raw, limit])).await["error"].clone();
        let message = "the transaction was added to the mempool but wasn't processed in 20ms";
        assert_eq!(error, json!({ "code": 4, "message": message, "data": transfer(3).tx_hash() }));
    }
    for wrong in [json!([]), json!([7]), json!([raw, "soon"]), json!([raw, -1]), json!([raw, 1, 1])] {
        assert_eq!(failure(server.address, "eth_sendRawTransactionSync", wrong).await.0, -32602);
    }
    assert_eq!(failure(server.address, "eth_sendRawTransactionSync", json!(["0x"])).await.0, -32000);
}

#[tokio::test]
async fn a_blob_transaction_and_its_receipt_show_their_blobs() {
    let server = Server::start().await;
    let hashes = vec![B256::repeat_byte(1), B256::repeat_byte(2)];
    let transaction = TxEip4844 { max_fee_per_blob_gas: 7, blob_versioned_hashes: hashes.clone(), to: CONTRACT, ..Default::default() };
    let transaction = primitives::Transaction::from(transaction.into_signed(Signature::test_signature()));
    let hash = *transaction.tx_hash();
    server.node.decide_with(vec![transaction], vec![receipt(21_000, 0)]);
    let found = result(server.address, "eth_getTransactionByHash", json!([hash])).await;
    let expected =
        "accessList blobVersionedHashes blockHash blockNumber blockTimestamp chainId from gas gasPrice hash input maxFeePerBlobGas maxFeePerGas
        maxPriorityFeePerGas nonce r s to transactionIndex type v value yParity";
    assert_eq!(keys(&found), expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!((&found["blobVersionedHashes"], &found["maxFeePerBlobGas"], &found["type"]), (&json!(hashes), &json!("0x7"), &json!("0x3")));
    let receipt = result(server.address, "eth_getTransactionReceipt", json!([hash])).await;
    let expected = "blobGasPrice blobGasUsed blockHash blockNumber contractAddress cumulativeGasUsed effectiveGasPrice from gasUsed logs
        logsBloom status to transactionHash transactionIndex type";
    assert_eq!(keys(&receipt), expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!((&receipt["blobGasUsed"], &receipt["blobGasPrice"]), (&json!("0x40000"), &json!("0x1")));
}

#[tokio::test]
async fn slots_of_several_accounts_are_read_at_once() {
    let server = Server::start().await;
    let slots = |count: u64| (0..count).map(|slot| B256::from(alloy_primitives::U256::from(slot))).collect::<Vec<_>>();
    let found = result(server.address, "eth_getStorageValues", json!([{ CONTRACT.to_string(): slots(2), ALICE.to_string(): slots(1) }])).await;
    assert_eq!((&found[format!("{CONTRACT:#x}")], &found[format!("{ALICE:#x}")]), (&json!(slots(2)), &json!(slots(1))));
    assert_eq!(failure(server.address, "eth_getStorageValues", json!([{}])).await, (-32602, "empty request".into()));
    let (code, message) = failure(server.address, "eth_getStorageValues", json!([{ CONTRACT.to_string(): slots(1_025) }])).await;
    assert_eq!((code, message.as_str()), (-32005, "1025 slots are asked for, at most 1024 are answered"));
}
