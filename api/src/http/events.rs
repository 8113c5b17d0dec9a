//! What happens in the supervision tree, as server-sent events.
//!
//! ```text
//!   id: 57                                   the sequence: send it back as Last-Event-ID, or as ?after=, to go on behind it
//!   event: exited                            the kind
//!   data: {"sequence":57,"child":..,..}      the event
//! ```
//!
//! A reader is a body that hyper asks for more when the client has taken what came before: nothing is stored up for it. It reads from the
//! ring of the tree at its own pace, and is told in an event `missed` how many have left the ring before it came. The body lives in
//! the task of its connection, and ends with it or when the API stops.

use std::{collections::BTreeSet, convert::Infallible};

use axum::{
    extract::State as Extract,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event as Frame, KeepAlive},
    },
};
use futures_util::{Stream, stream};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use supervision::{Event, Subscription};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::State;
use crate::{
    Backend,
    config::{EVENTS_KEEP_ALIVE, MAX_EVENT_READERS},
    happenings::Happenings,
    rest::{Asked, Refusal},
};

const LAST_EVENT_ID: &str = "last-event-id";
/// In place of a sequence: only what happens from now on.
const NOW: &str = "now";

#[derive(Debug, Default, Deserialize)]
pub(super) struct Query {
    after: Option<String>,
    child: Option<String>,
    kind: Option<String>,
}

/// Which events a reader wants; all of them where it does not say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Filter {
    child: Option<String>,
    kinds: BTreeSet<String>,
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    After(u64),
    Now,
}

/// One client that follows.
struct Reader {
    happenings: Happenings,
    subscription: Subscription,
    filter: Filter,
    /// Said before the next event.
    first: Option<Frame>,
    /// Those missed that were told.
    told_missed: u64,
    stopped: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

/// `GET /v1/events`
pub(super) async fn events<B: Backend>(Extract(state): Extract<State<B>>, headers: HeaderMap, Asked(query): Asked<Query>) -> Response {
    let (start, filter) = match (start(&headers, &query), Filter::of(query)) {
        (Ok(start), Ok(filter)) => (start, filter),
        (Err(refusal), _) | (_, Err(refusal)) => return refusal.into_response(),
    };
    let Ok(place) = state.event_readers.clone().try_acquire_owned() else {
        let full = format!("{MAX_EVENT_READERS} clients follow the events already; end one of them, or ask for /v1/actors instead");
        return Refusal::unavailable(full).into_response();
    };
    let Some(happenings) = state.backend.happenings() else {
        return Refusal::unavailable("the supervision tree does not run yet; ask again in a moment").into_response();
    };
    let reader = Reader::new(happenings, start, filter, state.stopped.clone(), place);
    Sse::new(reader.frames()).keep_alive(KeepAlive::new().interval(EVENTS_KEEP_ALIVE).text("keep-alive")).into_response()
}

/// A browser that comes back sends the header with the address that it began with, so the header counts.
fn start(headers: &HeaderMap, query: &Query) -> Result<Start, Refusal> {
    let header = headers.get(LAST_EVENT_ID).map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let Some(text) = header.or_else(|| query.after.clone()).filter(|text| !text.is_empty()) else { return Ok(Start::After(0)) };
    match text.parse() {
        Ok(sequence) => Ok(Start::After(sequence)),
        Err(_) if text == NOW => Ok(Start::Now),
        Err(_) => Err(Refusal::malformed("Last-Event-ID and ?after= take the id of the last event that was read, a decimal number, or 'now'")),
    }
}

impl Filter {
    fn of(query: Query) -> Result<Self, Refusal> {
        let kinds: BTreeSet<String> = query.kind.iter().flat_map(|kinds| kinds.split(',')).map(str::to_owned).collect();
        let is_word = |kind: &String| !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        match kinds.iter().all(is_word) {
            true => Ok(Self { child: query.child, kinds }),
            false => Err(Refusal::malformed("?kind= takes kinds of events as event: shows them, with commas between them: exited,ready")),
        }
    }

    /// A child is wanted with all below it: `p2p.gossip` with `p2p.gossip.session/<id>`.
    fn wants_child(&self, child: &str) -> bool {
        let is_below = |wanted: &String| child.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/', '#']));
        self.child.as_ref().is_none_or(is_below)
    }

    fn wants_kind(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.contains(kind)
    }
}

impl Reader {
    fn new(happenings: Happenings, start: Start, filter: Filter, stopped: watch::Receiver<bool>, place: OwnedSemaphorePermit) -> Self {
        let latest = happenings.events.latest();
        let (after, first) = match start {
            Start::Now => (latest, None),
            // The reader followed an earlier process; this one counts from 1 again.
            Start::After(after) if latest < after => (0, Some(frame(0, "restarted", &json!({ "after": after, "latest": latest })))),
            Start::After(after) => (after, None),
        };
        let subscription = happenings.events.after(after);
        Self { happenings, subscription, filter, first, told_missed: 0, stopped, _place: place }
    }

    fn frames(self) -> impl Stream<Item = Result<Frame, Infallible>> {
        stream::unfold(self, |mut reader| async move { reader.next().await.map(|frame| (Ok(frame), reader)) })
    }

    /// What is said next; nothing once the API stops.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(first) = self.first.take() {
                return Some(first);
            }
            let event = tokio::select! {
                biased;
                // A sender that is gone has stopped as well.
                _ = self.stopped.wait_for(|stopped| *stopped) => return None,
                event = self.subscription.next() => event,
            };
            let (sequence, frame) = (event.sequence, self.frame_of(event));
            let missed = self.subscription.missed() - self.told_missed;
            if missed > 0 {
                self.told_missed += missed;
                self.first = frame;
                return Some(missed_before(sequence, missed));
            }
            if frame.is_some() {
                return frame;
            }
        }
    }

    /// None when it is not wanted.
    fn frame_of(&self, event: Event) -> Option<Frame> {
        if !self.filter.wants_child(&event.child) {
            return None;
        }
        let sequence = event.sequence;
        let data = serde_json::to_value(self.happenings.told(event)).ok()?;
        let kind = data["kind"]["event"].as_str().unwrap_or("unknown").to_owned();
        self.filter.wants_kind(&kind).then(|| frame(sequence, &kind, &data))
    }
}

fn missed_before(sequence: u64, missed: u64) -> Frame {
    let last = sequence.saturating_sub(1);
    frame(last, "missed", &json!({ "missed": missed, "first": sequence.saturating_sub(missed), "last": last }))
}

fn frame(id: u64, event: &str, data: &Value) -> Frame {
    Frame::default().id(id.to_string()).event(event).data(data.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn filter(child: Option<&str>, kind: Option<&str>) -> Result<Filter, Refusal> {
        Filter::of(Query { after: None, child: child.map(str::to_owned), kind: kind.map(str::to_owned) })
    }

    #[test]
    fn a_child_is_followed_with_all_below_it_and_nobody_else() {
        let filter = filter(Some("p2p.gossip"), Some("exited,ready")).unwrap();
        for (child, kind, is_wanted) in [
            ("p2p.gossip", "ready", true),
            ("p2p.gossip.session/0xa5#1", "exited", true),
            ("p2p.gossip", "starting", false),
            ("p2p.gossiper", "ready", false),
            ("p2p", "ready", false),
        ] {
            assert_eq!(filter.wants_child(child) && filter.wants_kind(kind), is_wanted, "{child} {kind}");
        }
        assert!(Filter::default().wants_child("anybody") && Filter::default().wants_kind("anything"));
    }

    #[test]
    fn a_kind_that_cannot_be_one_is_refused() {
        for kind in ["", "Exited", "exited,", "exited ready"] {
            assert_eq!(filter(None, Some(kind)).unwrap_err().code, "malformed", "{kind}");
        }
    }

    #[test]
    fn the_header_of_one_who_comes_back_counts_more_than_the_address_it_began_with() {
        let from = |header: Option<&str>, after: Option<&str>| {
            let headers = header.map(|id| (http::HeaderName::from_static(LAST_EVENT_ID), id.parse().unwrap())).into_iter().collect();
            start(&headers, &Query { after: after.map(str::to_owned), ..Query::default() })
        };
        assert_eq!(from(None, None), Ok(Start::After(0)));
        assert_eq!(from(None, Some("7")), Ok(Start::After(7)));
        assert_eq!(from(Some("9"), Some("now")), Ok(Start::After(9)));
        assert_eq!(from(None, Some("now")), Ok(Start::Now));
        for text in ["-1", "seven", "1.5", "18446744073709551616"] {
            assert!(from(Some(text), None).is_err() && from(None, Some(text)).is_err(), "{text}");
        }
    }
}
