//! What browsers may do: the Host check against rebound names, and the origins that may call us.
//!
//! A page of a stranger can make a browser resolve the stranger's name to 127.0.0.1; its requests then carry that name in `Host`,
//! and are refused. An IP address cannot be rebound. Programs send no `Origin` and are not concerned by the second list.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{self, HeaderName},
};

/// How long a browser may remember what a preflight said, in seconds.
const PREFLIGHT_AGE_SECONDS: HeaderValue = HeaderValue::from_static("600");

/// The two lists. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Guard(Arc<Lists>);

#[derive(Debug)]
struct Lists {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Guard {
    pub fn new(hosts: &[String], origins: &[String]) -> Self {
        let lower = |list: &[String]| list.iter().map(|entry| entry.to_ascii_lowercase()).collect();
        Self(Arc::new(Lists { hosts: lower(hosts), origins: lower(origins) }))
    }

    fn takes_host(&self, headers: &HeaderMap) -> bool {
        // HTTP/1.0 knows no Host, and browsers do not speak it.
        let Some(host) = headers.get(header::HOST) else { return true };
        let Ok(host) = host.to_str() else { return false };
        let name = name(host).to_ascii_lowercase();
        let is_local = name == "localhost" || name.ends_with(".localhost");
        is_local || name.parse::<IpAddr>().is_ok() || self.0.hosts.iter().any(|host| *host == name || host == "*")
    }

    /// Whether a page of `origin` may call us.
    fn takes_origin(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        self.0.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin) || allowed == "*")
    }
}

/// Refuses foreign hosts, answers preflights and marks responses for the origins that may read them.
pub(crate) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if !guard.takes_host(request.headers()) {
        return (StatusCode::FORBIDDEN, "this Host is not served here; add it to rpc.hosts\n").into_response();
    }
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else { return next.run(request).await };
    let is_allowed = guard.takes_origin(&origin);
    let is_preflight = request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    // The browser itself keeps a stranger's page from reading a response, but not from using a WebSocket.
    if !is_allowed && (is_preflight || request.headers().contains_key(header::UPGRADE)) {
        return (StatusCode::FORBIDDEN, "this Origin may not call this node; add it to rpc.origins\n").into_response();
    }
    let mut response = if is_preflight { preflight() } else { next.run(request).await };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
    if is_allowed {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

fn preflight() -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 3] = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type, traceparent")),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_SECONDS),
    ];
    (StatusCode::NO_CONTENT, HEADERS).into_response()
}

/// The name in a Host header, without port and without the brackets of an IPv6 address.
fn name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn takes(hosts: &[&str], host: &str) -> bool {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        Guard::new(&hosts, &[]).takes_host(&headers)
    }

    #[test]
    fn loopback_names_and_addresses_are_always_served() {
        for host in ["localhost", "LOCALHOST:3030", "127.0.0.1:3030", "[::1]:3030", "10.1.2.3", "node.localhost"] {
            assert!(takes(&[], host), "{host}");
        }
    }

    #[test]
    fn another_name_is_served_only_when_it_is_listed() {
        for host in ["evil.example", "evil.example:3030", "localhost.evil.example", "127.0.0.1.evil.example", ""] {
            assert!(!takes(&[], host), "{host}");
        }
        assert!(takes(&["Node.Example"], "node.example:443"));
        assert!(takes(&["*"], "evil.example"));
    }

    #[test]
    fn an_origin_is_taken_as_a_whole() {
        let guard = Guard::new(&[], &["https://app.example".into()]);
        assert!(guard.takes_origin(&HeaderValue::from_static("https://app.example")));
        assert!(!guard.takes_origin(&HeaderValue::from_static("http://app.example")));
        assert!(!guard.takes_origin(&HeaderValue::from_static("null")));
        assert!(Guard::new(&[], &["*".into()]).takes_origin(&HeaderValue::from_static("null")));
    }
}
