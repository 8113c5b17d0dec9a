//! How the node is: our own JSON, or `application/health+json` for who asks for it.
//!
//! 200 while the node does its work, well (`ok`, `pass`) or not so well (`degraded`, `warn`); 503 when it does not (`down`, `fail`).

use axum::{
    Json,
    extract::State as Extract,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout;

use super::State;
use crate::{
    Backend, Health, Status,
    checks::{HEALTH_JSON, Report},
    config::STATUS_LIMIT,
    rest::{Asked, Refusal},
};

#[derive(Debug, Deserialize)]
pub(super) struct Selection {
    chain: Option<String>,
}

/// `GET /health`
pub(super) async fn health<B: Backend>(Extract(state): Extract<State<B>>, headers: HeaderMap, Asked(selection): Asked<Selection>) -> Response {
    let is_draft = is_wanted(&headers);
    let Ok(health) = timeout(STATUS_LIMIT, state.backend.health()).await else {
        let reason = format!("the node did not say how it is within {} s", STATUS_LIMIT.as_secs());
        return match is_draft {
            true => draft(Status::Down, &json!({ "status": "fail", "output": reason })),
            false => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": Status::Down, "reasons": [reason] }))).into_response(),
        };
    };
    match select(health, selection.chain) {
        Ok(health) if is_draft => draft(health.status, &Report::new(health, state.backend.client_version(), state.backend.now())),
        Ok(health) => (code(health.status), Json(health)).into_response(),
        Err(unknown) => Refusal::not_found(unknown).into_response(),
    }
}

/// Whether the client names the type of the draft; a wildcard takes our own.
fn is_wanted(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    ranges.filter_map(|range| range.split(';').next()).any(|range| range.trim().eq_ignore_ascii_case(HEALTH_JSON))
}

fn draft(status: Status, report: &impl Serialize) -> Response {
    let mut response = (code(status), Json(report)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(HEALTH_JSON));
    response
}

fn code(status: Status) -> StatusCode {
    if status == Status::Down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_who_names_the_draft_gets_it() {
        for (accept, expected) in [
            ("application/health+json", true),
            ("text/html, Application/Health+JSON;q=0.9", true),
            ("application/json", false),
            ("*/*", false),
            ("application/*", false),
        ] {
            let headers = [(header::ACCEPT, accept.parse().unwrap())].into_iter().collect();
            assert_eq!(is_wanted(&headers), expected, "{accept}");
        }
    }
}
