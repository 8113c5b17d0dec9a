//! A public listener: each client has its allowance, over HTTP, in batches and over WebSocket.

use api::{Config, Rate, RateLimits};
use serde_json::{Value, json};

use crate::{
    client::{Answer, exchange, get, post},
    server::{Server, config},
    websocket::Socket,
};

async fn limited(burst: u32, loopback: bool) -> Server {
    let rate = Rate { per_second: 1, burst };
    let limits = RateLimits { reads: rate, calls: rate, submits: rate, loopback };
    Server::with(Config { limits: Some(limits), ..config() }).await
}

fn call(id: u64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "eth_chainId", "params": [] })
}

/// The first of at most `tries` answers that says 429; a slow machine earns some requests back meanwhile.
async fn refused(tries: usize, ask: impl AsyncFn() -> Answer) -> Answer {
    for _ in 0..tries {
        let answer = ask().await;
        if answer.status == 429 {
            assert_eq!(answer.header("retry-after"), Some("1"), "{}", answer.body);
            return answer;
        }
    }
    panic!("nothing was refused in {tries} tries");
}

#[tokio::test]
async fn one_page_too_many_is_429_and_says_when_to_come_back() {
    let server = limited(2, true).await;
    let answer = refused(20, async || get(server.address, "/v1/status").await).await;
    assert_eq!(answer.json()["error"]["code"], "too_many");
    assert_eq!(answer.json()["error"]["message"], "too many reads from one address: 1/s burst 2 are allowed; try again in 1 s");
    refused(20, async || get(server.address, "/nothing").await).await;
}

#[tokio::test]
async fn each_class_is_counted_by_itself() {
    let server = limited(1, true).await;
    let submit = async || exchange(server.address, "POST", "/v1/transactions", &[("content-type", "application/json")], br#"{"raw":"0x01"}"#).await;
    refused(20, async || get(server.address, "/v1/status").await).await;
    assert_eq!(get(server.address, "/v1/blocks").await.status, 200);
    refused(20, async || get(server.address, "/v1/blocks").await).await;
    assert_eq!(submit().await.status, 202);
    refused(20, submit).await;
}

#[tokio::test]
async fn one_call_too_many_is_a_named_error_and_429() {
    let server = limited(1, true).await;
    let answer = refused(20, async || post(server.address, call(2).to_string()).await).await;
    assert_eq!(answer.error(), (-32005, "too many reads from one address: 1/s burst 1 are allowed; try again in 1 s".into()));
    assert_eq!((&answer.json()["id"], &answer.json()["error"]["data"]), (&json!(2), &json!({ "retry_after_seconds": 1 })));
}

#[tokio::test]
async fn every_call_of_a_batch_counts() {
    let server = limited(3, true).await;
    let batch: Vec<Value> = (0..5).map(call).collect();
    let answer = post(server.address, json!(batch).to_string()).await;
    let refused: Vec<bool> = answer.json().as_array().unwrap().iter().map(|answer| answer.get("error").is_some()).collect();
    assert_eq!((answer.status, refused), (200, vec![false, false, false, true, true]));
}

#[tokio::test]
async fn calls_over_a_websocket_count_for_the_same_client() {
    let server = limited(40, true).await;
    let mut socket = Socket::open(&server).await;
    let mut answered = 0;
    loop {
        socket.send(call(1)).await;
        let answer = socket.next().await.unwrap();
        if answer["error"]["code"] == -32005 {
            break;
        }
        answered += 1;
        assert!(answered < 80, "nothing is refused: {answer}");
    }
    refused(10, async || get(server.address, "/v1/status").await).await;
}

#[tokio::test]
async fn a_client_on_this_machine_is_not_limited_unless_that_was_asked_for() {
    let server = limited(1, false).await;
    for _ in 0..20 {
        assert_eq!(get(server.address, "/v1/status").await.status, 200);
    }
}
