//! What consensus counts.

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

/// Instruments of one consensus.
#[derive(Clone, Debug)]
pub struct ConsensusMetrics {
    pub height: Gauge<u64>,
    pub round: Gauge<u64>,
    pub rounds: Counter<u64>,
    pub decisions: Counter<u64>,
    pub height_seconds: Histogram<f64>,
    pub power_online: Gauge<u64>,
    pub evidence: Counter<u64>,
    pub signing_state: Gauge<u64>,
}

impl ConsensusMetrics {
    pub fn new(meter: &Meter) -> Self {
        Self {
            height: meter.u64_gauge("consensus_height_number").with_description("Height at hand").build(),
            round: meter.u64_gauge("consensus_round_number").with_description("Round at hand").build(),
            rounds: meter.u64_counter("consensus_rounds_total").with_description("Rounds begun").build(),
            decisions: meter.u64_counter("consensus_decisions_total").with_description("Heights committed, by origin").build(),
            height_seconds: meter
                .f64_histogram("consensus_height_seconds")
                .with_description("Time from one committed height to the next")
                .with_boundaries(vec![0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0])
                .build(),
            power_online: meter.u64_gauge("consensus_power_online").with_description("Voting power with a session, and ours").build(),
            evidence: meter.u64_counter("consensus_evidence_total").with_description("Contradictions of validators seen").build(),
            signing_state: meter.u64_gauge("signing_state").with_description("1 for the state our key is in, 0 for the others").build(),
        }
    }
}
