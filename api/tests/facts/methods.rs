//! Every method: what it finds, and how it fails.

use alloy_primitives::{B256, Bytes, U256, keccak256};
use api::{BackendError, Rejection, SyncStatus};
use primitives::Height;
use serde_json::{Value, json};

use crate::{
    client::{call, failure, result},
    node::{ALICE, CHAIN_ID, CONTRACT, OTHER_TOPIC, TOPIC},
    server::Server,
};

#[tokio::test]
async fn the_node_says_who_it_is() {
    let server = Server::start().await;
    let at = server.address;
    for (method, expected) in [
        ("eth_chainId", json!("0x539")),
        ("net_version", json!("1337")),
        ("eth_blockNumber", json!("0x2")),
        ("eth_accounts", json!([])),
        ("eth_syncing", json!(false)),
        ("net_listening", json!(true)),
        ("net_peerCount", json!("0x3")),
        ("web3_clientVersion", json!("axolotl/test")),
        ("eth_maxPriorityFeePerGas", json!("0x3b9aca00")),
        ("eth_gasPrice", json!("0x77359400")),
        ("eth_baseFee", json!("0x342b4150")),
        ("eth_blobBaseFee", json!("0x1")),
        ("rpc_modules", json!({ "axolotl": "1.0", "debug": "1.0", "eth": "1.0", "net": "1.0", "rpc": "1.0", "txpool": "1.0", "web3": "1.0" })),
        ("txpool_status", json!({ "pending": "0x1", "queued": "0x2" })),
        ("debug_getBadBlocks", json!([])),
    ] {
        assert_eq!(result(at, method, json!([])).await, expected, "{method}");
        assert_eq!(failure(at, method, json!([1])).await.0, -32602, "{method}");
    }
    assert_eq!(result(at, "web3_sha3", json!(["0x"])).await, json!(keccak256([])));
    assert_eq!(failure(at, "web3_sha3", json!(["0xz"])).await.0, -32602);
}

#[tokio::test]
async fn a_node_that_catches_up_says_how_far_it_is() {
    let server = Server::start().await;
    server.node.faults.lock().unwrap().sync = Some(SyncStatus::Syncing { starting: Height(1), current: Height(16), highest: Height(255) });
    let found = result(server.address, "eth_syncing", json!([])).await;
    assert_eq!(found, json!({ "startingBlock": "0x1", "currentBlock": "0x10", "highestBlock": "0xff" }));
}

#[tokio::test]
async fn a_block_has_every_field_that_geth_shows() {
    let server = Server::start().await;
    let block = result(server.address, "eth_getBlockByNumber", json!(["latest", false])).await;
    for field in [
        "baseFeePerGas",
        "blobGasUsed",
        "difficulty",
        "excessBlobGas",
        "extraData",
        "gasLimit",
        "gasUsed",
        "hash",
        "logsBloom",
        "miner",
        "mixHash",
        "nonce",
        "number",
        "parentBeaconBlockRoot",
        "parentHash",
        "receiptsRoot",
        "requestsHash",
        "sha3Uncles",
        "size",
        "stateRoot",
        "timestamp",
        "transactions",
        "transactionsRoot",
        "uncles",
        "withdrawals",
        "withdrawalsRoot",
    ] {
        assert!(block.get(field).is_some(), "{field} is missing");
    }
    assert_eq!(block["hash"], json!(server.node.block_at(2).hash));
    assert_eq!((&block["number"], &block["size"], &block["withdrawals"], &block["uncles"]), (&json!("0x2"), &json!("0x258"), &json!([]), &json!([])));
    assert_eq!(block["transactions"], json!([server.node.block_at(2).block.body.transactions[0].tx_hash()]));
}

#[tokio::test]
async fn every_tag_and_both_forms_find_their_block() {
    let server = Server::start().await;
    let at = server.address;
    for (tag, number) in [("latest", "0x2"), ("safe", "0x2"), ("finalized", "0x2"), ("pending", "0x2"), ("earliest", "0x0"), ("0x1", "0x1")] {
        assert_eq!(result(at, "eth_getBlockByNumber", json!([tag, false])).await["number"], number, "{tag}");
    }
    let hash = server.node.block_at(1).hash;
    let full = result(at, "eth_getBlockByHash", json!([hash, true])).await;
    assert_eq!(full["transactions"][1]["blockHash"], json!(hash));
    assert_eq!(full["transactions"][1]["transactionIndex"], "0x1");
    assert_eq!(result(at, "eth_getBlockByNumber", json!(["0x99", false])).await, Value::Null);
    assert_eq!(result(at, "eth_getBlockByHash", json!([B256::ZERO, false])).await, Value::Null);
    assert_eq!(result(at, "eth_getBlockTransactionCountByNumber", json!(["0x1"])).await, "0x2");
    assert_eq!(result(at, "eth_getBlockTransactionCountByHash", json!([hash])).await, "0x2");
    for wrong in [json!([]), json!(["newest", false]), json!([5, false]), json!(["0x1", "yes"]), json!([null, true])] {
        assert_eq!(failure(at, "eth_getBlockByNumber", wrong).await.0, -32602);
    }
}

#[tokio::test]
async fn a_block_is_given_as_it_was_decided() {
    let server = Server::start().await;
    let block = server.node.block_at(1);
    let hash = json!({ "blockHash": block.hash });
    assert_eq!(result(server.address, "debug_getRawBlock", json!(["0x1"])).await, json!(Bytes::from(alloy_rlp::encode(&block.block))));
    assert_eq!(result(server.address, "debug_getRawHeader", json!([hash])).await, json!(Bytes::from(alloy_rlp::encode(&block.block.header))));
    assert_eq!(failure(server.address, "debug_getRawBlock", json!(["0x99"])).await, (-32000, "header not found".into()));
}

#[tokio::test]
async fn a_transaction_is_found_by_hash_and_by_place() {
    let server = Server::start().await;
    let at = server.address;
    let block = server.node.block_at(1);
    let transfer = &block.block.body.transactions[0];
    let by_hash = result(at, "eth_getTransactionByHash", json!([transfer.tx_hash()])).await;
    assert_eq!(by_hash["from"].as_str().unwrap().to_lowercase(), ALICE.to_string().to_lowercase());
    assert_eq!(
        (&by_hash["type"], &by_hash["nonce"], &by_hash["chainId"], &by_hash["gasPrice"]),
        (&json!("0x2"), &json!("0x0"), &json!("0x539"), &json!("0x77359400"))
    );
    assert_eq!(result(at, "eth_getTransactionByBlockNumberAndIndex", json!(["0x1", "0x0"])).await, by_hash);
    assert_eq!(result(at, "eth_getTransactionByBlockHashAndIndex", json!([block.hash, "0x0"])).await, by_hash);
    for place in [json!(["0x1", "0x2"]), json!(["0x99", "0x0"]), json!(["0x1", "0xffffffffffffffff"])] {
        assert_eq!(result(at, "eth_getTransactionByBlockNumberAndIndex", place).await, Value::Null);
    }
    assert_eq!(result(at, "eth_getTransactionByHash", json!([B256::ZERO])).await, Value::Null);
    assert_eq!(failure(at, "eth_getTransactionByBlockNumberAndIndex", json!(["0x1", 0])).await.0, -32602);
}

#[tokio::test]
async fn a_waiting_transaction_has_no_block_and_no_receipt() {
    let server = Server::start().await;
    let mut waiting = server.node.block_at(2).block.body.transactions[0].as_eip1559().unwrap().tx().clone();
    waiting.nonce = 3;
    let hash = *alloy_consensus::SignableTransaction::into_signed(waiting, alloy_primitives::Signature::test_signature()).hash();
    let found = result(server.address, "eth_getTransactionByHash", json!([hash])).await;
    assert_eq!((&found["blockHash"], &found["blockNumber"], &found["transactionIndex"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(result(server.address, "eth_getTransactionReceipt", json!([hash])).await, Value::Null);
}

#[tokio::test]
async fn a_receipt_tells_what_its_own_transaction_used() {
    let server = Server::start().await;
    let at = server.address;
    let block = server.node.block_at(1);
    let hash = block.block.body.transactions[1].tx_hash();
    let receipt = result(at, "eth_getTransactionReceipt", json!([hash])).await;
    for (field, expected) in [
        ("status", json!("0x1")),
        ("type", json!("0x0")),
        ("gasUsed", json!("0x186a0")),
        ("cumulativeGasUsed", json!("0x1d8a8")),
        ("effectiveGasPrice", json!("0x77359400")),
        ("transactionHash", json!(hash)),
        ("transactionIndex", json!("0x1")),
        ("blockNumber", json!("0x1")),
        ("to", Value::Null),
    ] {
        assert_eq!(receipt[field], expected, "{field}");
    }
    assert_eq!(receipt["contractAddress"], json!(ALICE.create(1)));
    assert_eq!(receipt["logs"][1]["logIndex"], "0x1");
    assert_ne!(receipt["logsBloom"], json!(alloy_primitives::Bloom::ZERO));
    let of_block = result(at, "eth_getBlockReceipts", json!(["0x1"])).await;
    assert_eq!((of_block.as_array().unwrap().len(), &of_block[1]), (2, &receipt));
    assert_eq!(of_block[0]["contractAddress"], Value::Null);
    assert_eq!(result(at, "eth_getBlockReceipts", json!(["0x99"])).await, Value::Null);
    assert_eq!(result(at, "eth_getTransactionReceipt", json!([B256::ZERO])).await, Value::Null);
}

#[tokio::test]
async fn state_is_read_at_any_form_of_the_head() {
    let server = Server::start().await;
    let at = server.address;
    let head = server.node.block_at(2).hash;
    for block in [
        json!("latest"),
        json!("pending"),
        json!("0x2"),
        json!({ "blockNumber": "0x2" }),
        json!({ "blockHash": head, "requireCanonical": true }),
        Value::Null,
    ] {
        assert_eq!(result(at, "eth_getBalance", json!([ALICE, block])).await, "0x3635c9adc5dea00000", "{block}");
    }
    assert_eq!(result(at, "eth_getBalance", json!([ALICE])).await, "0x3635c9adc5dea00000");
    assert_eq!(result(at, "eth_getTransactionCount", json!([ALICE, "latest"])).await, "0x3");
    assert_eq!(result(at, "eth_getTransactionCount", json!([ALICE, "pending"])).await, "0x4");
    assert_eq!(result(at, "eth_getCode", json!([CONTRACT, "latest"])).await, "0x6001");
    assert_eq!(result(at, "eth_getCode", json!([ALICE, "latest"])).await, "0x");
    assert_eq!(result(at, "eth_getStorageAt", json!([CONTRACT, "0x7", "latest"])).await, json!(B256::from(U256::from(7))));
    assert_eq!(result(at, "eth_getStorageAt", json!([CONTRACT, B256::with_last_byte(7), "latest"])).await, json!(B256::with_last_byte(7)));
}

#[tokio::test]
async fn state_that_is_not_kept_is_refused_with_what_is() {
    let server = Server::start().await;
    let (code, message) = failure(server.address, "eth_getBalance", json!([ALICE, "earliest"])).await;
    assert_eq!((code, message.as_str()), (-32000, "the state of block 0 is not kept; kept are 2 to 2; an archive node has it"));
    assert_eq!(failure(server.address, "eth_getCode", json!([ALICE, "0x99"])).await, (-32000, "header not found".into()));
    for wrong in [json!([]), json!(["0x12"]), json!([ALICE, "soon"]), json!([ALICE, { "blockHash": "0x1" }]), json!([ALICE, "latest", 1])] {
        assert_eq!(failure(server.address, "eth_getBalance", wrong).await.0, -32602);
    }
}

#[tokio::test]
async fn a_proof_has_the_form_of_eip_1186() {
    let server = Server::start().await;
    let at = server.address;
    let whole = B256::with_last_byte(7);
    let proof = json!({
        "address": ALICE, "balance": "0x3635c9adc5dea00000", "nonce": "0x3", "codeHash": B256::repeat_byte(1), "storageHash": B256::repeat_byte(2),
        "accountProof": ["0xc0", "0xc20102"],
        "storageProof": [
            { "key": whole, "value": "0x7", "proof": ["0xc20304"] },
            { "key": "0x8", "value": "0x8", "proof": ["0xc20304"] },
        ],
    });
    assert_eq!(result(at, "eth_getProof", json!([ALICE, [whole, "0x08"], "latest"])).await, proof);
    assert_eq!(result(at, "eth_getProof", json!([ALICE, []])).await["storageProof"], json!([]));
    let many = vec!["0x0"; 1025];
    for (wrong, part) in [
        (json!([ALICE]), "missing value for required argument 1 (storageKeys)"),
        (json!([ALICE, "0x1", "latest"]), "invalid argument 1 (storageKeys)"),
        (json!([ALICE, [format!("0x1{}", "0".repeat(64))], "latest"]), "invalid argument 1 (storageKeys)"),
        (json!([ALICE, many, "latest"]), "invalid argument 1 (storageKeys): 1025 keys, want at most 1024"),
    ] {
        let (code, message) = failure(at, "eth_getProof", wrong).await;
        assert!(code == -32602 && message.contains(part), "{code} {message}");
    }
    assert_eq!(failure(at, "eth_getProof", json!([ALICE, [], "earliest"])).await.0, -32000);
}

#[tokio::test]
async fn a_call_answers_what_the_contract_returned() {
    let server = Server::start().await;
    let at = server.address;
    assert_eq!(result(at, "eth_call", json!([{ "to": CONTRACT, "data": "0x1234" }, "latest"])).await, "0x1234");
    assert_eq!(
        result(at, "eth_call", json!([{ "to": CONTRACT, "input": "0x1234", "data": "0x1234", "chainId": "0x539" }, "latest", {}])).await,
        "0x1234"
    );
    assert_eq!(result(at, "eth_estimateGas", json!([{ "to": CONTRACT }])).await, "0x5208");
    let overrides = json!({ CONTRACT.to_string(): { "code": "0x6001" } });
    assert_eq!(result(at, "eth_call", json!([{ "to": CONTRACT, "data": "0x1234" }, "latest", overrides, { "number": "0x9" }])).await, "0x6001");
    for (wrong, part) in [
        (json!([]), "missing value for required argument 0 (transaction)"),
        (json!([7]), "invalid argument 0 (transaction)"),
        (json!([{ "to": "0x12" }]), "invalid argument 0 (transaction)"),
        (json!([{ "input": "0x12", "data": "0x34" }]), "not equal"),
        (json!([{ "chainId": "0x1" }]), "chainId does not match node's (have=1, want=1337)"),
        (json!([{ "gasPrice": "0x1", "maxFeePerGas": "0x1" }]), "both gasPrice and"),
        (json!([{}, "latest", { ALICE.to_string(): { "balance": "0xz" } }]), &format!("invalid argument 2 (stateOverride): {ALICE}.balance: ")),
        (json!([{}, "latest", { ALICE.to_string(): { "state": {}, "stateDiff": {} } }]), &format!("{ALICE}: both state and stateDiff are set")),
        (json!([{}, "latest", {}, { "time": "soon" }]), "invalid argument 3 (blockOverride): time: "),
        (json!([{}, "latest", {}, { "timestmp": "0x1" }]), "invalid argument 3 (blockOverride): timestmp: no such key"),
        (json!([{}, "latest", {}, { "difficulty": "0x1" }]), "invalid argument 3 (blockOverride): difficulty: a call does not see it"),
    ] {
        let (code, message) = failure(at, "eth_call", wrong).await;
        assert!(code == -32602 && message.contains(part), "{code} {message}");
    }
}

#[tokio::test]
async fn a_revert_has_code_3_its_reason_and_its_data() {
    let server = Server::start().await;
    let mut data = vec![0x08, 0xc3, 0x79, 0xa0];
    data.extend(U256::from(32).to_be_bytes::<32>());
    data.extend(U256::from(4).to_be_bytes::<32>());
    data.extend(b"nope");
    data.extend([0; 28]);
    server.node.faults.lock().unwrap().call = Some(BackendError::Reverted { data: data.clone().into() });
    for method in ["eth_call", "eth_estimateGas"] {
        let error = call(server.address, method, json!([{}])).await["error"].clone();
        assert_eq!(error, json!({ "code": 3, "message": "execution reverted: nope", "data": Bytes::from(data.clone()) }), "{method}");
    }
}

#[tokio::test]
async fn every_end_of_a_call_has_its_code() {
    let server = Server::start().await;
    for (error, expected) in [
        (BackendError::Halted("out of gas".into()), (-32000, "out of gas")),
        (BackendError::NotExecutable("insufficient funds for transfer".into()), (-32000, "insufficient funds for transfer")),
        (BackendError::Unavailable("execution is restarting".into()), (-32002, "temporarily unavailable: execution is restarting")),
        (BackendError::Timeout, (-32002, "request timed out")),
        (BackendError::Internal("x".into()), (-32603, "internal error: x")),
        (BackendError::Reverted { data: Bytes::new() }, (3, "execution reverted")),
    ] {
        server.node.faults.lock().unwrap().call = Some(error);
        assert_eq!(failure(server.address, "eth_call", json!([{}])).await, (expected.0, expected.1.to_owned()));
    }
}

#[tokio::test]
async fn a_transaction_is_taken_as_it_came() {
    let server = Server::start().await;
    let hash = result(server.address, "eth_sendRawTransaction", json!(["0x02c0"])).await;
    assert_eq!(hash, json!(keccak256([0x02, 0xc0])));
    assert_eq!(*server.node.submitted.lock().unwrap(), [Bytes::from_static(&[0x02, 0xc0])]);
    for wrong in [json!([]), json!([{}]), json!(["0x0"]), json!(["zz"]), json!(["0x02", 1])] {
        assert_eq!(failure(server.address, "eth_sendRawTransaction", wrong).await.0, -32602);
    }
    assert_eq!(failure(server.address, "eth_sendRawTransaction", json!(["0x"])).await, (-32000, "malformed transaction: no bytes".into()));
}

#[tokio::test]
async fn a_rejection_speaks_geth() {
    let server = Server::start().await;
    let (have, want) = (U256::from(1), U256::from(2));
    for (rejection, message) in [
        (Rejection::NonceTooLow { next: 5, nonce: 3 }, "nonce too low: next nonce 5, tx nonce 3"),
        (Rejection::InsufficientFunds { have, want }, "insufficient funds for gas * price + value: have 1 want 2"),
        (Rejection::AlreadyKnown, "already known"),
        (Rejection::ReplacementUnderpriced, "replacement transaction underpriced"),
        (Rejection::IntrinsicGasTooLow { have: 20_000, want: 21_000 }, "intrinsic gas too low: have 20000, want 21000"),
        (Rejection::WrongChain { have: 1, want: CHAIN_ID }, "invalid chain id for signer: have 1 want 1337"),
    ] {
        server.node.faults.lock().unwrap().submit = Some(rejection.into());
        assert_eq!(failure(server.address, "eth_sendRawTransaction", json!(["0x02"])).await, (-32000, message.to_owned()));
    }
}

#[tokio::test]
async fn fees_of_the_past_end_with_those_of_the_next_block() {
    let server = Server::start().await;
    let at = server.address;
    let history = result(at, "eth_feeHistory", json!(["0x2", "latest", [0, 50, 100]])).await;
    assert_eq!(history["oldestBlock"], "0x1");
    assert_eq!(history["baseFeePerGas"].as_array().unwrap().len(), 3);
    assert_eq!(history["baseFeePerBlobGas"].as_array().unwrap().len(), 3);
    assert_eq!(history["gasUsedRatio"], json!([121_000.0 / 30e6, 0.001]));
    assert_eq!(history["reward"], json!([["0x3b9aca00", "0x3b9aca00", "0x3b9aca00"], ["0x3b9aca00", "0x3b9aca00", "0x3b9aca00"]]));
    assert_eq!(result(at, "eth_feeHistory", json!([1000, "latest"])).await["oldestBlock"], "0x0");
    assert_eq!(result(at, "eth_feeHistory", json!(["0x0", "latest", []])).await["gasUsedRatio"], json!([]));
    for wrong in [
        json!([]),
        json!(["0x1"]),
        json!(["0x1", "0x99"]),
        json!(["0x1", "latest", [50, 10]]),
        json!(["0x1", "latest", ["a"]]),
        json!([-1, "latest"]),
    ] {
        assert_eq!(failure(at, "eth_feeHistory", wrong).await.0, -32602);
    }
}

#[tokio::test]
async fn logs_are_found_by_address_topic_and_place() {
    let server = Server::start().await;
    let at = server.address;
    let hash = server.node.block_at(1).hash;
    let all = json!({ "fromBlock": "earliest", "toBlock": "latest" });
    let with = |field: &str, value: Value| {
        let mut filter = all.clone();
        filter[field] = value;
        filter
    };
    for (filter, count) in [
        (all.clone(), 3),
        (json!({}), 1),
        (json!({ "blockHash": hash }), 2),
        (with("address", json!(CONTRACT)), 3),
        (with("address", json!([ALICE, CONTRACT])), 3),
        (with("address", json!(ALICE)), 0),
        (with("topics", json!([TOPIC])), 3),
        (with("topics", json!([null, OTHER_TOPIC])), 1),
        (with("topics", json!([[OTHER_TOPIC, TOPIC], [OTHER_TOPIC]])), 1),
        (with("topics", json!([OTHER_TOPIC])), 0),
        (with("topics", json!([])), 3),
        (json!({ "fromBlock": "0x9", "toBlock": "latest" }), 0),
    ] {
        let found = result(at, "eth_getLogs", json!([filter])).await;
        assert_eq!(found.as_array().unwrap().len(), count, "{filter}");
    }
    let logs = result(at, "eth_getLogs", json!([with("topics", json!([null, OTHER_TOPIC]))])).await;
    let expected = json!({
        "address": CONTRACT, "topics": [TOPIC, OTHER_TOPIC], "data": "0x01", "blockHash": hash, "blockNumber": "0x1", "blockTimestamp": "0x6955b901",
        "transactionHash": server.node.block_at(1).block.body.transactions[1].tx_hash(), "transactionIndex": "0x1", "logIndex": "0x1", "removed": false,
    });
    assert_eq!(logs[0], expected);
}

#[tokio::test]
async fn a_filter_that_makes_no_sense_is_refused() {
    let server = Server::start().await;
    for wrong in [
        json!({ "fromBlock": "0x2", "toBlock": "0x1" }),
        json!({ "blockHash": B256::ZERO, "fromBlock": "0x1" }),
        json!({ "topics": [TOPIC, TOPIC, TOPIC, TOPIC, TOPIC] }),
        json!({ "topics": ["0x12"] }),
        json!({ "addres": CONTRACT }),
        json!([]),
        json!({ "topics": [(0..1001).map(|byte| B256::from(U256::from(byte))).collect::<Vec<_>>()] }),
    ] {
        assert_eq!(failure(server.address, "eth_getLogs", json!([wrong])).await.0, -32602, "{wrong}");
    }
    assert_eq!(failure(server.address, "eth_getLogs", json!([{ "blockHash": B256::ZERO }])).await, (-32000, "header not found".into()));
}
