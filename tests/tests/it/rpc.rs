//! Ethereum's JSON-RPC as clients use it: every method, every shape, every refusal, over HTTP and WebSocket.

use alloy_consensus::{
    TxEip1559, TxEip2930, TxEip7702, TxLegacy,
    crypto::secp256k1::sign_message,
    private::alloy_primitives::{Bytes, TxKind},
};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip7702::Authorization,
};
use node::{client::ClientError, development::account_key};
use primitives::{Address, B256, U256};
use serde_json::{Value, json};

use crate::testnet::{CHAIN_ID, Socket, Testnet, Transfer, Validator, account, post, secs, sign};

const GWEI: u128 = 1_000_000_000;

/// Code that logs its first word as topic and as data, and stores its second word at the slot named by the first.
const RUNTIME: &[u8] = &[0x60, 0, 0x35, 0x80, 0x60, 0, 0x52, 0x60, 0x20, 0x60, 0, 0xa1, 0x60, 0x20, 0x35, 0x60, 0, 0x35, 0x55, 0];

const HEADER: &str = "baseFeePerGas blobGasUsed difficulty excessBlobGas extraData gasLimit gasUsed hash logsBloom miner mixHash nonce number
    parentBeaconBlockRoot parentHash receiptsRoot requestsHash sha3Uncles stateRoot timestamp transactionsRoot withdrawalsRoot";
const BLOCK: &str = "size transactions uncles withdrawals";
const TRANSACTION: &str = "blockHash blockNumber blockTimestamp chainId from gas gasPrice hash input nonce r s to transactionIndex type v value";
const TYPED: &str = "accessList yParity";
const DYNAMIC: &str = "maxFeePerGas maxPriorityFeePerGas";
const RECEIPT: &str = "blockHash blockNumber contractAddress cumulativeGasUsed effectiveGasPrice from gasUsed logs logsBloom status to
    transactionHash transactionIndex type";
const LOG: &str = "address blockHash blockNumber blockTimestamp data logIndex removed topics transactionHash transactionIndex";

/// `value` has exactly these keys.
#[track_caller]
fn has_keys(value: &Value, keys: &[&str]) {
    let mut expected: Vec<&str> = keys.iter().flat_map(|keys| keys.split_whitespace()).collect();
    expected.sort_unstable();
    let mut found: Vec<&str> = value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, expected, "{value}");
}

async fn call(node: &Validator, method: &str, parameters: Value) -> Value {
    node.call(method, parameters.clone()).await.unwrap_or_else(|error| panic!("{method} {parameters}: {error}"))
}

/// The code with which a call is refused; 0 when it is answered.
async fn code(node: &Validator, method: &str, parameters: Value) -> i64 {
    match node.call(method, parameters).await {
        Ok(_) => 0,
        Err(ClientError::Refused { code, message, .. }) => {
            assert!(!message.is_empty(), "{method}");
            code
        }
        Err(error) => panic!("{method}: {error}"),
    }
}

/// The time of the block that a receipt names.
async fn timestamp(node: &Validator, receipt: &Value) -> Value {
    call(node, "eth_getHeaderByHash", json!([receipt["blockHash"]])).await["timestamp"].clone()
}

/// One transaction of each type, by account 0 with nonces from 0 on, in the order of their types; the last makes a contract.
fn transactions() -> Vec<(B256, String)> {
    let (to, gas_limit, fee) = (TxKind::from(Address::repeat_byte(0xaa)), 100_000, 100 * GWEI);
    let item = AccessListItem { address: Address::repeat_byte(5), storage_keys: vec![B256::ZERO] };
    let access_list = AccessList(vec![item]);
    let authorization = Authorization { chain_id: U256::from(CHAIN_ID), address: Address::repeat_byte(6), nonce: 0 };
    let signature = sign_message(account_key(5).expose().into(), authorization.signature_hash()).unwrap();
    let (max_fee_per_gas, max_priority_fee_per_gas, value) = (fee, GWEI, U256::from(1));
    let legacy = TxLegacy { chain_id: Some(CHAIN_ID), nonce: 0, gas_price: fee, gas_limit, to, value, ..Default::default() };
    let listed = TxEip2930 { chain_id: CHAIN_ID, nonce: 1, gas_price: fee, gas_limit, to, value, access_list, ..Default::default() };
    let delegating = TxEip7702 {
        chain_id: CHAIN_ID,
        nonce: 2,
        max_fee_per_gas,
        max_priority_fee_per_gas,
        gas_limit,
        to: Address::repeat_byte(0xaa),
        authorization_list: vec![authorization.into_signed(signature)],
        ..Default::default()
    };
    let len = RUNTIME.len() as u8;
    let init = [&[0x60, len, 0x60, 12, 0x60, 0, 0x39, 0x60, len, 0x60, 0, 0xf3], RUNTIME].concat();
    let making = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce: 3,
        max_fee_per_gas,
        max_priority_fee_per_gas,
        gas_limit,
        to: TxKind::Create,
        input: init.into(),
        ..Default::default()
    };
    vec![sign(0, legacy), sign(0, listed), sign(0, delegating), sign(0, making)]
}

/// A call of the contract: slot and value.
fn input(slot: u8, value: u8) -> Bytes {
    [B256::with_last_byte(slot), B256::with_last_byte(value)].concat().into()
}

/// A transaction that calls `contract`.
fn calling(contract: Address, nonce: u64) -> (B256, String) {
    let transaction = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 100_000,
        max_fee_per_gas: 100 * GWEI,
        max_priority_fee_per_gas: GWEI,
        to: contract.into(),
        input: input(7, 1 + nonce as u8),
        ..Default::default()
    };
    sign(0, transaction)
}

/// What the tests below ask about.
struct Scene {
    contract: Address,
    hash: B256,
    receipt: Value,
    /// Waits for ever, for its nonce is too high.
    queued: B256,
}

/// Sends one transaction of each type, and one that logs; looks at their shapes.
async fn scene(node: &Validator) -> Scene {
    let transactions = transactions();
    for (hash, raw) in &transactions {
        assert_eq!(call(node, "eth_sendRawTransaction", json!([raw])).await, json!(hash));
    }
    let keys: [&[&str]; 4] =
        [&[TRANSACTION], &[TRANSACTION, TYPED], &[TRANSACTION, TYPED, DYNAMIC, "authorizationList"], &[TRANSACTION, TYPED, DYNAMIC]];
    for ((hash, raw), keys) in transactions.iter().zip(keys) {
        let receipt = node.receipt(*hash, secs(20)).await;
        has_keys(&receipt, &[RECEIPT]);
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        let transaction = call(node, "eth_getTransactionByHash", json!([hash])).await;
        has_keys(&transaction, keys);
        assert_eq!((&transaction["type"], &transaction["blockTimestamp"]), (&receipt["type"], &timestamp(node, &receipt).await));
        assert_eq!(call(node, "eth_getRawTransactionByHash", json!([hash])).await, json!(raw));
    }
    let authorization = &call(node, "eth_getTransactionByHash", json!([transactions[2].0])).await["authorizationList"][0];
    has_keys(authorization, &["address chainId nonce r s yParity"]);
    let contract: Address = node.receipt(transactions[3].0, secs(1)).await["contractAddress"].as_str().unwrap().parse().unwrap();
    let (hash, raw) = calling(contract, 4);
    let receipt = call(node, "eth_sendRawTransactionSync", json!([raw, "0x4e20"])).await;
    assert_eq!(receipt, node.receipt(hash, secs(1)).await);
    has_keys(&receipt["logs"][0], &[LOG]);
    assert_eq!(receipt["logs"][0]["blockTimestamp"], timestamp(node, &receipt).await);
    let queued = node.submit(&Transfer::new(0, 9)).await.unwrap();
    Scene { contract, hash, receipt, queued }
}

/// A method with parameters that it answers: how many it needs, and how many it takes.
type Method = (&'static str, Value, usize, usize);

fn methods(scene: &Scene) -> Vec<Method> {
    let (who, contract, hash) = (account(0), scene.contract, scene.hash);
    let (block_hash, number) = (&scene.receipt["blockHash"], &scene.receipt["blockNumber"]);
    let request = json!({ "from": who, "to": contract, "data": input(1, 2) });
    let filter = json!({ "fromBlock": "0x0", "toBlock": "latest", "address": contract, "topics": [null] });
    vec![
        ("debug_getBadBlocks", json!([]), 0, 0),
        ("debug_getRawBlock", json!([number]), 1, 1),
        ("debug_getRawHeader", json!([number]), 1, 1),
        ("debug_getRawReceipts", json!([number]), 1, 1),
        ("debug_getRawTransaction", json!([hash]), 1, 1),
        ("debug_traceBlockByHash", json!([block_hash, {}]), 1, 2),
        ("debug_traceBlockByNumber", json!([number, {}]), 1, 2),
        ("debug_traceCall", json!([request, "latest", {}]), 1, 3),
        ("debug_traceTransaction", json!([hash, {}]), 1, 2),
        ("eth_accounts", json!([]), 0, 0),
        ("eth_baseFee", json!([]), 0, 0),
        ("eth_blobBaseFee", json!([]), 0, 0),
        ("eth_blockNumber", json!([]), 0, 0),
        ("eth_call", json!([request, "latest"]), 1, 4),
        ("eth_chainId", json!([]), 0, 0),
        ("eth_config", json!([]), 0, 0),
        ("eth_createAccessList", json!([request, "latest"]), 1, 4),
        ("eth_estimateGas", json!([request, "latest"]), 1, 4),
        ("eth_feeHistory", json!(["0x2", "latest", [50]]), 2, 3),
        ("eth_gasPrice", json!([]), 0, 0),
        ("eth_getBalance", json!([who, "latest"]), 1, 2),
        ("eth_getBlockByHash", json!([block_hash, true]), 1, 2),
        ("eth_getBlockByNumber", json!([number, true]), 1, 2),
        ("eth_getBlockReceipts", json!([number]), 1, 1),
        ("eth_getBlockTransactionCountByHash", json!([block_hash]), 1, 1),
        ("eth_getBlockTransactionCountByNumber", json!([number]), 1, 1),
        ("eth_getCode", json!([contract, "latest"]), 1, 2),
        ("eth_getHeaderByHash", json!([block_hash]), 1, 1),
        ("eth_getHeaderByNumber", json!([number]), 1, 1),
        ("eth_getLogs", json!([filter]), 1, 1),
        ("eth_getRawTransactionByBlockHashAndIndex", json!([block_hash, "0x0"]), 2, 2),
        ("eth_getRawTransactionByBlockNumberAndIndex", json!([number, "0x0"]), 2, 2),
        ("eth_getRawTransactionByHash", json!([hash]), 1, 1),
        ("eth_getStorageAt", json!([contract, "0x7", "latest"]), 2, 3),
        ("eth_getStorageValues", json!([{ contract.to_string(): ["0x7"] }, "latest"]), 1, 2),
        ("eth_getTransactionByBlockHashAndIndex", json!([block_hash, "0x0"]), 2, 2),
        ("eth_getTransactionByBlockNumberAndIndex", json!([number, "0x0"]), 2, 2),
        ("eth_getTransactionByHash", json!([hash]), 1, 1),
        ("eth_getTransactionCount", json!([who, "pending"]), 1, 2),
        ("eth_getTransactionReceipt", json!([hash]), 1, 1),
        ("eth_getUncleByBlockHashAndIndex", json!([block_hash, "0x0"]), 2, 2),
        ("eth_getUncleByBlockNumberAndIndex", json!([number, "0x0"]), 2, 2),
        ("eth_getUncleCountByBlockHash", json!([block_hash]), 1, 1),
        ("eth_getUncleCountByBlockNumber", json!([number]), 1, 1),
        ("eth_maxPriorityFeePerGas", json!([]), 0, 0),
        ("eth_newBlockFilter", json!([]), 0, 0),
        ("eth_newFilter", json!([filter]), 1, 1),
        ("eth_newPendingTransactionFilter", json!([true]), 0, 1),
        ("eth_syncing", json!([]), 0, 0),
        ("eth_uninstallFilter", json!(["0x1"]), 1, 1),
        ("net_listening", json!([]), 0, 0),
        ("net_peerCount", json!([]), 0, 0),
        ("net_version", json!([]), 0, 0),
        ("rpc_modules", json!([]), 0, 0),
        ("txpool_content", json!([]), 0, 0),
        ("txpool_contentFrom", json!([who]), 1, 1),
        ("txpool_inspect", json!([]), 0, 0),
        ("txpool_status", json!([]), 0, 0),
        ("web3_clientVersion", json!([]), 0, 0),
        ("web3_sha3", json!(["0x00"]), 1, 1),
    ]
}

/// Methods of which no parameters are always answered, with good ones all the same.
fn changing() -> Vec<Method> {
    vec![
        ("eth_getFilterChanges", json!(["0x1"]), 1, 1),
        ("eth_getFilterLogs", json!(["0x1"]), 1, 1),
        ("eth_sendRawTransaction", json!(["0x02"]), 1, 1),
        ("eth_sendRawTransactionSync", json!(["0x02", 1]), 1, 2),
    ]
}

#[tokio::test]
async fn every_method_answers_in_its_shape_and_refuses_what_is_wrong() {
    let mut net = Testnet::of(1).start().await;
    let node = net.validator(0);
    let scene = scene(node).await;
    let methods = methods(&scene);
    for (method, good, ..) in &methods {
        let found = call(node, method, good.clone()).await;
        let may_be_null = method.contains("Uncle");
        assert!(may_be_null || !found.is_null(), "{method}");
    }
    shapes(node, &scene).await;
    filters(node, &scene).await;
    waiting(node, &scene).await;
    for method in methods.into_iter().chain(changing()) {
        wrong(node, method).await;
    }
    let health = node.health().await.unwrap();
    assert_eq!(health["actors"]["restarts_1h"], 0, "{health}");
    assert!(!node.log().contains("panicked"), "{}", node.log_tail());
    assert_eq!(call(node, "eth_chainId", json!([])).await, json!(format!("{CHAIN_ID:#x}")));
}

/// Missing, superfluous, wrong and huge parameters.
async fn wrong(node: &Validator, (method, good, needed, taken): Method) {
    const INVALID: i64 = -32_602;
    let good = good.as_array().unwrap().clone();
    for count in 0..needed {
        assert_eq!(code(node, method, json!(good[..count])).await, INVALID, "{method} with {count} parameters");
    }
    let mut many = good.clone();
    many.resize(taken + 1, Value::Null);
    assert_eq!(code(node, method, json!(many)).await, INVALID, "{method} with too many parameters");
    assert_eq!(code(node, method, json!({ "name": 1 })).await, INVALID, "{method} with an object for parameters");
    let huge = json!("f".repeat(1 << 20));
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    for index in 0..good.len() {
        for wrong in [json!("zz"), json!(-1), json!(1.5), json!([[[]]]), huge.clone(), deep.clone(), json!("0x-1"), json!("\u{0}")] {
            let mut parameters = good.clone();
            parameters[index] = wrong.clone();
            let found = code(node, method, json!(parameters)).await;
            assert_eq!(found, INVALID, "{method}: parameter {index} is {:.50}", wrong.to_string());
        }
        // These are right for some; nobody fails over them.
        for odd in [Value::Null, json!({}), json!(true), json!("0x"), json!("0xffffffffffffffffff"), json!([]), json!({ "blockHash": B256::ZERO })] {
            let mut parameters = good.clone();
            parameters[index] = odd.clone();
            let found = code(node, method, json!(parameters)).await;
            assert!([0, 3, INVALID, -32_000, -32_005].contains(&found), "{method}: parameter {index} is {odd}: {found}");
        }
    }
}

/// Blocks, access lists, fees, receipts, raw bytes: key by key.
async fn shapes(node: &Validator, scene: &Scene) {
    let number = &scene.receipt["blockNumber"];
    let block = call(node, "eth_getBlockByNumber", json!([number, true])).await;
    has_keys(&block, &[HEADER, BLOCK]);
    has_keys(&block["transactions"][0], &[TRANSACTION, TYPED, DYNAMIC]);
    has_keys(&call(node, "eth_getHeaderByNumber", json!([number])).await, &[HEADER]);
    assert_eq!(call(node, "eth_getBlockReceipts", json!([number])).await, json!([scene.receipt]));
    assert_eq!(call(node, "eth_getLogs", json!([{ "fromBlock": number, "toBlock": number }])).await, scene.receipt["logs"]);
    let request = json!({ "from": account(0), "to": scene.contract, "data": input(1, 2) });
    let listed = call(node, "eth_createAccessList", json!([request])).await;
    assert_eq!(listed["accessList"], json!([{ "address": scene.contract, "storageKeys": [B256::with_last_byte(1)] }]));
    has_keys(&listed, &["accessList gasUsed"]);
    let history = call(node, "eth_feeHistory", json!(["0x2", "latest", [50]])).await;
    has_keys(&history, &["baseFeePerBlobGas baseFeePerGas blobGasUsedRatio gasUsedRatio oldestBlock reward"]);
    let config = call(node, "eth_config", json!([])).await;
    has_keys(&config, &["current last next"]);
    assert_eq!((&config["current"]["activationTime"], &config["next"]), (&json!(0), &Value::Null));
    assert_eq!(call(node, "eth_getUncleCountByBlockNumber", json!([number])).await, "0x0");
    let genesis = call(node, "eth_getBlockByNumber", json!(["earliest", true])).await;
    has_keys(&genesis, &[HEADER, BLOCK]);
    for (method, absent) in [
        ("eth_getBlockByHash", json!([B256::ZERO, true])),
        ("eth_getBlockByNumber", json!(["0xffffff", true])),
        ("eth_getBlockReceipts", json!(["0xffffff"])),
        ("eth_getTransactionByHash", json!([B256::ZERO])),
        ("eth_getTransactionReceipt", json!([B256::ZERO])),
        ("eth_getTransactionByBlockNumberAndIndex", json!([number, "0x9"])),
    ] {
        assert_eq!(call(node, method, absent).await, Value::Null, "{method}");
    }
    for method in ["eth_getBalance", "eth_getCode", "eth_getTransactionCount"] {
        for block in [json!({ "blockHash": B256::ZERO }), json!("0xffffff")] {
            assert_eq!(code(node, method, json!([account(0), block])).await, -32_000, "{method} at {block}");
        }
    }
    let notification = r#"{"jsonrpc":"2.0","method":"eth_chainId","params":[]}"#;
    assert_eq!(post(node.rpc, notification.as_bytes()).await, (204, String::new()));
}

/// Filters that are polled.
async fn filters(node: &Validator, scene: &Scene) {
    let (logs, blocks, pending) = (
        call(node, "eth_newFilter", json!([{ "address": scene.contract, "fromBlock": "0x0" }])).await,
        call(node, "eth_newBlockFilter", json!([])).await,
        call(node, "eth_newPendingTransactionFilter", json!([])).await,
    );
    let (hash, raw) = calling(scene.contract, 5);
    let receipt = call(node, "eth_sendRawTransactionSync", json!([raw, 20_000])).await;
    assert_eq!(call(node, "eth_getFilterChanges", json!([pending])).await, json!([hash]));
    assert_eq!(call(node, "eth_getFilterChanges", json!([logs])).await, receipt["logs"]);
    assert_eq!(call(node, "eth_getFilterChanges", json!([logs])).await, json!([]));
    assert_eq!(call(node, "eth_getFilterLogs", json!([logs])).await.as_array().unwrap().len(), 2);
    let hashes = call(node, "eth_getFilterChanges", json!([blocks])).await;
    assert!(hashes.as_array().unwrap().contains(&receipt["blockHash"]), "{hashes}");
    assert_eq!(call(node, "eth_uninstallFilter", json!([logs])).await, true);
    for method in ["eth_getFilterChanges", "eth_getFilterLogs"] {
        assert_eq!(code(node, method, json!([logs])).await, -32_000);
    }
}

/// What waits in the pool.
async fn waiting(node: &Validator, scene: &Scene) {
    let sender = account(0).to_checksum(None);
    let found = call(node, "eth_getTransactionByHash", json!([scene.queued])).await;
    has_keys(&found, &[TRANSACTION, TYPED, DYNAMIC]);
    assert!(["blockHash", "blockNumber", "blockTimestamp", "transactionIndex"].iter().all(|key| found[key].is_null()), "{found}");
    assert_eq!(found["gasPrice"], found["maxFeePerGas"]);
    assert_eq!(call(node, "txpool_status", json!([])).await, json!({ "pending": "0x0", "queued": "0x1" }));
    assert_eq!(call(node, "txpool_content", json!([])).await, json!({ "pending": {}, "queued": { &sender: { "9": found } } }));
    assert_eq!(call(node, "txpool_contentFrom", json!([account(0)])).await, json!({ "pending": {}, "queued": { "9": found } }));
    let line = format!("{}: 1 wei + 21000 gas × {} wei", Address::repeat_byte(0xaa).to_checksum(None), 100 * GWEI);
    assert_eq!(call(node, "txpool_inspect", json!([])).await["queued"], json!({ &sender: { "9": line } }));
    let (hash, raw) = Transfer::new(0, 12).sign();
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransactionSync", "params": [raw] });
    let refused: Value = serde_json::from_str(&post(node.rpc, body.to_string().as_bytes()).await.1).unwrap();
    assert_eq!((&refused["error"]["code"], &refused["error"]["data"]), (&json!(6), &json!("0x6")), "{refused}");
    assert!(node.is_pending(hash).await);
}

#[tokio::test]
async fn subscribers_of_every_validator_hear_of_the_same_blocks_logs_and_transactions() {
    let mut net = Testnet::of(4).start().await;
    let (mut first, mut last) = (Socket::open(net.validator(0).rpc).await, Socket::open(net.validator(3).rpc).await);
    let (heads, same_heads) = (first.subscribe(json!(["newHeads"])).await, last.subscribe(json!(["newHeads"])).await);
    let logs = last.subscribe(json!(["logs", { "topics": [B256::with_last_byte(7)] }])).await;
    let hashes = last.subscribe(json!(["newPendingTransactions"])).await;
    let full = last.subscribe(json!(["newPendingTransactions", true])).await;
    let node = net.validator(0);
    let made = transactions();
    for (_, raw) in &made {
        call(node, "eth_sendRawTransaction", json!([raw])).await;
    }
    for (hash, _) in &made {
        assert_eq!(last.told(&hashes).await, json!(hash));
        let transaction = last.told(&full).await;
        assert_eq!((&transaction["hash"], &transaction["blockHash"]), (&json!(hash), &Value::Null));
    }
    let contract: Address = node.receipt(made[3].0, secs(20)).await["contractAddress"].as_str().unwrap().parse().unwrap();
    let receipt = call(node, "eth_sendRawTransactionSync", json!([calling(contract, 4).1, 20_000])).await;
    assert_eq!(last.told(&logs).await, receipt["logs"][0]);
    let mut here = first.told(&heads).await;
    has_keys(&here, &[HEADER]);
    let mut there = last.told(&same_heads).await;
    while here["number"] != there["number"] {
        // Whoever subscribed later begins later; both then tell every block.
        let number = |head: &Value| u64::from_str_radix(&head["number"].as_str().unwrap()[2..], 16).unwrap();
        match number(&here) < number(&there) {
            true => here = first.told(&heads).await,
            false => there = last.told(&same_heads).await,
        }
    }
    for _ in 0..10 {
        assert_eq!(here, there);
        let parent = here["hash"].clone();
        (here, there) = (first.told(&heads).await, last.told(&same_heads).await);
        assert_eq!(here["parentHash"], parent);
    }
    assert_eq!(last.call("eth_unsubscribe", json!([logs])).await["result"], true);
    assert_eq!(last.call("eth_unsubscribe", json!([logs])).await["error"]["code"], -32_000);
    assert_eq!(last.call("eth_getBalance", json!([Address::repeat_byte(0xaa)])).await["result"], "0x2");
}
