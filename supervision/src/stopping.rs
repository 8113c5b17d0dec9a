//! Stopping everybody, one stage after the other, each with its limit, and the report of it.
//!
//! A stage is one static child, after the dynamic children it owns. The supervisor waits for nobody: each piece of
//! news, or the tick that finds somebody late, moves it on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::child::ChildId;
use crate::family::Family;
use crate::mailbox::Leaving;
use crate::report::{ShutdownReport, StopLine};
use crate::snapshot::millis;

pub(crate) struct Stopping {
    cause: String,
    since: Instant,
    /// Stages still to come.
    stages: VecDeque<Vec<ChildId>>,
    /// The children of the stage in hand who have not gone yet.
    present: BTreeMap<ChildId, Line>,
    lines: Vec<StopLine>,
    report: Option<oneshot::Sender<ShutdownReport>>,
}

/// A limit of an ordered stop that somebody did not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    Drain,
    Stop,
    Kill,
}

struct Line {
    child: String,
    since: Instant,
    missed: Vec<Deadline>,
    vitals: std::sync::Arc<crate::vitals::Vitals>,
}

impl Stopping {
    pub fn is_over(&self) -> bool {
        self.report.is_none()
    }
}

impl Family {
    pub fn stop(&mut self, cause: String, report: oneshot::Sender<ShutdownReport>) {
        // A second stop is told by its closed channel that the first one is at work.
        if self.stopping.is_some() {
            return;
        }
        tracing::info!(tree = self.shared.registry.tree, cause, "stopping");
        let stages = self.stop_order.iter().flat_map(|id| [self.dynamic_children_of(*id), vec![*id]]).collect();
        self.stopping = Some(Stopping { cause, since: Instant::now(), stages, present: BTreeMap::new(), lines: Vec::new(), report: Some(report) });
    }

    /// Goes to the next stage while nobody of the present one is left.
    pub fn advance_stop(&mut self) {
        loop {
            let Some(stopping) = &mut self.stopping else {
                return;
            };
            if !stopping.present.is_empty() {
                return;
            }
            let Some(stage) = stopping.stages.pop_front() else {
                return self.finish_stop();
            };
            for id in stage {
                self.tell_to_stop(id);
            }
        }
    }

    fn tell_to_stop(&mut self, id: ChildId) {
        let Some(child) = self.children.get(&id) else {
            return;
        };
        let is_over = child.is_over();
        let line = Line { child: child.name.to_string(), since: Instant::now(), missed: Vec::new(), vitals: child.port.vitals().clone() };
        if let Some(stopping) = &mut self.stopping {
            stopping.present.insert(id, line);
        }
        match is_over {
            true => self.note_over(id),
            false => self.end_child(id, Leaving::Drained),
        }
    }

    /// Writes the line of somebody who is over.
    pub fn note_over(&mut self, id: ChildId) {
        if let Some(stopping) = &mut self.stopping
            && let Some(line) = stopping.present.remove(&id)
        {
            stopping.lines.push(line.write());
        }
    }

    pub fn note_missed(&mut self, id: ChildId, deadline: Deadline) {
        if let Some(line) = self.stopping.as_mut().and_then(|stopping| stopping.present.get_mut(&id)) {
            line.missed.push(deadline);
        }
    }

    fn finish_stop(&mut self) {
        let Some(stopping) = &mut self.stopping else { return };
        let Some(report) = stopping.report.take() else { return };
        // Whoever asked for the stop may have left.
        let _ = report.send(ShutdownReport {
            tree: self.shared.registry.tree.clone(),
            cause: stopping.cause.clone(),
            took_ms: millis(stopping.since.elapsed()),
            children: std::mem::take(&mut stopping.lines),
            in_order: true,
        });
    }
}

impl Line {
    fn write(self) -> StopLine {
        StopLine {
            child: self.child,
            took_ms: millis(self.since.elapsed()),
            undrained: self.missed.contains(&Deadline::Drain),
            late: self.missed.contains(&Deadline::Stop),
            abandoned: self.missed.contains(&Deadline::Kill),
            exit: self.vitals.last_exit_in_words(),
            dead_letters: self.vitals.dead_letters.load(Relaxed),
        }
    }
}
