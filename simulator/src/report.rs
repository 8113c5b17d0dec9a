//! What a run came to.

use crate::oracle::Violation;

/// Figures of a run, or of many.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The highest decided height.
    pub heights: u64,
    pub virtual_ms: u64,
    pub occurrences: u64,
    pub messages: u64,
    pub crashes: u64,
    /// From the healing until every honest node had gained the heights it must, in virtual milliseconds; the longest of all runs.
    pub recovery_ms_max: u64,
    pub violations: Vec<Violation>,
}

impl Report {
    /// Adds another run's figures. Its violations are counted, not kept.
    pub fn add(&mut self, other: &Self) {
        self.heights += other.heights;
        self.virtual_ms += other.virtual_ms;
        self.occurrences += other.occurrences;
        self.messages += other.messages;
        self.crashes += other.crashes;
        self.recovery_ms_max = self.recovery_ms_max.max(other.recovery_ms_max);
    }

    /// One line for people.
    pub fn figures(&self) -> String {
        let Self { heights, virtual_ms, messages, crashes, recovery_ms_max, .. } = self;
        let virtual_s = *virtual_ms as f64 / 1_000.0;
        format!("{heights} heights, {virtual_s:.1} virtual s, {messages} messages, {crashes} crashes, well again after {recovery_ms_max} ms at most")
    }
}
