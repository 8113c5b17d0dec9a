//! Browsers, and those who use them against us.

use crate::{
    client::{Answer, exchange},
    server::Server,
};

async fn chain_id(server: &Server, headers: &[(&str, &str)]) -> Answer {
    let headers: Vec<_> = [("content-type", "application/json")].iter().chain(headers).copied().collect();
    exchange(server.address, "POST", "/", &headers, br#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#).await
}

#[tokio::test]
async fn a_rebound_name_is_refused() {
    let server = Server::start().await;
    for (host, status) in [("localhost:3030", 200), ("[::1]", 200), ("node.example:80", 200), ("evil.example", 403), ("evil.example:3030", 403)] {
        assert_eq!(chain_id(&server, &[("host", host)]).await.status, status, "{host}");
        assert_eq!(exchange(server.address, "GET", "/health", &[("host", host)], b"").await.status, status, "{host}");
    }
}

#[tokio::test]
async fn an_allowed_origin_may_read_and_another_may_not() {
    let server = Server::start().await;
    let allowed = chain_id(&server, &[("origin", "https://app.example")]).await;
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (200, Some("https://app.example")));
    assert_eq!(allowed.header("vary"), Some("origin"));
    let stranger = chain_id(&server, &[("origin", "https://evil.example")]).await;
    assert_eq!(stranger.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_preflight_is_answered_for_allowed_origins_only() {
    let server = Server::start().await;
    let ask = |origin| exchange(server.address, "OPTIONS", "/", vec![("origin", origin), ("access-control-request-method", "POST")].leak(), b"");
    let allowed = ask("https://app.example").await;
    assert_eq!((allowed.status, allowed.header("access-control-allow-headers")), (204, Some("content-type, traceparent")));
    assert_eq!(ask("https://evil.example").await.status, 403);
}

#[tokio::test]
async fn a_stranger_s_page_gets_no_websocket() {
    let server = Server::start().await;
    let headers = [
        ("origin", "https://evil.example"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    assert_eq!(exchange(server.address, "GET", "/", &headers, b"").await.status, 403);
}
