//! What the keeper of evidence counts.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};

/// Instruments of one keeper.
#[derive(Clone, Debug)]
pub struct EvidenceMetrics {
    heard: Counter<u64>,
}

impl EvidenceMetrics {
    pub fn new(meter: &Meter) -> Self {
        Self { heard: meter.u64_counter("evidence_heard_total").with_description("Pieces of evidence from peers, by outcome").build() }
    }

    pub(super) fn heard(&self, outcome: &'static str) {
        self.heard.add(1, &[KeyValue::new("outcome", outcome)]);
    }
}
