//! What a process whose runtime stands still leaves behind: which actor was at what, for how long.
//!
//! Written by threads of the operating system alone, from snapshots that need neither the runtime nor a supervisor. Whatever
//! holds the runtime up may hold these threads up too (a lock, a disk, a pipe that nobody reads), so all of it has a limit.

use std::{
    sync::{Arc, mpsc::channel},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use serde::Serialize;
use supervision::{Snapshot, Snapshots, Stuck};

use crate::{boot::Node, exit::ExitCode, home::Home, telemetry::LastLines};

/// How long the last words may take before the process ends without them.
const LIMIT: Duration = Duration::from_secs(3);
/// How long another may keep the list of trees.
const LIST_LIMIT: Duration = Duration::from_millis(200);

/// Every tree of this process. Clones show the same.
#[derive(Clone, Default)]
pub(super) struct Trees(Arc<Mutex<Vec<(Home, Snapshots)>>>);

/// All that is known, for a person or a program.
#[derive(Serialize)]
struct Report {
    /// Unix milliseconds.
    at_ms: u64,
    pid: u32,
    version: &'static str,
    stuck_for_ms: u64,
    /// How often the watchdog had seen the runtime turn.
    turns: u64,
    trees: Vec<Snapshot>,
}

impl Trees {
    pub fn add(&self, node: &Node) {
        self.0.lock().push((node.home().clone(), node.snapshots()));
    }
}

/// Says all there is to say, within [`LIMIT`], and ends the process.
pub(super) fn end(stuck: Stuck, trees: &Trees, lines: LastLines) -> ! {
    let (said, is_said) = channel();
    let trees = trees.clone();
    let speaker = std::thread::Builder::new().name("last words".into()).spawn(move || {
        speak(stuck, &trees, &lines);
        // Nobody waits any more when it took too long.
        let _ = said.send(());
    });
    if speaker.is_ok() {
        // Its end, or the end of our patience.
        let _ = is_said.recv_timeout(LIMIT);
    }
    std::process::exit(i32::from(ExitCode::Stuck as u8));
}

fn speak(stuck: Stuck, trees: &Trees, lines: &LastLines) {
    let trees = trees.0.try_lock_for(LIST_LIMIT).map(|trees| trees.clone()).unwrap_or_default();
    let report = Report::of(stuck, trees.iter().map(|(_, snapshots)| snapshots.take()).collect());
    let text = serde_json::to_string(&report).unwrap_or_default();
    // Files first: stderr may be a pipe that nobody reads.
    for (home, _) in &trees {
        let path = home.stuck_report_file(report.at_ms);
        match crate::home::write(&path, &text) {
            Ok(()) => tracing::error!(path = %path.display(), "what each actor was at is written down"),
            Err(error) => tracing::error!(%error, "what each actor was at is not written down"),
        }
        if let Err(error) = home.forget_old_stuck_reports() {
            tracing::warn!(%error, "old reports of a stuck runtime are not deleted");
        }
    }
    tracing::error!(stuck_for = ?stuck.lasted, exit_code = ExitCode::Stuck as u8, "the runtime has not moved: this process ends");
    lines.write();
    eprintln!("{text}");
}

impl Report {
    fn of(stuck: Stuck, trees: Vec<Snapshot>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            at_ms: now.as_millis() as u64,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
            stuck_for_ms: stuck.lasted.as_millis() as u64,
            turns: stuck.turns,
            trees,
        }
    }
}
