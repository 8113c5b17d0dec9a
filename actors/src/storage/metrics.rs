//! What storage counts.

use opentelemetry::metrics::{Counter, Histogram, Meter};

/// Instruments of one storage.
#[derive(Clone, Debug)]
pub struct StorageMetrics {
    pub commits: Counter<u64>,
    pub commit_seconds: Histogram<f64>,
    pub written_bytes: Counter<u64>,
}

impl StorageMetrics {
    pub fn new(meter: &Meter) -> Self {
        Self {
            commits: meter.u64_counter("storage_commits_total").with_description("Synced groups written, by result").build(),
            commit_seconds: meter
                .f64_histogram("storage_commit_seconds")
                .with_description("Time until a group was durable")
                .with_boundaries(vec![0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0])
                .build(),
            written_bytes: meter.u64_counter("storage_written_bytes_total").with_description("Bytes of keys and values written").build(),
        }
    }
}
