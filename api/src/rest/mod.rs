//! What the chain is, as pages under `/v1` that need no JSON-RPC.
//!
//! Heights, gas and times are JSON numbers, wei are decimal strings (they do not fit into a JSON number), hashes and bytes are
//! 0x-strings. Every error is `{"error":{"code":"..","message":".."}}`. `/v1/openapi.json` describes all of it.

mod accounts;
mod asked;
mod blocks;
mod consensus;
mod down;
pub(crate) mod openapi;
mod receipts;
mod refusal;
mod status;
mod submit;
mod transactions;

use std::{future::Future, time::Instant};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Serialize;
use tracing::Instrument;

pub(crate) use accounts::account;
pub(crate) use asked::{Asked, Segment, asks_for, cut};
pub(crate) use blocks::{block, blocks};
pub(crate) use consensus::{certificate, evidence, validators};
pub(crate) use openapi::document;
pub(crate) use refusal::Refusal;
pub(crate) use status::status;
pub(crate) use submit::submit;
pub(crate) use transactions::transaction;

use crate::{Backend, http::State};

type Found<T> = Result<T, Refusal>;

/// Answers with what `work` finds, within the limits that calls have, and counts it as `name`.
async fn answer<B: Backend, T: Serialize>(state: &State<B>, name: &'static str, work: impl Future<Output = Found<T>> + Send) -> Response {
    answer_with(state, name, StatusCode::OK, work).await
}

async fn answer_with<B: Backend, T: Serialize>(
    state: &State<B>,
    name: &'static str,
    status: StatusCode,
    work: impl Future<Output = Found<T>> + Send,
) -> Response {
    let started = Instant::now();
    let span = tracing::debug_span!("api.page", page = name);
    let found = state.calls.within_limits(name, work).instrument(span).await.map_err(Refusal::from).flatten();
    let code = found.as_ref().err().map_or(0, |refusal| i32::from(refusal.status.as_u16()));
    state.calls.metrics().answered(name, code, started.elapsed());
    match found {
        Ok(found) => (status, Json(found)).into_response(),
        Err(refusal) => naming(refusal, &state.backend).into_response(),
    }
}

/// Says of a node that cannot answer what is down.
fn naming(mut refusal: Refusal, backend: &impl Backend) -> Refusal {
    let down = (refusal.status == StatusCode::SERVICE_UNAVAILABLE).then(|| down::down(&backend.actors())).flatten();
    if let Some(down) = down {
        refusal.message.push_str("; down: ");
        refusal.message.push_str(&down);
    }
    refusal
}
