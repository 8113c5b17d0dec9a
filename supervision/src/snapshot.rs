//! The tree as it is now, read from atomics: it answers while the supervisor is stuck.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hang::SLOW;
use crate::probe::{Probe, ProbeSnapshot};
use crate::registry::{Registry, Row};

/// Where a child is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ChildState {
    /// For what it needs, or for its turn.
    Waiting = 0,
    Starting = 1,
    Running = 2,
    /// Alive, and handling nothing until what it needs is back.
    Suspended = 3,
    /// Waiting out its backoff.
    Restarting = 4,
    Stopping = 5,
    Stopped = 6,
    /// Given up.
    Failed = 7,
    /// Handles messages and has not said that it is ready.
    Recovering = 8,
}

impl ChildState {
    pub(crate) fn from_code(code: u8) -> Self {
        use ChildState::*;
        [Waiting, Starting, Running, Suspended, Restarting, Stopping, Stopped, Recovering]
            .into_iter()
            .find(|state| *state as u8 == code)
            .unwrap_or(Failed)
    }

    /// Whether it will not come back.
    pub fn is_over(self) -> bool {
        matches!(self, ChildState::Stopped | ChildState::Failed)
    }
}

/// A whole tree at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    pub name: String,
    pub children: Vec<ChildSnapshot>,
}

/// One child at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChildSnapshot {
    pub name: String,
    pub state: ChildState,
    pub needs: Vec<String>,
    pub after: Vec<String>,
    /// The child that owns this one, for dynamic children.
    pub parent: Option<String>,
    /// The group it was declared in.
    pub group: Option<String>,
    pub incarnation: u64,
    pub restarts: u64,
    pub hangs: u64,
    /// Why the last incarnation ended, in words.
    pub last_exit: Option<String>,
    /// Messages that wait, and how many may.
    pub mailbox_depth: usize,
    pub mailbox_capacity: usize,
    pub handled: u64,
    pub dead_letters: u64,
    /// Since it was ready; 0 when it is not.
    pub uptime_ms: u64,
    /// What is left of its backoff.
    pub backoff_ms: u64,
    /// How long it has been at the message in hand, waiting for other actors taken off; 0 when idle.
    pub busy_ms: u64,
    /// The message or the declared work in hand.
    pub busy_with: Option<String>,
    /// Whether it waits for another actor now.
    pub waiting: bool,
    /// For which one: the oldest of its open questions.
    pub waiting_for: Option<String>,
    /// Busy for more than 2 s: degraded, and not hung yet.
    pub slow: bool,
    pub hang_limit_ms: u64,
    pub exclusive: bool,
    /// Who suspended it by hand.
    pub suspended_by: Option<String>,
    /// What should move while it runs.
    pub probes: Vec<ProbeSnapshot>,
}

impl Snapshot {
    /// The child of this name.
    pub fn child(&self, name: &str) -> Option<&ChildSnapshot> {
        self.children.iter().find(|child| child.name == name)
    }

    /// How many children are in `state`.
    pub fn count(&self, state: ChildState) -> usize {
        self.children.iter().filter(|child| child.state == state).count()
    }

    /// Whether every child runs and none is slow.
    pub fn is_healthy(&self) -> bool {
        self.children.iter().all(|child| child.state == ChildState::Running && !child.slow)
    }
}

/// A handle that takes snapshots; it needs neither the supervisor nor the runtime.
#[derive(Clone)]
pub struct Snapshots(pub(crate) Arc<Registry>);

impl Snapshots {
    pub fn take(&self) -> Snapshot {
        Snapshot { name: self.0.tree.clone(), children: self.0.rows(child) }
    }
}

fn child(row: &Row) -> ChildSnapshot {
    let vitals = row.port.vitals();
    let state = vitals.state();
    let is_up = matches!(state, ChildState::Running | ChildState::Recovering | ChildState::Suspended | ChildState::Stopping);
    let pulse = vitals.pulse();
    let busy = if is_up { pulse.busy() } else { None };
    let waiting = busy.is_some() && pulse.is_waiting();
    let waiting_for = if waiting { pulse.waits().first().map(|(_, whom)| whom.path().to_owned()) } else { None };
    ChildSnapshot {
        name: row.name.to_string(),
        state,
        needs: row.rules.needs.clone(),
        after: row.rules.after.clone(),
        parent: row.parent.as_deref().map(str::to_owned),
        group: row.group.clone(),
        incarnation: vitals.fence.current().0,
        restarts: vitals.restarts.load(std::sync::atomic::Ordering::Relaxed),
        hangs: vitals.hangs.load(std::sync::atomic::Ordering::Relaxed),
        last_exit: vitals.last_exit_in_words(),
        mailbox_depth: row.port.depth(),
        mailbox_capacity: row.port.capacity(),
        handled: vitals.handled.load(std::sync::atomic::Ordering::Relaxed),
        dead_letters: vitals.dead_letters.load(std::sync::atomic::Ordering::Relaxed),
        uptime_ms: if is_up { millis(vitals.uptime()) } else { 0 },
        backoff_ms: if state == ChildState::Restarting { millis(vitals.backoff_left()) } else { 0 },
        busy_ms: millis(busy.unwrap_or_default()),
        busy_with: busy.map(|_| pulse.doing().to_owned()),
        waiting,
        waiting_for,
        slow: !waiting && busy.is_some_and(|busy| busy > SLOW),
        hang_limit_ms: millis(row.rules.hang_limit),
        exclusive: row.rules.exclusive,
        suspended_by: vitals.held_by(),
        probes: row.rules.probes.iter().map(Probe::snapshot).collect(),
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
