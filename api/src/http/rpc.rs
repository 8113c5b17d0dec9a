//! JSON-RPC over HTTP, and the door to the WebSocket.

use axum::{
    Extension,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State as Extract},
    response::{IntoResponse, Response},
};
use http::{Extensions, HeaderMap, StatusCode, header, request::Parts};
use jsonrpsee::{
    server::{BatchRequestConfig, HttpBody, http::call_with_service, http::response::too_large},
    types::{
        ErrorObject, ErrorObjectOwned, Id, Response as RpcResponse, ResponsePayload,
        error::{INVALID_REQUEST_CODE, OVERSIZED_REQUEST_CODE},
    },
};
use serde::de::IgnoredAny;
use tokio::time::timeout;

use super::{State, ids, limited::later, pages, websocket};
use crate::{
    Backend, config,
    error::{LIMIT_EXCEEDED, SERVER_ERROR},
    limits::Allowance,
    rpc::{Outcome, Service},
};

/// `GET /`: the addresses, or a WebSocket for who asks for one.
pub(super) async fn get<B: Backend>(Extract(state): Extract<State<B>>, slot: Extension<websocket::Slot>, request: Request) -> Response {
    match websocket::is_wanted(&request) {
        true => {
            let calls = state.calls.on(allowance(request.extensions()));
            websocket::accept(request, calls, &slot)
        }
        false => pages::index(&state, request.headers()),
    }
}

/// `POST /`: one call, one notification or a batch.
pub(super) async fn post<B: Backend>(Extract(state): Extract<State<B>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let _permit = match is_large(&parts.headers).then(|| state.large_bodies.try_acquire()) {
        Some(Err(_)) => return refuse(StatusCode::SERVICE_UNAVAILABLE, LIMIT_EXCEEDED, "too many large requests at the same time; try again later"),
        permit => permit,
    };
    let body = match timeout(config::RECEIVE_LIMIT, to_bytes(body, config::MAX_BODY_BYTES)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return too_large(config::MAX_BODY_BYTES as u32).map(Body::new),
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT, SERVER_ERROR, "the request did not arrive in time"),
    };
    let calls = state.calls.on(allowance(&parts.extensions));
    answer(parts, body, calls).await
}

fn allowance(extensions: &Extensions) -> Allowance {
    extensions.get().cloned().unwrap_or_default()
}

/// What JSON-RPC says to a whole body, whatever it came in.
pub(super) async fn answer<B: Backend>(parts: Parts, body: Bytes, calls: Service<B>) -> Response {
    if !ids::are_good(&body) {
        return refuse(StatusCode::OK, INVALID_REQUEST_CODE, ids::ADVICE);
    }
    let batch = BatchRequestConfig::Limit(config::MAX_BATCH);
    let request = Request::from_parts(parts, HttpBody::new(Body::from(body.clone())));
    let mut response = call_with_service(request, batch, config::MAX_BODY_BYTES as u32, calls).await.map(Body::new);
    match response.extensions().get::<Outcome>().copied() {
        Some(Outcome::Silent) => return StatusCode::NO_CONTENT.into_response(),
        Some(Outcome::Limited(seconds)) => return later(response, seconds),
        Some(Outcome::Busy) => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
        // The library calls an object without an id unreadable, although it can be read.
        None if response.status() == StatusCode::OK && is_object(&body) => return refuse(StatusCode::OK, INVALID_REQUEST_CODE, "invalid request"),
        Some(Outcome::Answered) | None => {}
    }
    response
}

fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'{') && serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// What a client hears whose WebSocket message is too large.
pub(super) fn too_large_text() -> String {
    write_error(ErrorObject::owned(
        OVERSIZED_REQUEST_CODE,
        format!("request is too large; the limit is {} bytes", config::MAX_BODY_BYTES),
        None::<()>,
    ))
}

/// Whether a body needs a place among the large ones.
pub(crate) fn is_large(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    length.is_none_or(|bytes| config::LARGE_BODY_BYTES < bytes)
}

/// An error that concerns no call in particular.
fn refuse(status: StatusCode, code: i32, message: &'static str) -> Response {
    let text = write_error(ErrorObject::borrowed(code, message, None));
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], text).into_response()
}

fn write_error(error: ErrorObjectOwned) -> String {
    let response = RpcResponse::new(ResponsePayload::<()>::error(error), Id::Null);
    serde_json::to_string(&response).unwrap_or_default()
}
