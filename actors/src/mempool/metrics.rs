//! What the mempool counts.

use opentelemetry::metrics::{Counter, Gauge, Meter};

/// Instruments of one mempool.
#[derive(Clone, Debug)]
pub struct MempoolMetrics {
    pub admitted: Counter<u64>,
    pub rejected: Counter<u64>,
    pub unexamined: Counter<u64>,
    pub removed: Counter<u64>,
    pub transactions: Gauge<u64>,
    pub bytes: Gauge<u64>,
}

impl MempoolMetrics {
    pub fn new(meter: &Meter) -> Self {
        Self {
            admitted: meter.u64_counter("mempool_admitted_total").with_description("Transactions let into the pool").build(),
            rejected: meter.u64_counter("mempool_rejected_total").with_description("Transactions refused by the pool").build(),
            unexamined: meter
                .u64_counter("mempool_unexamined_total")
                .with_description("Offers of peers dropped because too many were at hand")
                .build(),
            removed: meter.u64_counter("mempool_removed_total").with_description("Transactions that left the pool, by reason").build(),
            transactions: meter.u64_gauge("mempool_transactions").with_description("Transactions waiting").build(),
            bytes: meter.u64_gauge("mempool_bytes").with_description("Bytes of the transactions waiting").build(),
        }
    }
}
