//! The door through which transactions enter.

use alloy_primitives::{B256, Bytes, hex};
use axum::{
    body::{self, Body},
    extract::{Request, State as Extract},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{Found, Refusal, answer_with};
use crate::{
    Backend,
    config::{MAX_BODY_BYTES, RECEIVE_LIMIT},
    http::{State, is_large},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Submitted {
    /// In its EIP-2718 form, blobs beside it, as 0x-hex.
    raw: String,
}

#[derive(Debug, Serialize)]
struct Taken {
    hash: B256,
}

/// `POST /v1/transactions`: answers once the transaction is journalled and synced.
pub(crate) async fn submit<B: Backend>(Extract(state): Extract<State<B>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let _permit = match is_large(&parts.headers).then(|| state.large_bodies.try_acquire()) {
        Some(Err(_)) => return Refusal::unavailable("too many large requests at the same time; try again later").into_response(),
        permit => permit,
    };
    let raw = match receive(&parts.headers, body).await {
        Ok(raw) => raw,
        Err(refusal) => return refusal.into_response(),
    };
    let taken = async { Ok(Taken { hash: state.backend.submit(raw).await? }) };
    answer_with(&state, "v1_submit", StatusCode::ACCEPTED, taken).await
}

async fn receive(headers: &HeaderMap, body: Body) -> Found<Bytes> {
    // A page of a stranger may send anything else from a browser without being asked for its origin.
    if !is_json(headers) {
        return Err(Refusal::no_json("the body must be JSON; send content-type: application/json"));
    }
    let bytes = match timeout(RECEIVE_LIMIT, body::to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err(Refusal::too_large(format!("the body has more than {MAX_BODY_BYTES} bytes, or ended early"))),
        Err(_) => return Err(Refusal::too_slow(format!("the body did not arrive within {} s", RECEIVE_LIMIT.as_secs()))),
    };
    let raw = serde_json::from_slice(&bytes).ok().and_then(|Submitted { raw }| hex::decode(digits(&raw)?).ok());
    raw.map(Bytes::from).ok_or_else(|| Refusal::malformed("the body must be {\"raw\":\"0x..\"}, a signed transaction in hexadecimal digits"))
}

/// What follows the first `0x`; the parser would take a second one, or none.
fn digits(text: &str) -> Option<&str> {
    text.strip_prefix("0x").filter(|digits| !digits.starts_with("0x"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
