//! One thing that happened in a tree.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::exit::ExitReason;
use crate::letters::Unhandled;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts from 1 without a gap.
    pub sequence: u64,
    /// Milliseconds since the tree was built.
    pub at_ms: u64,
    pub child: String,
    pub incarnation: u64,
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    Starting,
    /// It handles messages and has not said that it is ready.
    Recovering,
    Ready,
    Exited {
        reason: ExitReason,
    },
    /// It will be started again after this long.
    BackingOff {
        delay_ms: u64,
    },
    /// It lives on and handles nothing, because something it needs is down.
    Suspended {
        need: String,
    },
    /// It lives on and handles nothing, because it was told to.
    Held {
        by: String,
    },
    Resumed,
    /// It was told to leave.
    Leaving,
    /// It is over and will not come back.
    Ended,
    /// It hung and was fenced; `AbandonedGone` follows when its thread wakes up.
    Hung {
        during: String,
        busy_ms: u64,
    },
    /// An incarnation that had been given up has finally gone.
    AbandonedGone,
    /// The budget of this child is spent; its group starts afresh after this long.
    GroupFell {
        group: String,
        delay_ms: u64,
    },
    Escalated {
        reason: String,
    },
    /// The supervisor itself panicked; everybody is started anew.
    SupervisorPanicked {
        message: String,
        place: Option<String>,
    },
    /// What a probe reads has not moved within its limit.
    Stalled {
        probe: String,
        value: u64,
        unchanged_ms: u64,
    },
    /// It moves again.
    MovesAgain {
        probe: String,
    },
    /// A task of this incarnation panicked. The incarnation lives on.
    TaskPanicked {
        task: String,
        message: String,
        place: Option<String>,
    },
    /// A fault was armed.
    Injected {
        what: String,
    },
    /// Messages that nobody handled: the first of a burst at once, the others of the same second together.
    DeadLetter {
        /// The latest one.
        message: String,
        why: Unhandled,
        count: u64,
    },
    /// A message that may be handled again broke one incarnation after the other, and is buried.
    Poison {
        message: String,
        times: u32,
    },
    /// Each of these waits for the next, and the last for the first. Their deadlines end it.
    AskCycle {
        children: Vec<String>,
    },
}

/// In words, for logs and terminals.
impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventKind::Starting => write!(f, "starts"),
            EventKind::Recovering => write!(f, "recovers"),
            EventKind::Ready => write!(f, "is ready"),
            EventKind::Exited { reason } => write!(f, "ended: {reason}"),
            EventKind::BackingOff { delay_ms: 0 } => write!(f, "is tried again at once"),
            EventKind::BackingOff { delay_ms } => write!(f, "is tried again in {delay_ms} ms"),
            EventKind::Suspended { need } => write!(f, "is suspended: {need} is down"),
            EventKind::Held { by } => write!(f, "is suspended by {by}"),
            EventKind::Resumed => write!(f, "goes on"),
            EventKind::Leaving => write!(f, "was told to leave"),
            EventKind::Ended => write!(f, "is over"),
            EventKind::Hung { during, busy_ms } => write!(f, "hung in {during} for {busy_ms} ms and was fenced"),
            EventKind::AbandonedGone => write!(f, "had been given up and has gone at last"),
            EventKind::GroupFell { group, delay_ms } => write!(f, "has spent its restarts: group {group} begins anew in {delay_ms} ms"),
            EventKind::Escalated { reason } => write!(f, "was given up: {reason}"),
            EventKind::SupervisorPanicked { message, place } => {
                write!(f, "the supervisor panicked: {message}")?;
                place.as_ref().map_or(Ok(()), |place| write!(f, " at {place}"))
            }
            EventKind::Stalled { probe, value, unchanged_ms } => write!(f, "{probe} stands still at {value} for {unchanged_ms} ms"),
            EventKind::MovesAgain { probe } => write!(f, "{probe} moves again"),
            EventKind::TaskPanicked { task, message, place } => {
                write!(f, "task {task} panicked: {message}")?;
                place.as_ref().map_or(Ok(()), |place| write!(f, " at {place}"))
            }
            EventKind::Injected { what } => write!(f, "fault injected: {what}"),
            EventKind::DeadLetter { message, why, count: 1 } => write!(f, "nobody handled a {message}: {why}"),
            EventKind::DeadLetter { message, why, count } => write!(f, "nobody handled {count} messages, the latest a {message}: {why}"),
            EventKind::Poison { message, times } => write!(f, "buried a {message} that broke {times} incarnations"),
            EventKind::AskCycle { children } => write!(f, "these wait for each other: {}", children.join(", ")),
        }
    }
}
