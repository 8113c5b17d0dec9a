//! A public listener: what is for the operator is not answered there, over whatever it is asked.

use api::{Config, Offer};
use serde_json::json;

use crate::{
    client::{call, error, failure, get, result},
    server::{Server, config},
    websocket::Socket,
};

async fn offering(offer: Offer) -> Server {
    Server::with(Config { offer, ..config() }).await
}

#[tokio::test]
async fn traces_and_lists_of_the_pool_are_not_available_in_public() {
    let server = offering(Offer::USUAL).await;
    for method in ["debug_traceCall", "debug_getRawBlock", "debug_nothing", "txpool_content", "txpool_contentFrom", "txpool_inspect"] {
        let refused = (-32601, format!("the method {method} is not available on a public listener"));
        assert_eq!(failure(server.address, method, json!([])).await, refused);
        let mut socket = Socket::open(&server).await;
        assert_eq!(error(&socket.call(method, json!([])).await), refused);
    }
    assert_eq!(
        result(server.address, "rpc_modules", json!([])).await,
        json!({ "axolotl": "1.0", "eth": "1.0", "net": "1.0", "rpc": "1.0", "txpool": "1.0", "web3": "1.0" })
    );
}

#[tokio::test]
async fn reads_and_transactions_are_answered_in_public() {
    let server = offering(Offer::USUAL).await;
    for (method, params) in
        [("eth_call", json!([{}])), ("eth_getLogs", json!([{}])), ("eth_sendRawTransaction", json!(["0x01"])), ("txpool_status", json!([]))]
    {
        let answer = call(server.address, method, params).await;
        assert!(answer.get("result").is_some(), "{method}: {answer}");
    }
    for path in ["/health", "/livez", "/readyz", "/v1/status", "/v1/validators", "/v1/evidence", "/v1/openapi.json"] {
        assert_eq!(get(server.address, path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn pages_about_the_node_itself_are_not_available_in_public() {
    let server = offering(Offer::USUAL).await;
    for path in ["/v1/actors", "/v1/peers", "/v1/actors?chain=alpha"] {
        let answer = get(server.address, path).await;
        let page = path.split('?').next().unwrap();
        assert_eq!((answer.status, &answer.json()["error"]["message"]), (404, &json!(format!("{page} is not available on a public listener"))));
    }
    let index = get(server.address, "/").await.body;
    assert!(index.contains("/v1/status") && !index.contains("/v1/actors") && !index.contains("metrics"), "{index}");
}

#[tokio::test]
async fn what_the_operator_allows_is_answered_in_public() {
    let server = offering(Offer { debug: true, ..Offer::USUAL }).await;
    assert_eq!(result(server.address, "debug_getBadBlocks", json!([])).await, json!([]));
    assert_eq!(failure(server.address, "txpool_content", json!([])).await.0, -32601);
    let server = offering(Offer { operator: true, ..Offer::USUAL }).await;
    assert_eq!(get(server.address, "/v1/actors").await.status, 200);
    assert_eq!(failure(server.address, "debug_getBadBlocks", json!([])).await.0, -32601);
}
