//! Calls on accounts and blocks that are not as they were decided, asked of a running validator.

use serde_json::{Value, json};

use crate::testnet::{Testnet, Validator, account, secs};

const CONTRACT: &str = "0x00000000000000000000000000000000000000c0";
const POOR: &str = "0x00000000000000000000000000000000000000bb";
/// Answers slot 7: PUSH1 7 SLOAD PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN.
const LOAD: &str = "0x60075460005260206000f3";
/// Answers the number of the block.
const NUMBER: &str = "0x4360005260206000f3";

fn word(number: u64) -> String {
    format!("{number:#066x}")
}

async fn answer(node: &Validator, method: &str, parameters: Value) -> Value {
    node.call(method, parameters.clone()).await.unwrap_or_else(|error| panic!("{method} {parameters}: {error}"))
}

#[tokio::test]
async fn a_call_an_estimate_an_access_list_and_a_trace_find_what_is_overridden_and_nothing_of_it_stays() {
    let mut net = Testnet::of(4).start().await;
    net.reach(1).within(secs(30)).await;
    let node = net.validator(2);
    let stored = json!({ CONTRACT: { "code": LOAD, "stateDiff": { word(7): word(42) } } });
    let call = json!({ "to": CONTRACT });
    assert_eq!(answer(node, "eth_call", json!([call, "latest", stored])).await, word(42));
    let listed = answer(node, "eth_createAccessList", json!([call, "latest", stored])).await;
    assert_eq!(listed["accessList"], json!([{ "address": CONTRACT, "storageKeys": [word(7)] }]));
    let traced = answer(node, "debug_traceCall", json!([call, "latest", { "tracer": "callTracer", "stateOverrides": stored }])).await;
    assert_eq!(traced["output"], word(42));
    let numbered = json!({ CONTRACT: { "code": NUMBER } });
    assert_eq!(answer(node, "eth_call", json!([call, "latest", numbered, { "number": "0x3e8" }])).await, word(1000));

    let transfer = json!({ "from": POOR, "to": account(1), "value": "0x1", "gasPrice": "0x2540be400" });
    let refused = node.call("eth_estimateGas", json!([transfer])).await.unwrap_err().to_string();
    assert!(refused.contains("insufficient funds"), "{refused}");
    let rich = json!({ POOR: { "balance": "0xde0b6b3a7640000" } });
    assert_eq!(answer(node, "eth_estimateGas", json!([transfer, "latest", rich])).await, "0x5208");

    for (state, reason) in [
        (json!({ POOR: { "movePrecompileToAddress": CONTRACT } }), ".movePrecompileToAddress: the account is not a precompile"),
        (json!({ POOR: { "code": "0xef0100" } }), ".code: "),
        (json!({ POOR: { "nonce": "first" } }), ".nonce: "),
    ] {
        let refused = node.call("eth_call", json!([call, "latest", state])).await.unwrap_err().to_string();
        assert!(refused.contains("-32602") && refused.to_lowercase().contains(&format!("{POOR}{}", reason.to_lowercase())), "{refused}");
    }
    assert_eq!(answer(node, "eth_getCode", json!([CONTRACT, "latest"])).await, "0x");
    assert_eq!(answer(node, "eth_call", json!([call])).await, "0x");
}
