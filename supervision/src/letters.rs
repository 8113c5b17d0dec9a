//! Dead letters: what was sent and nobody will handle. Counted for each child, and the latest kept in a ring of the tree.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::event::EventKind;
use crate::events::Events;
use crate::snapshot::millis;

/// How many dead letters a tree remembers.
pub const DEAD_LETTERS: usize = 1024;

/// The dead letters of one child within this time are told in one event.
pub(crate) const BURST: Duration = Duration::from_secs(1);

/// A message that nobody handled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Whom it was for.
    pub child: String,
    /// The child's latest incarnation then.
    pub incarnation: u64,
    /// The message's name.
    pub message: String,
    pub why: Unhandled,
    /// Milliseconds since the tree was built.
    pub at_ms: u64,
}

/// Why nobody handled a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unhandled {
    /// The child stopped for good while it waited.
    Stopped,
    /// It was sent after the child had stopped for good, or had been told to.
    SentLate,
    /// The lane was full, and it was the oldest of those that yield.
    DroppedOldest,
    /// It broke one incarnation after the other.
    Poison,
    /// It was sent by an incarnation that had been replaced.
    Fenced,
}

impl fmt::Display for Unhandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unhandled::Stopped => "the actor stopped",
            Unhandled::SentLate => "the actor had stopped",
            Unhandled::DroppedOldest => "a newer one took its place",
            Unhandled::Poison => "poison",
            Unhandled::Fenced => "its sender had been replaced",
        })
    }
}

/// The dead letters of a tree; a handle that may be given away.
#[derive(Clone)]
pub struct DeadLetters(Arc<Ring>);

struct Ring {
    epoch: Instant,
    letters: Mutex<VecDeque<Letter>>,
}

/// A dead letter as it is kept: without a copy of any name.
struct Letter {
    child: Arc<str>,
    incarnation: u64,
    message: &'static str,
    why: Unhandled,
    at: Instant,
}

impl DeadLetters {
    pub(crate) fn new() -> Self {
        DeadLetters(Arc::new(Ring { epoch: Instant::now(), letters: Mutex::default() }))
    }

    /// The latest, oldest first; at most [`DEAD_LETTERS`].
    pub fn recent(&self) -> Vec<DeadLetter> {
        let tell = |letter: &Letter| DeadLetter {
            child: letter.child.to_string(),
            incarnation: letter.incarnation,
            message: letter.message.to_owned(),
            why: letter.why,
            at_ms: millis(letter.at.saturating_duration_since(self.0.epoch)),
        };
        self.0.letters.lock().iter().map(tell).collect()
    }

    fn add(&self, letter: Letter) {
        let mut letters = self.0.letters.lock();
        if letters.len() >= DEAD_LETTERS {
            letters.pop_front();
        }
        letters.push_back(letter);
    }
}

/// Where the dead letters of one child are noted, once it belongs to a tree.
pub(crate) struct Tray {
    child: Arc<str>,
    letters: DeadLetters,
    events: Events,
    burst: Mutex<Burst>,
}

impl Tray {
    pub fn new(child: Arc<str>, letters: DeadLetters, events: Events) -> Self {
        Tray { child, letters, events, burst: Mutex::default() }
    }

    pub fn child(&self) -> &str {
        &self.child
    }

    pub fn note(&self, incarnation: u64, message: &'static str, why: Unhandled) {
        let at = Instant::now();
        self.letters.add(Letter { child: self.child.clone(), incarnation, message, why, at });
        let due = self.burst.lock().note(at, message, why);
        self.tell(incarnation, due);
    }

    /// Tells what has not been told, when its time has come, or at once.
    pub fn tell_rest(&self, incarnation: u64, at_once: bool) {
        let due = self.burst.lock().rest(Instant::now(), at_once);
        self.tell(incarnation, due);
    }

    pub fn tell(&self, incarnation: u64, event: Option<EventKind>) {
        if let Some(kind) = event {
            self.events.tell(&self.child, incarnation, kind);
        }
    }
}

/// When to tell of dead letters: of the first at once, of those that follow within [`BURST`] together.
#[derive(Default)]
struct Burst {
    told_at: Option<Instant>,
    untold: u64,
    latest: Option<(&'static str, Unhandled)>,
}

impl Burst {
    fn note(&mut self, now: Instant, message: &'static str, why: Unhandled) -> Option<EventKind> {
        self.untold += 1;
        self.latest = Some((message, why));
        self.rest(now, false)
    }

    fn rest(&mut self, now: Instant, at_once: bool) -> Option<EventKind> {
        let is_due = at_once || self.told_at.is_none_or(|told| now.saturating_duration_since(told) >= BURST);
        if self.untold == 0 || !is_due {
            return None;
        }
        let (message, why) = self.latest?;
        self.told_at = Some(now);
        Some(EventKind::DeadLetter { message: message.to_owned(), why, count: std::mem::take(&mut self.untold) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_told_when_it_begins_and_when_it_is_over() {
        let mut burst = Burst::default();
        let mut told = Vec::new();
        let mut add = |kind: Option<EventKind>| {
            if let Some(EventKind::DeadLetter { count, .. }) = kind {
                told.push(count);
            }
        };
        for _ in 0..1000 {
            add(burst.note(Instant::now(), "A", Unhandled::Stopped));
        }
        add(burst.rest(Instant::now(), false));
        tokio::time::advance(BURST).await;
        add(burst.rest(Instant::now(), false));
        add(burst.rest(Instant::now(), true));
        add(burst.note(Instant::now(), "A", Unhandled::Stopped));
        add(burst.rest(Instant::now(), true));
        assert_eq!(told, [1, 999, 1]);
    }
}
