//! What execution counts.

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

/// Instruments of one execution.
#[derive(Clone, Debug)]
pub struct ExecutionMetrics {
    pub height: Gauge<u64>,
    pub transactions: Counter<u64>,
    pub gas: Counter<u64>,
    pub build_seconds: Histogram<f64>,
    pub judge_seconds: Histogram<f64>,
    pub commit_seconds: Histogram<f64>,
}

impl ExecutionMetrics {
    pub fn new(meter: &Meter) -> Self {
        let seconds = |name: &'static str, description: &'static str| {
            let boundaries = vec![0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];
            meter.f64_histogram(name).with_description(description).with_boundaries(boundaries).build()
        };
        Self {
            height: meter.u64_gauge("execution_height_number").with_description("Height of the last committed block").build(),
            transactions: meter.u64_counter("execution_transactions_total").with_description("Transactions committed").build(),
            gas: meter.u64_counter("execution_gas_total").with_description("Gas used by committed blocks").build(),
            build_seconds: seconds("execution_build_seconds", "Time to build a block"),
            judge_seconds: seconds("execution_judge_seconds", "Time to judge a proposed block"),
            commit_seconds: seconds("execution_commit_seconds", "Time from a decision to a durable block"),
        }
    }
}
