//! From a request line to what is asked for.

use std::time::Duration;

use http::Method;

use super::{Deed, TapRequest, peers::Ask, refusal::Refusal};

/// How long a question for events may wait.
const MAX_WAIT: Duration = Duration::from_secs(30);
const PAGES: &str = "here are /actors, /actors/{path}, /events, /faults, /peers and /wire";

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Tree,
    Actor(String),
    /// What happened after event `after`; waits this long when nothing has.
    Events {
        after: u64,
        wait: Duration,
    },
    /// What went by on the links.
    Tap(TapRequest),
    Act(String, Deed),
    Inject,
    Clear(String),
    Peers(Ask),
}

impl Route {
    /// Paths of actors may contain slashes, as in `/actors/p2p.gossip.session/7/panic`: the last word is what to do.
    pub fn parse(method: &Method, path: &str, query: Option<&str>) -> Result<Self, Refusal> {
        let trimmed = path.trim_matches('/');
        let (page, rest) = trimmed.split_once('/').unwrap_or((trimmed, ""));
        match (method.as_str(), page, rest) {
            ("GET", "actors", "") => Ok(Self::Tree),
            ("GET", "actors", actor) => Ok(Self::Actor(decoded(actor)?)),
            ("GET", "events", "") => Self::events(query.unwrap_or_default()),
            ("GET", "wire", "") => TapRequest::parse(query.unwrap_or_default()).map(Self::Tap),
            ("POST", "actors", deed) => Self::deed(deed),
            ("POST", "faults", "") => Ok(Self::Inject),
            ("DELETE", "faults", actor) if !actor.is_empty() => Ok(Self::Clear(decoded(actor)?)),
            (_, "peers", rest) => Ask::parse(method, rest, query.unwrap_or_default()).map(Self::Peers),
            (_, "actors", _) => Err(Refusal::no_such_method(
                "GET /actors shows the tree, GET /actors/{path} one actor, POST /actors/{path}/{what} does something to it",
            )),
            (_, "events" | "wire", "") => Err(Refusal::no_such_method("only GET is answered here")),
            (_, "faults", _) => Err(Refusal::no_such_method("POST /faults arms a fault, DELETE /faults/{path} takes back those of one actor")),
            _ => Err(Refusal::not_found(PAGES)),
        }
    }

    fn deed(deed: &str) -> Result<Self, Refusal> {
        let known = || {
            let names: Vec<_> = Deed::all().map(Deed::name).collect();
            Refusal::not_found(format!("POST /actors/{{path}}/ takes {}", names.join(", ")))
        };
        let (actor, what) = deed.rsplit_once('/').ok_or_else(known)?;
        Ok(Self::Act(decoded(actor)?, Deed::named(what).ok_or_else(known)?))
    }

    fn events(query: &str) -> Result<Self, Refusal> {
        let (mut after, mut wait) = (0, Duration::ZERO);
        for (key, value) in query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, ""))) {
            match key {
                "after" => after = value.parse().map_err(|_| Refusal::malformed(format!("after={value} is no number of an event")))?,
                "wait" => {
                    let asked = humantime::parse_duration(value).ok().filter(|wait| *wait <= MAX_WAIT);
                    wait = asked.ok_or_else(|| Refusal::malformed(format!("wait={value} is no duration up to {}s, as in 5s", MAX_WAIT.as_secs())))?;
                }
                _ => return Err(Refusal::malformed(format!("{key} is unknown here; /events takes after and wait"))),
            }
        }
        Ok(Self::Events { after, wait })
    }
}

/// A path with its `%2F` and the like undone.
fn decoded(text: &str) -> Result<String, Refusal> {
    let wrong = || Refusal::malformed(format!("{text:?} is no path of an actor"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'%' => {
                let (code, after) = rest.split_at_checked(2).ok_or_else(wrong)?;
                rest = after;
                let mut byte = [0];
                hex::decode_to_slice(code, &mut byte).map_err(|_| wrong())?;
                byte[0]
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::{Order, Provocation};
    use http::StatusCode;

    fn parsed(line: &str) -> Result<Route, StatusCode> {
        let (method, target) = line.split_once(' ').unwrap_or((line, "/"));
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| StatusCode::IM_A_TEAPOT)?;
        Route::parse(&method, path, query).map_err(|refusal| refusal.status)
    }

    #[test]
    fn each_request_line_is_one_route() {
        let session = "p2p.gossip.session/7".to_owned();
        for (line, route) in [
            ("GET /actors", Route::Tree),
            ("GET /actors/", Route::Tree),
            ("GET /actors/mempool", Route::Actor("mempool".into())),
            ("GET /actors/p2p.gossip.session/7", Route::Actor(session.clone())),
            ("GET /actors/p2p.gossip.session%2F7", Route::Actor(session.clone())),
            ("POST /actors/mempool/panic", Route::Act("mempool".into(), Deed::Provoke(Provocation::Panic))),
            ("POST /actors/mempool/restart", Route::Act("mempool".into(), Deed::Order(Order::Restart))),
            ("POST /actors/p2p.gossip.session/7/block", Route::Act(session.clone(), Deed::Provoke(Provocation::Block))),
            ("POST /faults", Route::Inject),
            ("DELETE /faults/p2p.gossip.session/7", Route::Clear(session)),
            ("GET /events", Route::Events { after: 0, wait: Duration::ZERO }),
            ("GET /events?after=12&wait=5s", Route::Events { after: 12, wait: Duration::from_secs(5) }),
        ] {
            assert_eq!(parsed(line), Ok(route), "{line}");
        }
    }

    #[test]
    fn what_is_no_route_is_refused_by_its_kind() {
        for (line, status) in [
            ("GET /", StatusCode::NOT_FOUND),
            ("GET /metrics", StatusCode::NOT_FOUND),
            ("POST /actors/mempool", StatusCode::NOT_FOUND),
            ("POST /actors/mempool/explode", StatusCode::NOT_FOUND),
            ("DELETE /actors/mempool", StatusCode::METHOD_NOT_ALLOWED),
            ("DELETE /faults", StatusCode::METHOD_NOT_ALLOWED),
            ("POST /events", StatusCode::METHOD_NOT_ALLOWED),
            ("GET /events?after=x", StatusCode::BAD_REQUEST),
            ("GET /events?wait=1h", StatusCode::BAD_REQUEST),
            ("GET /events?colour=red", StatusCode::BAD_REQUEST),
            ("GET /actors/%zz", StatusCode::BAD_REQUEST),
            ("GET /actors/%f", StatusCode::BAD_REQUEST),
            ("GET /actors/%ff", StatusCode::BAD_REQUEST),
        ] {
            assert_eq!(parsed(line), Err(status), "{line}");
        }
    }
}
