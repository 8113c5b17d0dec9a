//! What a request for the links' frames asks for.

use std::time::Duration;

use actors::p2p::{MALFORMED, Wanted};
use wire::Message;

use super::refusal::Refusal;

/// How long a question for frames may wait.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// `GET /wire?after=N&wait=5s&peer=0x1f&kind=ping&full`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapRequest {
    /// Number of the latest frame that was seen.
    pub after: u64,
    /// Until the first one comes.
    pub wait: Duration,
    /// How the peer's node id begins.
    pub peer: Option<String>,
    pub kind: Option<String>,
    /// With the whole message.
    pub full: bool,
}

impl TapRequest {
    pub(super) fn parse(query: &str) -> Result<Self, Refusal> {
        let mut request = Self { after: 0, wait: Duration::ZERO, peer: None, kind: None, full: false };
        for (key, value) in query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, ""))) {
            match key {
                "after" => request.after = value.parse().map_err(|_| Refusal::malformed(format!("after={value} is no number of a frame")))?,
                "wait" => {
                    let asked = humantime::parse_duration(value).ok().filter(|wait| *wait <= MAX_WAIT);
                    let wrong = || Refusal::malformed(format!("wait={value} is no duration up to {}s, as in 5s", MAX_WAIT.as_secs()));
                    request.wait = asked.ok_or_else(wrong)?;
                }
                "peer" => request.peer = Some(beginning_of_a_node(value)?),
                "kind" => request.kind = Some(known_kind(value)?),
                "full" => request.full = true,
                _ => return Err(Refusal::malformed(format!("{key} is unknown here; /wire takes after, wait, peer, kind and full"))),
            }
        }
        Ok(request)
    }

    /// As it stands in a request line.
    pub(super) fn page(&self) -> String {
        let mut page = format!("/wire?after={}&wait={}ms", self.after, self.wait.as_millis());
        let more = [("peer", &self.peer), ("kind", &self.kind)].into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
        // What no peer or kind can be called is refused by the other side, as far as it gets there.
        more.for_each(|(key, value)| {
            page.push_str(&format!("&{key}={}", value.replace(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_', ".")))
        });
        page.push_str(if self.full { "&full" } else { "" });
        page
    }

    pub(super) fn wanted(&self) -> Wanted {
        Wanted { peer: self.peer.clone(), kind: self.kind.clone(), full: self.full }
    }
}

fn beginning_of_a_node(text: &str) -> Result<String, Refusal> {
    let is_hex = text.strip_prefix("0x").is_some_and(|digits| digits.len() <= 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_hex {
        Ok(text.to_owned())
    } else {
        Err(Refusal::malformed(format!("peer={text} is no beginning of a node id; write 0x and hex, as in 0x1f")))
    }
}

fn known_kind(text: &str) -> Result<String, Refusal> {
    let is_known = Message::KINDS.contains(&text) || text == MALFORMED;
    let wrong = || Refusal::malformed(format!("kind={text} is unknown; there are {} and {MALFORMED}", Message::KINDS.join(", ")));
    if is_known { Ok(text.to_owned()) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_request_comes_back_from_its_page() {
        let full = TapRequest { after: 7, wait: Duration::from_secs(5), peer: Some("0x1f".into()), kind: Some("get_parts".into()), full: true };
        for request in [full, TapRequest { after: 0, wait: Duration::ZERO, peer: None, kind: None, full: false }] {
            let page = request.page();
            assert_eq!(TapRequest::parse(page.split_once('?').unwrap().1).unwrap(), request);
        }
    }

    #[test]
    fn what_no_link_has_is_refused() {
        for query in ["kind=haiku", "peer=validator-0", "peer=0xzz", "after=x", "wait=1h", "colour=red"] {
            assert_eq!(TapRequest::parse(query).unwrap_err().status, http::StatusCode::BAD_REQUEST, "{query}");
        }
    }
}
