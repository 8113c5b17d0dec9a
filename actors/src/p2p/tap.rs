//! A look at what is said on the links, for an operator: kinds, sizes, directions, times; whole messages if asked for.
//!
//! Nothing is kept while nobody looks. Whoever looks holds the tap open by asking again; what comes faster than it is read
//! pushes out the oldest, and the reader is told how many. There is nothing secret to see: links carry signatures, never keys,
//! and handshakes do not come by here.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use primitives::Clock;
use serde_json::{Value, json};
use wire::{Codec, Encoded};

use super::SessionKey;

/// How long the tap stays open after somebody asked.
const OPEN_FOR: Duration = Duration::from_secs(40);
/// Frames that are kept for readers, and bytes of whole messages among them.
const MAX_TAPPED: usize = 4_096;
const MAX_TAPPED_BYTES: usize = 8 << 20;
/// Frames in one answer, and bytes of whole messages in it; one is always there.
const MAX_PAGE: usize = 512;
const MAX_PAGE_BYTES: usize = 512 << 10;
/// Stands for the kind of what cannot be read.
pub const MALFORMED: &str = "malformed";

/// Cheap to clone, good through every restart.
#[derive(Clone)]
pub struct Tap(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    /// Milliseconds of the monotonic clock; 0 while nobody looks.
    open_until_ms: AtomicU64,
    /// The same for whole messages.
    whole_until_ms: AtomicU64,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    frames: VecDeque<Tapped>,
    bytes: usize,
    /// Of the latest frame.
    sequence: u64,
}

/// One frame that went by.
#[derive(Clone, Debug)]
struct Tapped {
    sequence: u64,
    unix_ms: u64,
    session: SessionKey,
    frame: Frame,
}

/// What a frame was.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// `inbound` or `outbound`.
    pub direction: &'static str,
    pub kind: &'static str,
    /// The lane it is written in; none for what cannot be read.
    pub lane: Option<&'static str>,
    /// Its length on the wire, newline and all.
    pub bytes: usize,
    pub content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Nobody asked for it.
    None,
    Whole(Encoded),
    /// Why it cannot be read.
    Unreadable(String),
}

/// What a reader wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of peers whose node id begins so, as in `0x1f`.
    pub peer: Option<String>,
    pub kind: Option<String>,
    /// With the whole message.
    pub full: bool,
}

impl Tap {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { clock, open_until_ms: AtomicU64::new(0), whole_until_ms: AtomicU64::new(0), ring: Mutex::default() }))
    }

    /// What went by after frame number `after`, as far as it is kept, each frame as an object of JSON. Holds the tap open.
    pub fn after(&self, after: u64, wanted: &Wanted) -> Vec<Value> {
        let until = self.now_ms() + OPEN_FOR.as_millis() as u64;
        self.0.open_until_ms.store(until, Relaxed);
        if wanted.full {
            self.0.whole_until_ms.store(until, Relaxed);
        }
        let ring = self.0.ring.lock();
        let first = ring.frames.front().map_or(ring.sequence + 1, |frame| frame.sequence);
        let missed = if after == 0 { 0 } else { first.saturating_sub(after + 1) };
        let (mut news, mut bytes) = (Vec::new(), 0);
        for tapped in ring.frames.iter().filter(|tapped| after < tapped.sequence && wanted.has(tapped)) {
            if news.len() == MAX_PAGE || MAX_PAGE_BYTES < bytes {
                break;
            }
            bytes += tapped.frame.kept_bytes();
            news.push(tapped.clone());
        }
        drop(ring);
        let note = (missed != 0).then(|| json!({ "missed": missed }));
        note.into_iter().chain(news.iter().map(|tapped| tapped.to_json(wanted.full))).collect()
    }

    /// Whether anybody looks; else a frame is not worth describing.
    pub(super) fn is_open(&self) -> bool {
        let until = self.0.open_until_ms.load(Relaxed);
        if until == 0 {
            return false;
        }
        let is_open = self.now_ms() < until;
        if !is_open {
            self.0.open_until_ms.store(0, Relaxed);
            let mut ring = self.0.ring.lock();
            ring.frames.clear();
            ring.bytes = 0;
        }
        is_open
    }

    /// Whether anybody wants whole messages.
    pub(super) fn is_whole(&self) -> bool {
        self.now_ms() < self.0.whole_until_ms.load(Relaxed)
    }

    pub(super) fn note(&self, session: SessionKey, frame: Frame) {
        let unix_ms = self.0.clock.unix_ms();
        let mut ring = self.0.ring.lock();
        ring.sequence += 1;
        ring.bytes += frame.kept_bytes();
        let sequence = ring.sequence;
        ring.frames.push_back(Tapped { sequence, unix_ms, session, frame });
        while MAX_TAPPED < ring.frames.len() || MAX_TAPPED_BYTES < ring.bytes {
            let Some(oldest) = ring.frames.pop_front() else { break };
            ring.bytes -= oldest.frame.kept_bytes();
        }
    }

    fn now_ms(&self) -> u64 {
        self.0.clock.monotonic().as_millis() as u64
    }
}

impl Frame {
    fn kept_bytes(&self) -> usize {
        match &self.content {
            Content::None => 0,
            Content::Whole(_) => self.bytes,
            Content::Unreadable(why) => why.len(),
        }
    }
}

impl Wanted {
    fn has(&self, tapped: &Tapped) -> bool {
        let is_peer = self.peer.as_ref().is_none_or(|peer| tapped.session.node.to_string().to_lowercase().starts_with(&peer.to_lowercase()));
        // Of what went by while nobody wanted whole messages there is none to show.
        let is_kept = !self.full || !matches!(tapped.frame.content, Content::None);
        is_peer && is_kept && self.kind.as_ref().is_none_or(|kind| kind == tapped.frame.kind)
    }
}

impl Tapped {
    fn to_json(&self, full: bool) -> Value {
        let Frame { direction, kind, lane, bytes, content } = &self.frame;
        let mut line = json!({
            "sequence": self.sequence, "time_ms": self.unix_ms, "direction": direction, "peer": self.session.node.to_string(),
            "session": self.session.number, "kind": kind, "lane": lane, "bytes": bytes,
        });
        match content {
            Content::Unreadable(why) => line["error"] = why.as_str().into(),
            Content::Whole(message) if full => {
                let said = said(message);
                ["traceparent", "payload"].into_iter().filter(|key| !said[key].is_null()).for_each(|key| line[key] = said[key].clone());
            }
            Content::Whole(_) | Content::None => {}
        }
        line
    }
}

/// The message as the JSON codec writes it.
fn said(message: &Encoded) -> Value {
    match message.frame(Codec::Json) {
        Ok(line) => serde_json::from_slice(&line).unwrap_or_default(),
        Err(error) => json!({ "payload": error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use primitives::{Address, NodeId, SystemClock};
    use wire::message::{Message, Ping};

    use super::*;

    fn tap() -> Tap {
        Tap::new(Arc::new(SystemClock::new()))
    }

    fn session(byte: u8) -> SessionKey {
        SessionKey { node: NodeId(Address::repeat_byte(byte)), number: 1 }
    }

    fn frame(kind: &'static str, content: Content) -> Frame {
        Frame { direction: "inbound", kind, lane: Some("votes"), bytes: 100, content }
    }

    fn sequences(lines: &[Value]) -> Vec<u64> {
        lines.iter().map(|line| line["sequence"].as_u64().unwrap()).collect()
    }

    #[test]
    fn nobody_looks_until_somebody_asks() {
        let tap = tap();
        assert!(!tap.is_open() && !tap.is_whole());
        assert!(tap.after(0, &Wanted::default()).is_empty());
        assert!(tap.is_open() && !tap.is_whole());
        tap.after(0, &Wanted { full: true, ..Wanted::default() });
        assert!(tap.is_whole());
    }

    #[test]
    fn a_reader_sees_what_it_wants_and_goes_on_where_it_was() {
        let tap = tap();
        for (peer, kind) in [(1, "ping"), (2, "pong"), (1, "pong")] {
            tap.note(session(peer), frame(kind, Content::None));
        }
        assert_eq!(sequences(&tap.after(0, &Wanted::default())), [1, 2, 3]);
        assert_eq!(sequences(&tap.after(1, &Wanted { kind: Some("pong".into()), ..Wanted::default() })), [2, 3]);
        assert_eq!(sequences(&tap.after(0, &Wanted { peer: Some("0x0101".into()), ..Wanted::default() })), [1, 3]);
        assert!(tap.after(3, &Wanted::default()).is_empty());
    }

    #[test]
    fn the_oldest_makes_room_and_the_reader_is_told() {
        let tap = tap();
        (0..MAX_TAPPED + 10).for_each(|_| tap.note(session(1), frame("ping", Content::None)));
        let lines = tap.after(5, &Wanted::default());
        assert_eq!(lines[0]["missed"], 5);
        assert_eq!(sequences(&lines[1..])[0], 11);
        assert_eq!(lines.len(), 1 + MAX_PAGE);
    }

    #[test]
    fn the_whole_message_is_shown_to_whoever_asks_for_it() {
        let tap = tap();
        let ping = Encoded::new(1337, Message::Ping(Ping { nonce: 9, sent_ms: 3 }), None).unwrap();
        tap.note(session(1), frame("ping", Content::Whole(ping)));
        tap.note(session(1), Frame { lane: None, ..frame(MALFORMED, Content::Unreadable("no envelope".into())) });
        let lines = tap.after(0, &Wanted { full: true, ..Wanted::default() });
        assert_eq!(lines[0]["payload"], json!({ "nonce": 9, "sent_ms": 3 }));
        assert_eq!(lines[1]["error"], "no envelope");
        assert!(tap.after(0, &Wanted::default())[0].get("payload").is_none());
    }
}
