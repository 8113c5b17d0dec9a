//! What is asked about the peer book: from a request line to [`Ask`], and to its answer.

use std::time::Duration;

use http::Method;
use primitives::{NodeId, PeerAddress};
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use crate::peers::{Mode, Unwanted};

/// A question or order about the peer book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    List,
    Show(NodeId),
    Export,
    /// The body is the bundle.
    Import(Mode),
    /// The body is an [`Addition`].
    Add,
    Ban(NodeId, Duration),
    Unban(NodeId),
}

/// What `POST /peers` takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Addition {
    pub address: PeerAddress,
}

impl Ask {
    /// `rest` is what follows `/peers/`.
    pub fn parse(method: &Method, rest: &str, query: &str) -> Result<Self, Refusal> {
        let (first, second) = rest.split_once('/').unwrap_or((rest, ""));
        match (method.as_str(), first, second) {
            ("GET", "", "") => Ok(Self::List),
            ("POST", "", "") => Ok(Self::Add),
            ("GET", "bundle", "") => Ok(Self::Export),
            ("POST", "bundle", "") => mode(query).map(Self::Import),
            ("GET", id, "") => node(id).map(Self::Show),
            ("POST", id, "ban") => Ok(Self::Ban(node(id)?, length(query)?)),
            ("POST", id, "unban") => node(id).map(Self::Unban),
            _ => {
                Err(Refusal::not_found("here are GET and POST /peers, GET and POST /peers/bundle, GET /peers/{id}, POST /peers/{id}/ban and /unban"))
            }
        }
    }
}

fn node(id: &str) -> Result<NodeId, Refusal> {
    id.parse().map(NodeId).map_err(|_| Refusal::malformed(format!("{id:?} is no node id, which is 20 bytes of hex")))
}

fn mode(query: &str) -> Result<Mode, Refusal> {
    match query {
        "" | "mode=merge" => Ok(Mode::Merge),
        "mode=replace" => Ok(Mode::Replace),
        _ => Err(Refusal::malformed(format!("{query:?} is not mode=merge or mode=replace"))),
    }
}

fn length(query: &str) -> Result<Duration, Refusal> {
    let given = query.strip_prefix("for=").and_then(|text| humantime::parse_duration(text).ok());
    given.ok_or_else(|| Refusal::malformed(format!("{query:?} is not for=DURATION, as in for=24h")))
}

impl From<Unwanted> for Refusal {
    fn from(unwanted: Unwanted) -> Self {
        match unwanted {
            Unwanted::Bundle(bad) => Self::malformed(bad.to_string()),
            Unwanted::Full(full) => Self::conflict(full.to_string()),
            Unwanted::Unknown { .. } | Unwanted::NotBanned { .. } => Self::unlisted(unwanted.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use primitives::Address;

    use super::*;

    #[test]
    fn each_request_is_one_question() {
        let one = NodeId(Address::repeat_byte(1));
        let hour = Duration::from_secs(3_600);
        for (method, rest, query, ask) in [
            (Method::GET, "", "", Some(Ask::List)),
            (Method::POST, "", "", Some(Ask::Add)),
            (Method::GET, "bundle", "", Some(Ask::Export)),
            (Method::POST, "bundle", "", Some(Ask::Import(Mode::Merge))),
            (Method::POST, "bundle", "mode=replace", Some(Ask::Import(Mode::Replace))),
            (Method::GET, &one.to_string(), "", Some(Ask::Show(one))),
            (Method::POST, &format!("{one}/ban"), "for=1h", Some(Ask::Ban(one, hour))),
            (Method::POST, &format!("{one}/unban"), "", Some(Ask::Unban(one))),
            (Method::POST, &format!("{one}/ban"), "", None),
            (Method::POST, &format!("{one}/kiss"), "", None),
            (Method::POST, "bundle", "mode=add", None),
            (Method::GET, "nobody", "", None),
            (Method::DELETE, "", "", None),
        ] {
            assert_eq!(Ask::parse(&method, rest, query).ok(), ask, "{method} {rest}?{query}");
        }
    }
}
