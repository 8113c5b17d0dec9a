//! Refuses clients that ask too much, before anything else is done for them.

use std::net::IpAddr;

use axum::{
    extract::{Request, State as Extract},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};

use crate::{
    limits::{Allowance, Class, Limiter},
    rest::Refusal,
};

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CameFrom(pub IpAddr);

/// Counts the request, and leaves the allowance of its client for the calls in it.
pub(super) async fn limited(Extract(limiter): Extract<Limiter>, mut request: Request, next: Next) -> Response {
    let from = request.extensions().get::<CameFrom>().copied();
    let allowance = from.map_or_else(Allowance::default, |CameFrom(address)| limiter.allowance(address));
    let class = Class::of_request(request.method(), request.uri().path());
    match class.map_or(Ok(()), |class| allowance.spend(class)) {
        Err(many) => later(Refusal::too_many(many.to_string()).into_response(), many.seconds),
        Ok(()) => {
            request.extensions_mut().insert(allowance);
            next.run(request).await
        }
    }
}

/// A response that says when to come back.
pub(super) fn later(mut response: Response, seconds: u64) -> Response {
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
