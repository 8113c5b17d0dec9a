//! What a transaction did, as told by a validator that it was not sent to.

use alloy_consensus::{
    TxEip1559,
    private::alloy_primitives::{Bytes, TxKind},
};
use primitives::{Address, B256, U256};
use serde_json::{Value, json};

use crate::testnet::{CHAIN_ID, Testnet, Validator, account, secs, sign};

const GWEI: u128 = 1_000_000_000;
const GAS_LIMIT: u64 = 200_000;
/// Code that logs its first word as topic and as data, and stores its second word at the slot named by the first.
const RUNTIME: &[u8] = &[0x60, 0, 0x35, 0x80, 0x60, 0, 0x52, 0x60, 0x20, 0x60, 0, 0xa1, 0x60, 0x20, 0x35, 0x60, 0, 0x35, 0x55, 0];

async fn call(node: &Validator, method: &str, parameters: Value) -> Value {
    node.call(method, parameters.clone()).await.unwrap_or_else(|error| panic!("{method} {parameters}: {error}"))
}

async fn refusal(node: &Validator, method: &str, parameters: Value) -> String {
    node.call(method, parameters).await.unwrap_err().to_string()
}

/// A transaction of account 0.
fn transaction(nonce: u64, to: TxKind, input: Bytes) -> (B256, String) {
    let (max_fee_per_gas, max_priority_fee_per_gas) = (100 * GWEI, GWEI);
    let fields =
        TxEip1559 { chain_id: CHAIN_ID, nonce, gas_limit: GAS_LIMIT, max_fee_per_gas, max_priority_fee_per_gas, to, input, ..Default::default() };
    sign(0, fields)
}

/// The key of an address in a prestate.
fn key(address: impl ToString) -> String {
    address.to_string().to_lowercase()
}

/// Sends it to the first validator and answers the receipt, which the second has too.
async fn sent(net: &mut Testnet, (hash, raw): (B256, String)) -> Value {
    call(net.validator(0), "eth_sendRawTransaction", json!([raw])).await;
    let receipt = net.validator(1).receipt(hash, secs(30)).await;
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    receipt
}

#[tokio::test]
async fn another_validator_tells_what_a_transaction_did() {
    let mut net = Testnet::of(4).start().await;
    let len = RUNTIME.len() as u8;
    let init: Bytes = [&[0x60, len, 0x60, 12, 0x60, 0, 0x39, 0x60, len, 0x60, 0, 0xf3], RUNTIME].concat().into();
    let made = sent(&mut net, transaction(0, TxKind::Create, init.clone())).await;
    let contract: Address = made["contractAddress"].as_str().unwrap().parse().unwrap();
    let input: Bytes = [B256::with_last_byte(7), B256::with_last_byte(9)].concat().into();
    let receipt = sent(&mut net, transaction(1, contract.into(), input.clone())).await;
    let node = net.validator(1);
    frames(node, &made, &receipt, contract, &init).await;
    steps(node, &receipt, contract, &input).await;
    differences(node, &receipt, contract).await;
    refusals(node, &receipt, contract).await;
    crowd(node).await;
    assert_eq!(node.health().await.unwrap()["actors"]["restarts_1h"], 0);
    assert!(!node.log().contains("panicked"), "{}", node.log_tail());
}

async fn frames(node: &Validator, made: &Value, receipt: &Value, contract: Address, init: &Bytes) {
    let config = json!({ "tracer": "callTracer", "tracerConfig": { "withLog": true } });
    let frame = call(node, "debug_traceTransaction", json!([made["transactionHash"], config])).await;
    let expected = json!({
        "type": "CREATE", "from": account(0), "to": made["contractAddress"], "gas": U256::from(GAS_LIMIT), "gasUsed": made["gasUsed"],
        "input": init, "output": Bytes::from(RUNTIME), "value": "0x0",
    });
    assert_eq!(frame, expected);
    let frame = call(node, "debug_traceTransaction", json!([receipt["transactionHash"], config])).await;
    let log = &receipt["logs"][0];
    let logged = json!({ "address": contract, "topics": log["topics"], "data": log["data"], "index": log["logIndex"], "position": "0x0" });
    assert_eq!((&frame["gasUsed"], &frame["logs"]), (&receipt["gasUsed"], &json!([logged])));
    let traced = json!([{ "txHash": receipt["transactionHash"], "result": frame }]);
    assert_eq!(call(node, "debug_traceBlockByHash", json!([receipt["blockHash"], config])).await, traced);
    assert_eq!(call(node, "debug_traceBlockByNumber", json!([receipt["blockNumber"], config])).await, traced);
}

async fn steps(node: &Validator, receipt: &Value, contract: Address, input: &Bytes) {
    let steps = call(node, "debug_traceTransaction", json!([receipt["transactionHash"]])).await;
    let used: U256 = serde_json::from_value(receipt["gasUsed"].clone()).unwrap();
    assert_eq!((&steps["gas"], &steps["failed"], &steps["returnValue"]), (&json!(used.to::<u64>()), &json!(false), &json!("0x")));
    let stored = json!({ B256::with_last_byte(7).to_string(): B256::with_last_byte(9) });
    let ops = steps["structLogs"].as_array().unwrap();
    assert_eq!(ops.iter().find(|step| step["op"] == "SSTORE").unwrap()["storage"], stored);
    // The same call before there was anything at the slot.
    let parent = receipt["blockNumber"].as_str().map(|number| u64::from_str_radix(&number[2..], 16).unwrap() - 1).unwrap();
    let request = json!({ "from": account(0), "to": contract, "input": input, "gas": U256::from(GAS_LIMIT) });
    let called = call(node, "debug_traceCall", json!([request, format!("{parent:#x}")])).await;
    assert_eq!(called["gas"], steps["gas"]);
    assert_eq!(called["structLogs"].as_array().unwrap().len(), ops.len());
}

async fn differences(node: &Validator, receipt: &Value, contract: Address) {
    let config = json!({ "tracer": "prestateTracer", "tracerConfig": { "diffMode": true } });
    let difference = call(node, "debug_traceTransaction", json!([receipt["transactionHash"], config])).await;
    let stored = json!({ B256::with_last_byte(7).to_string(): B256::with_last_byte(9) });
    assert_eq!(difference["post"][key(contract)], json!({ "storage": stored }));
    let sender = &difference["post"][key(account(0))];
    assert_eq!(sender["nonce"], 2);
    let balance = call(node, "eth_getBalance", json!([account(0), receipt["blockNumber"]])).await;
    assert_eq!(sender["balance"], balance);
}

async fn refusals(node: &Validator, receipt: &Value, contract: Address) {
    let hash = &receipt["transactionHash"];
    for (config, reason) in [
        (json!({ "tracer": "opcodeTracer" }), "no such tracer: opcodeTracer"),
        (json!({ "timeout": "soon" }), "timeout: soon is no duration"),
        (json!({ "tracer": "callTracer", "tracerConfig": { "withLog": "yes" } }), "tracerConfig: invalid type"),
    ] {
        let error = refusal(node, "debug_traceTransaction", json!([hash, config])).await;
        assert!(error.contains(reason), "{error}");
    }
    let error = refusal(node, "debug_traceTransaction", json!([B256::ZERO])).await;
    assert!(error.contains("transaction not found"), "{error}");
    let error = refusal(node, "debug_traceBlockByNumber", json!(["earliest"])).await;
    assert!(error.contains("genesis is not traceable"), "{error}");
    // Runs until its gas is spent, with a step for each opcode.
    let endless = json!({ "input": "0x5b600056" });
    let error = refusal(node, "debug_traceCall", json!([endless, "latest", { "timeout": "20s" }])).await;
    assert!(error.contains("the trace exceeds 25165824 bytes"), "{error}");
    let error = refusal(node, "debug_traceCall", json!([endless, "latest", { "timeout": "1us", "disableStack": true }])).await;
    assert!(error.contains("execution timeout: the trace took longer than 1"), "{error}");
    let poor = json!({ "from": contract, "to": contract, "value": "0x1" });
    let error = refusal(node, "debug_traceCall", json!([poor, "latest"])).await;
    assert!(error.contains("lack of funds"), "{error}");
}

/// More traces at once than may wait: those beyond are refused, and the node goes on.
async fn crowd(node: &Validator) {
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let client = node.client();
        let parameters = json!([{ "input": "0x5b600056" }, "latest", { "timeout": "300ms", "disableStack": true, "limit": 1 }]);
        asked.spawn(async move { client.call("debug_traceCall", parameters).await });
    }
    let errors: Vec<String> = asked.join_all().await.into_iter().filter_map(|answer| Some(answer.err()?.to_string())).collect();
    let refused = errors.iter().filter(|error| error.contains("16 traces run or wait already")).count();
    let late = errors.iter().filter(|error| error.contains("execution timeout")).count();
    assert!((1..=24).contains(&refused) && refused + late == errors.len(), "{errors:?}");
    assert_eq!(call(node, "debug_traceCall", json!([{ "to": account(0) }])).await["gas"], 21_000);
}
