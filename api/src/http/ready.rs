//! Probes for those who start and stop nodes: is it alive, may it be sent work.

use std::fmt::Write;

use axum::{
    extract::{RawQuery, State as Extract},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use tokio::time::timeout;

use super::State;
use crate::{Backend, Criterion, config::STATUS_LIMIT, rest::asks_for};

/// That this was answered is the answer: the loop turns.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// 200 when every criterion holds. With `?verbose` each is listed, without it those that do not hold.
pub(super) async fn readyz<B: Backend>(Extract(state): Extract<State<B>>, RawQuery(query): RawQuery) -> Response {
    let Ok(criteria) = timeout(STATUS_LIMIT, state.backend.readiness()).await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "[-] answer: the node did not say whether it is ready\nnot ready\n").into_response();
    };
    let is_verbose = asks_for(query.as_deref(), "verbose");
    let is_ready = criteria.iter().all(|criterion| criterion.holds);
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, list(&criteria, is_verbose, is_ready)).into_response()
}

fn list(criteria: &[Criterion], is_verbose: bool, is_ready: bool) -> String {
    let mut text = String::new();
    for criterion in criteria.iter().filter(|criterion| is_verbose || !criterion.holds) {
        let sign = if criterion.holds { '+' } else { '-' };
        // Writing to a String does not fail.
        writeln!(text, "[{sign}] {}: {}", criterion.name, criterion.detail).ok();
    }
    text.push_str(if is_ready { "ok\n" } else { "not ready\n" });
    text
}
