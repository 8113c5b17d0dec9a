//! Who may ask at all: the Host check against rebound names, then the token.
//!
//! A page of a stranger can make a browser resolve the stranger's name to 127.0.0.1; its requests then carry that name in
//! `Host`. Nothing but this machine is meant here, so nothing but its own names is taken, whatever the token.

use std::net::IpAddr;

use http::{HeaderMap, header};

use super::{Token, refusal::Refusal};

/// Lets a request pass, or says why not.
pub(super) fn admit(headers: &HeaderMap, token: &Token) -> Result<(), Refusal> {
    if !is_local(headers) {
        return Err(Refusal::forbidden("this Host is not served here; use 127.0.0.1 or localhost"));
    }
    if bearer(headers).is_some_and(|given| token.is(given)) { Ok(()) } else { Err(Refusal::unauthorized()) }
}

fn is_local(headers: &HeaderMap) -> bool {
    // HTTP/1.0 knows no Host, and browsers do not speak it.
    let Some(host) = headers.get(header::HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::StatusCode;

    fn admitted(host: &str, authorization: Option<&str>) -> Result<(), StatusCode> {
        let directory = tempfile::tempdir().unwrap();
        let token = Token::ensure(&directory.path().join("t")).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(text) = authorization {
            headers.insert(header::AUTHORIZATION, text.replace("TOKEN", token.expose()).parse().unwrap());
        }
        admit(&headers, &token).map_err(|refusal| refusal.status)
    }

    #[test]
    fn this_machine_with_the_token_is_admitted() {
        for host in ["127.0.0.1:3039", "localhost:3039", "LOCALHOST", "[::1]:3039", "127.0.0.2", "[::ffff:127.0.0.1]"] {
            assert_eq!(admitted(host, Some("Bearer TOKEN")), Ok(()), "{host}");
        }
        assert_eq!(admitted("localhost", Some("bearer TOKEN")), Ok(()));
    }

    #[test]
    fn another_name_is_refused_whatever_the_token() {
        for host in ["evil.example:3039", "localhost.evil.example", "10.1.2.3", "node.localhost.", "", "[::2]"] {
            assert_eq!(admitted(host, Some("Bearer TOKEN")), Err(StatusCode::FORBIDDEN), "{host}");
        }
    }

    #[test]
    fn without_the_token_nobody_is_admitted() {
        for authorization in [None, Some("Bearer 00"), Some("TOKEN"), Some("Basic TOKEN"), Some("Bearer  TOKEN"), Some("Bearer ")] {
            assert_eq!(admitted("127.0.0.1", authorization), Err(StatusCode::UNAUTHORIZED), "{authorization:?}");
        }
    }
}
