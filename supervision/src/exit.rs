//! Why an incarnation ended, and what is told when the tree gives up.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::backtrace::Backtrace;

/// Process exit code when a tree escalated: a budget was spent, or an exclusive child is stuck.
pub const EXIT_ESCALATED: i32 = 70;
/// Process exit code when the whole runtime is stuck.
pub const EXIT_RUNTIME_STUCK: i32 = 71;

/// Why an incarnation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ExitReason {
    /// It said that it is done.
    Done,
    /// It was told to stop, in order.
    Stopped,
    /// Something it needs went down.
    NeedsDown { need: String },
    /// A sibling ended, and the group's strategy or budget took this one with it.
    FellWith { sibling: String },
    /// Its dynamic children came back too often, all together.
    ChildrenFailed { restarts: u64, window_ms: u64 },
    /// It was told to leave and to come back.
    Restarted { by: String },
    /// It panicked. Where the process' panic hook calls [`crate::note_panic`], `place` is known, and with
    /// `RUST_BACKTRACE` set the `backtrace` too.
    Panic { message: String, place: Option<String>, backtrace: Option<Backtrace>, during: String, times_in_a_row: u32 },
    /// It returned an error.
    Fault { error: String, during: String, times_in_a_row: u32 },
    /// Its factory or `started` failed, by error or panic.
    StartFailed { error: String },
    /// Its factory or `started` did not return in time.
    StartLate { limit_ms: u64 },
    /// It started and did not say that it is ready in time.
    ReadyLate { limit_ms: u64 },
    /// It was busy, or deaf to pings, beyond its limit.
    Hung { during: String, busy_ms: u64, limit_ms: u64 },
    /// It was told to leave, did not in time, and was killed.
    StopLate { limit_ms: u64 },
    /// It was ended without being asked.
    Killed { by: String },
}

impl ExitReason {
    /// Whether it ended as it should.
    pub fn is_normal(&self) -> bool {
        use ExitReason::{Done, FellWith, NeedsDown, Restarted, Stopped};
        matches!(self, Done | Stopped | NeedsDown { .. } | FellWith { .. } | Restarted { .. })
    }

    /// Ended by the supervisor itself, for a reason it has told already.
    pub(crate) fn killed_by_supervisor() -> Self {
        ExitReason::Killed { by: "the supervisor".to_owned() }
    }

    /// The message that was in hand, for reasons that can be blamed on one.
    pub(crate) fn message(&self) -> Option<&str> {
        match self {
            ExitReason::Panic { during, .. } | ExitReason::Fault { during, .. } | ExitReason::Hung { during, .. } => Some(during),
            _ => None,
        }
    }

    /// The same reason, telling how often in a row the same message ended this child.
    pub(crate) fn repeated(mut self, times: u32) -> Self {
        if let ExitReason::Panic { times_in_a_row, .. } | ExitReason::Fault { times_in_a_row, .. } = &mut self {
            *times_in_a_row = times;
        }
        self
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitReason::Done => write!(f, "done"),
            ExitReason::Stopped => write!(f, "stopped"),
            ExitReason::NeedsDown { need } => write!(f, "stopped because {need} is down"),
            ExitReason::FellWith { sibling } => write!(f, "fell with {sibling}"),
            ExitReason::ChildrenFailed { restarts, window_ms } => {
                write!(f, "its children needed more than {restarts} restarts within {window_ms} ms")
            }
            ExitReason::Restarted { by } => write!(f, "restarted by {by}"),
            ExitReason::Panic { message, place, during, times_in_a_row, .. } => {
                write!(f, "panic in {during}: {message}")?;
                if let Some(place) = place {
                    write!(f, " at {place}")?;
                }
                in_a_row(f, *times_in_a_row)
            }
            ExitReason::Fault { error, during, times_in_a_row } => {
                write!(f, "fault in {during}: {error}")?;
                in_a_row(f, *times_in_a_row)
            }
            ExitReason::StartFailed { error } => write!(f, "start failed: {error}"),
            ExitReason::StartLate { limit_ms } => write!(f, "not ready within {limit_ms} ms"),
            ExitReason::Hung { during, busy_ms, limit_ms } => {
                write!(f, "hung in {during} for {busy_ms} ms (limit {limit_ms} ms)")
            }
            ExitReason::ReadyLate { limit_ms } => write!(f, "did not say that it is ready within {limit_ms} ms"),
            ExitReason::StopLate { limit_ms } => write!(f, "did not leave within {limit_ms} ms and was killed"),
            ExitReason::Killed { by } => write!(f, "killed by {by}"),
        }
    }
}

fn in_a_row(f: &mut fmt::Formatter<'_>, times: u32) -> fmt::Result {
    match times {
        0 | 1 => Ok(()),
        times => write!(f, " ({times} times in a row: this message may be poison)"),
    }
}

/// The tree gave up on a child; whoever runs it decides what that means. Siblings run on untouched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    pub child: String,
    pub reason: String,
    /// What the process should exit with if it decides to.
    pub exit_code: i32,
}

impl fmt::Display for Escalation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} gave up: {}", self.child, self.reason)
    }
}
