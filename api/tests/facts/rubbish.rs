//! What is no JSON-RPC, and what only looks like it.

use serde_json::{Value, json};

use crate::{
    client::{call, error, exchange, post, result},
    server::Server,
};

#[tokio::test]
async fn an_unknown_method_is_exactly_method_not_found() {
    let server = Server::start().await;
    for method in ["eth_unknown", "", "rpc_module", "engine_newPayloadV4"] {
        let (code, message) = error(&call(server.address, method, json!([])).await);
        assert_eq!((code, message), (-32601, format!("the method {method} does not exist/is not available")));
    }
    let long = "x".repeat(10_000);
    assert!(error(&call(server.address, &long, json!([])).await).1.len() < 200);
}

#[tokio::test]
async fn what_cannot_be_read_is_a_parse_error() {
    let server = Server::start().await;
    for body in ["{", "[", "{\"jsonrpc\":", "null", "", "\u{0}", "hello", "[1,"] {
        assert_eq!(post(server.address, body).await.error().0, -32700, "'{body}'");
    }
    assert_eq!(post(server.address, [0xff, 0xfe, b'{']).await.error().0, -32700);
    assert_eq!(post(server.address, [b'{', 0xff]).await.error().0, -32700);
}

#[tokio::test]
async fn what_can_be_read_and_is_no_call_is_an_invalid_request() {
    let server = Server::start().await;
    for body in [
        json!({}),
        json!({ "id": 1, "method": "eth_chainId" }),
        json!({ "jsonrpc": "1.0", "id": 1, "method": "eth_chainId" }),
        json!({ "jsonrpc": "2.0", "id": 1 }),
        json!({ "jsonrpc": "2.0", "id": 1, "method": 7 }),
    ] {
        let code = post(server.address, body.to_string()).await.error().0;
        assert_eq!(code, -32600, "{body}");
    }
}

#[tokio::test]
async fn an_id_comes_back_as_it_was_sent() {
    let server = Server::start().await;
    for id in [json!(1), json!("abc"), json!(0), json!(u64::MAX), Value::Null] {
        let answer = post(server.address, json!({ "jsonrpc": "2.0", "id": id, "method": "eth_chainId" }).to_string()).await.json();
        assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": id, "result": "0x539" }));
    }
}

#[tokio::test]
async fn depth_is_refused_and_harms_nothing() {
    let server = Server::start().await;
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert!(post(server.address, &deep).await.status < 500);
    assert!(post(server.address, "[".repeat(200_000)).await.status < 500);
    assert!(post(server.address, "{\"a\":".repeat(200_000)).await.status < 500);
    let in_params = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_call\",\"params\":[{deep}]}}");
    assert_eq!(post(server.address, &in_params).await.error().0, -32602);
    assert_eq!(result(server.address, "eth_chainId", json!([])).await, "0x539");
}

#[tokio::test]
async fn a_body_of_more_than_5_mib_is_refused() {
    let server = Server::start().await;
    let answer = post(server.address, vec![b' '; (5 << 20) + 1]).await;
    assert_eq!((answer.status, answer.error().0), (413, -32007));
    let largest = format!("{}{}", " ".repeat((5 << 20) - 100), json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_chainId" }));
    // The parser looks for the first character near the start only.
    assert_eq!(post(server.address, largest).await.status, 400);
    let padded = json!({ "jsonrpc": "2.0", "id": 1, "method": "web3_sha3", "params": [format!("0x{}", "00".repeat(2 << 20))] });
    assert!(post(server.address, padded.to_string()).await.json()["result"].is_string());
}

#[tokio::test]
async fn a_batch_answers_each_entry_in_its_place() {
    let server = Server::start().await;
    let batch = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "eth_chainId" },
        7,
        { "jsonrpc": "2.0", "method": "eth_chainId" },
        { "jsonrpc": "2.0", "id": "b", "method": "eth_nothing" },
        { "id": 9 },
        { "jsonrpc": "2.0", "id": 2, "method": "eth_getBalance", "params": ["0x12"] },
    ]);
    let answers = post(server.address, batch.to_string()).await.json();
    let answers = answers.as_array().unwrap();
    let codes: Vec<(Value, Option<i64>)> = answers.iter().map(|answer| (answer["id"].clone(), answer["error"]["code"].as_i64())).collect();
    let expected = [(json!(1), None), (Value::Null, Some(-32600)), (json!("b"), Some(-32601)), (json!(9), Some(-32600)), (json!(2), Some(-32602))];
    assert_eq!(codes, expected);
}

#[tokio::test]
async fn a_batch_has_at_least_1_and_at_most_1000_entries() {
    let server = Server::start().await;
    let one = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_chainId" });
    let of = |count: usize| Value::Array(vec![one.clone(); count]).to_string();
    assert_eq!(post(server.address, of(1_000)).await.json().as_array().unwrap().len(), 1_000);
    assert_eq!(post(server.address, of(1_001)).await.error().0, -32010);
    assert_eq!(post(server.address, of(0)).await.error().0, -32600);
}

#[tokio::test]
async fn a_notification_is_carried_out_and_answered_with_nothing() {
    let server = Server::start().await;
    let notification = json!({ "jsonrpc": "2.0", "method": "eth_sendRawTransaction", "params": ["0x02"] });
    for body in [notification.clone(), json!([notification, notification])] {
        let answer = post(server.address, body.to_string()).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    }
    assert_eq!(server.node.submitted.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn what_is_not_declared_as_json_is_refused() {
    let server = Server::start().await;
    // A page of a stranger may send text/plain without asking first.
    for headers in [&[("content-type", "text/plain")][..], &[]] {
        let answer = exchange(server.address, "POST", "/", headers, br#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#).await;
        assert_eq!(answer.status, 415);
    }
    assert_eq!(exchange(server.address, "PUT", "/", &[], b"").await.status, 405);
}
