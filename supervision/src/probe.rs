//! Progress besides liveness: a number that should move while a child runs.

use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::child::ChildId;
use crate::event::EventKind;
use crate::family::Family;
use crate::panics::caught;
use crate::snapshot::millis;

pub(crate) struct Probe {
    name: String,
    limit: Duration,
    read: Box<dyn Fn() -> Option<u64> + Send + Sync>,
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy)]
struct Seen {
    value: Option<u64>,
    since: Instant,
    stalled: bool,
}

/// A probe at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSnapshot {
    pub name: String,
    /// Absent when nothing was expected to move.
    pub value: Option<u64>,
    pub unchanged_ms: u64,
    pub limit_ms: u64,
    /// Whether it has been unchanged beyond its limit while its child ran.
    pub stalled: bool,
}

impl Probe {
    pub fn new(name: &str, limit: Duration, read: impl Fn() -> Option<u64> + Send + Sync + 'static) -> Self {
        let seen = Seen { value: None, since: Instant::now(), stalled: false };
        Probe { name: name.to_owned(), limit, read: Box::new(read), seen: Mutex::new(seen) }
    }

    /// Reads it, and tells what is news. While its child does not run, or has nothing to move, the clock stands still.
    fn look(&self, runs: bool) -> Option<EventKind> {
        // Foreign code: its panic must not be the supervisor's.
        let value = caught(|| (self.read)()).unwrap_or_default();
        let mut seen = self.seen.lock();
        let (has_moved, was_stalled) = (value != seen.value, seen.stalled);
        let Some(number) = value.filter(|_| runs && !has_moved) else {
            *seen = Seen { value, since: Instant::now(), stalled: was_stalled && !has_moved };
            return (was_stalled && has_moved).then(|| EventKind::MovesAgain { probe: self.name.clone() });
        };
        if seen.stalled || seen.since.elapsed() <= self.limit {
            return None;
        }
        seen.stalled = true;
        Some(EventKind::Stalled { probe: self.name.clone(), value: number, unchanged_ms: millis(seen.since.elapsed()) })
    }

    pub fn snapshot(&self) -> ProbeSnapshot {
        let seen = *self.seen.lock();
        ProbeSnapshot {
            name: self.name.clone(),
            value: seen.value,
            unchanged_ms: millis(seen.since.elapsed()),
            limit_ms: millis(self.limit),
            stalled: seen.stalled,
        }
    }
}

impl Family {
    /// Reads the probes of all static children.
    pub fn look_at_progress(&self) {
        for index in 0..self.start_order.len() {
            let id = ChildId(index as u64);
            let Some(child) = self.children.get(&id) else { continue };
            for event in child.rules.probes.iter().filter_map(|probe| probe.look(child.is_running())) {
                if let EventKind::Stalled { probe, value, unchanged_ms } = &event {
                    tracing::warn!(child = &*child.name, probe, value, unchanged_ms, "no progress");
                }
                self.tell(id, event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_probe_stalls_once_and_moves_again() {
        let height = Arc::new(AtomicU64::new(7));
        let reader = height.clone();
        let probe = Probe::new("height", Duration::from_secs(1), move || Some(reader.load(Relaxed)));
        assert_eq!(probe.look(true), None);
        tokio::time::advance(Duration::from_millis(1001)).await;
        assert_eq!(probe.look(true), Some(EventKind::Stalled { probe: "height".into(), value: 7, unchanged_ms: 1001 }));
        assert_eq!(probe.look(true), None, "it is told once");
        assert!(probe.snapshot().stalled);
        height.store(8, Relaxed);
        assert_eq!(probe.look(true), Some(EventKind::MovesAgain { probe: "height".into() }));
        assert!(!probe.snapshot().stalled);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_who_does_not_run_is_expected_to_move() {
        let probe = Probe::new("height", Duration::from_secs(1), || Some(7));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(probe.look(false), None);
        assert_eq!(probe.look(true), None, "the clock begins when it runs");
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_panics_has_nothing_to_tell() {
        let probe = Probe::new("height", Duration::from_secs(1), || panic!("told to"));
        assert_eq!((probe.look(true), probe.snapshot().value), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn where_there_is_nothing_to_move_nothing_stalls() {
        let probe = Probe::new("behind", Duration::from_secs(1), || None);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!((probe.look(true), probe.snapshot().stalled), (None, false));
    }
}
