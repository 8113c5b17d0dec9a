//! What an ordered stop has to say.

use serde::{Deserialize, Serialize};

/// Who took how long to stop, in stop order.
#[must_use = "the report tells who was late"]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShutdownReport {
    pub tree: String,
    pub cause: String,
    pub took_ms: u64,
    pub children: Vec<StopLine>,
    /// False when the supervisor itself was gone, so that nothing was stopped in order.
    pub in_order: bool,
}

/// How one child stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopLine {
    pub child: String,
    pub took_ms: u64,
    /// It did not handle all that waited within its drain limit; the rest are dead letters.
    pub undrained: bool,
    /// It did not stop within its limit and was killed.
    pub late: bool,
    /// It did not even react to that: its thread is still blocked.
    pub abandoned: bool,
    /// Why its last incarnation ended; absent when there was none.
    pub exit: Option<String>,
    /// Messages that nobody handled.
    pub dead_letters: u64,
}

impl ShutdownReport {
    /// Those who did not stop within their limit.
    pub fn late(&self) -> impl Iterator<Item = &str> {
        self.children.iter().filter(|line| line.late).map(|line| line.child.as_str())
    }

    /// Whether everybody stopped by themselves and in time.
    pub fn is_clean(&self) -> bool {
        self.in_order && self.late().next().is_none()
    }
}
