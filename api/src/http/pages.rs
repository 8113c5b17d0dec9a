//! Who is connected, and the list of addresses.

use axum::{
    Json,
    extract::State as Extract,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header};
use tokio::time::timeout;

use super::State;
use crate::{Backend, BackendError, config::STATUS_LIMIT, rest::Refusal};

pub(super) async fn peers<B: Backend>(Extract(state): Extract<State<B>>) -> Response {
    match timeout(STATUS_LIMIT, state.backend.peers()).await.unwrap_or(Err(BackendError::Timeout)) {
        Ok(peers) => Json(peers).into_response(),
        Err(error) => Refusal::from(error).into_response(),
    }
}

/// One line for each thing that can be asked here, with addresses that work for whoever asks.
pub(super) fn index<B: Backend>(state: &State<B>, headers: &HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    let mut lines = format!("{}, chain {}\n\n", state.backend.client_version(), state.backend.chain_id());
    let ours = [
        ("JSON-RPC over HTTP (POST)", format!("http://{host}/")),
        ("JSON-RPC over WebSocket", format!("ws://{host}/")),
        ("health", format!("http://{host}/health")),
        ("liveness and readiness", format!("http://{host}/livez http://{host}/readyz?verbose")),
        ("status, blocks, accounts", format!("http://{host}/v1/status")),
        ("OpenAPI document", format!("http://{host}/v1/openapi.json")),
    ];
    let actors_and_peers = [
        ("actors", format!("http://{host}/v1/actors")),
        ("events of the actors", format!("http://{host}/v1/events")),
        ("peers", format!("http://{host}/v1/peers")),
    ];
    let others = state.addresses.iter().map(|(what, address)| (what.as_str(), address.clone()));
    let operators = actors_and_peers.into_iter().chain(others).filter(|_| state.offer.operator);
    for (what, address) in ours.into_iter().chain(operators) {
        lines.push_str(&format!("{what:<26} {address}\n"));
    }
    lines.into_response()
}
