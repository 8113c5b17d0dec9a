//! Pages that tell how the node is, as JSON, and the list of addresses.

use axum::{
    Json,
    extract::State as Extract,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::State;
use crate::{
    Backend, BackendError, Health, Status,
    config::STATUS_LIMIT,
    rest::{Asked, Refusal},
};

#[derive(Debug, Deserialize)]
pub(super) struct Selection {
    chain: Option<String>,
}

/// 200 while the node does its work, well or not; 503 when it does not.
pub(super) async fn health<B: Backend>(Extract(state): Extract<State<B>>, Asked(selection): Asked<Selection>) -> Response {
    let Ok(health) = timeout(STATUS_LIMIT, state.backend.health()).await else {
        let reason = format!("the node did not say how it is within {} s", STATUS_LIMIT.as_secs());
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": Status::Down, "reasons": [reason] }))).into_response();
    };
    match select(health, selection.chain) {
        Ok(health) => {
            let code = if health.status == Status::Down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
            (code, Json(health)).into_response()
        }
        Err(unknown) => Refusal::not_found(unknown).into_response(),
    }
}

fn select(mut health: Health, chain: Option<String>) -> Result<Health, String> {
    let Some(name) = chain else { return Ok(health) };
    match health.chains.get(&name) {
        Some(chain) => health.chain = chain.clone(),
        None => {
            return Err(format!("there is no chain '{name}' here; the chains are {}", health.chains.keys().cloned().collect::<Vec<_>>().join(", ")));
        }
    }
    Ok(health)
}

/// The supervision tree.
pub(super) async fn actors<B: Backend>(Extract(state): Extract<State<B>>) -> Response {
    Json(state.backend.actors()).into_response()
}

pub(super) async fn peers<B: Backend>(Extract(state): Extract<State<B>>) -> Response {
    match timeout(STATUS_LIMIT, state.backend.peers()).await.unwrap_or(Err(BackendError::Timeout)) {
        Ok(peers) => Json(json!({ "peers": peers })).into_response(),
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
    let actors_and_peers = [("actors", format!("http://{host}/v1/actors")), ("peers", format!("http://{host}/v1/peers"))];
    let others = state.addresses.iter().map(|(what, address)| (what.as_str(), address.clone()));
    let operators = actors_and_peers.into_iter().chain(others).filter(|_| state.offer.operator);
    for (what, address) in ours.into_iter().chain(operators) {
        lines.push_str(&format!("{what:<26} {address}\n"));
    }
    lines.into_response()
}
