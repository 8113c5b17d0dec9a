//! Traces: what is asked of the node, in which shape it answers, and what is refused.

use alloy_primitives::B256;
use api::BackendError;
use serde_json::{Value, json};

use crate::{
    client::{failure, result},
    node::transfer,
    server::Server,
};

const STEPS: &str = "Steps(StepOptions { enable_memory: false, disable_stack: false, disable_storage: false, enable_return_data: false, limit: 0 })";
const CALLS: &str = "Calls(CallOptions { only_top_call: false, with_log: true })";

#[tokio::test]
async fn a_transaction_is_traced_where_it_was_decided() {
    let server = Server::start().await;
    let at = server.address;
    let hash = server.node.block_at(1).block.body.transactions[1].tx_hash().to_owned();
    assert_eq!(result(at, "debug_traceTransaction", json!([hash])).await, json!(["1/1", STEPS, "5s"]));
    let config = json!({ "tracer": "callTracer", "tracerConfig": { "withLog": true }, "timeout": "1500ms" });
    assert_eq!(result(at, "debug_traceTransaction", json!([hash, config])).await, json!(["1/1", CALLS, "1.5s"]));
    for unknown in [B256::ZERO, *transfer(3).tx_hash()] {
        assert_eq!(failure(at, "debug_traceTransaction", json!([unknown])).await, (-32000, "transaction not found".into()));
    }
}

#[tokio::test]
async fn a_block_is_traced_transaction_by_transaction() {
    let server = Server::start().await;
    let at = server.address;
    let block = server.node.block_at(1);
    let traced = |index: usize| json!({ "txHash": block.block.body.transactions[index].tx_hash(), "result": [format!("1/{index}"), STEPS, "5s"] });
    let expected = json!([traced(0), traced(1)]);
    assert_eq!(result(at, "debug_traceBlockByNumber", json!(["0x1"])).await, expected);
    assert_eq!(result(at, "debug_traceBlockByHash", json!([block.hash, {}])).await, expected);
    assert_eq!(result(at, "debug_traceBlockByNumber", json!(["latest", null])).await.as_array().map(Vec::len), Some(1));
    for (method, unknown) in [("debug_traceBlockByNumber", json!("0x99")), ("debug_traceBlockByHash", json!(B256::ZERO))] {
        assert_eq!(failure(at, method, json!([unknown])).await, (-32000, "header not found".into()));
    }
}

#[tokio::test]
async fn a_call_is_traced_at_a_block() {
    let server = Server::start().await;
    let at = server.address;
    let call = json!({ "input": "0xabcd" });
    assert_eq!(result(at, "debug_traceCall", json!([call, "latest"])).await, json!(["0xabcd", STEPS, "5s"]));
    assert_eq!(failure(at, "debug_traceCall", json!([call, "0x1"])).await.0, -32000);
    let overrides = json!({ "stateOverrides": { B256::ZERO.to_string(): {} } });
    let (code, message) = failure(at, "debug_traceCall", json!([call, "latest", overrides])).await;
    assert!(code == -32602 && message.starts_with("invalid argument 2 (config): stateOverrides: 0x0000"), "{message}");
    let (code, message) = failure(at, "debug_traceCall", json!([call, "latest", { "overrides": {} }])).await;
    assert!(code == -32602 && message.ends_with("use stateOverrides or blockOverrides"), "{message}");
    let block = json!({ "blockOverrides": { "number": "0x1" } });
    assert_eq!(result(at, "debug_traceCall", json!([call, "latest", block])).await, json!(["0xabcd", STEPS, "5s"]));
    let (code, message) = failure(at, "debug_traceBlockByNumber", json!(["0x1", block])).await;
    assert!(code == -32602 && message.ends_with("use debug_traceCall"), "{message}");
}

#[tokio::test]
async fn a_tracer_that_is_not_there_is_named() {
    let server = Server::start().await;
    for (method, first) in [("debug_traceTransaction", json!(B256::ZERO)), ("debug_traceBlockByNumber", json!("0x1"))] {
        let (code, message) = failure(server.address, method, json!([first, { "tracer": "4byteTracer" }])).await;
        assert_eq!(code, -32602);
        assert!(message.starts_with("invalid argument 1 (config): no such tracer: 4byteTracer; there are"), "{message}");
    }
    for parameters in [json!([]), json!([Value::Null]), json!(["0x1", 1]), json!(["latest", {}, 1])] {
        assert_eq!(failure(server.address, "debug_traceBlockByNumber", parameters).await.0, -32602);
    }
}

#[tokio::test]
async fn a_trace_that_takes_too_long_or_too_much_says_which_limit() {
    let server = Server::start().await;
    let refused = async |error: BackendError| {
        server.node.faults.lock().unwrap().trace = Some(error);
        failure(server.address, "debug_traceBlockByNumber", json!(["0x1", { "timeout": "1ms" }])).await
    };
    let (code, message) = refused(BackendError::Timeout).await;
    assert_eq!((code, message.as_str()), (-32005, "execution timeout: the trace took longer than 1ms; a timeout may be up to 20s"));
    assert_eq!(refused(BackendError::LimitExceeded("too large".into())).await, (-32005, "too large".into()));
}
