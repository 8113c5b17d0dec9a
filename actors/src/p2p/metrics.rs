//! What p2p counts. Sessions and queued bytes are observed by the directory.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram, Meter},
};
use wire::HandshakeError;

use super::Offence;

/// Instruments shared by all p2p actors.
pub(super) struct P2pMetrics {
    dials: Counter<u64>,
    handshakes: Histogram<f64>,
    messages: Counter<u64>,
    dropped: Counter<u64>,
    evictions: Counter<u64>,
    offences: Counter<u64>,
    bans: Counter<u64>,
    signature_failures: Counter<u64>,
    stamp_bits: Gauge<u64>,
}

impl P2pMetrics {
    pub fn new(meter: &Meter) -> Self {
        let counter = |name, description| meter.u64_counter(name).with_description(description).build();
        let buckets = vec![0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
        let signature_failures = counter("p2p_signature_failures_total", "Proofs of identity that did not hold.");
        // Whoever watches that it stays 0 has to see a 0.
        signature_failures.add(0, &[]);
        let offences = counter("p2p_offences_total", "What peers did that they should not, by kind.");
        Offence::ALL.iter().for_each(|offence| offences.add(0, &[KeyValue::new("kind", offence.name())]));
        let bans = counter("p2p_bans_total", "Bans of nodes and of addresses.");
        ["node", "ip"].into_iter().for_each(|of| bans.add(0, &[KeyValue::new("of", of)]));
        Self {
            dials: counter("p2p_dials_total", "Attempts to reach a peer, by result."),
            handshakes: meter
                .f64_histogram("p2p_handshake_seconds")
                .with_description("How long handshakes took, by direction and result.")
                .with_boundaries(buckets)
                .build(),
            messages: counter("p2p_messages_total", "Messages by kind and direction."),
            dropped: counter("p2p_dropped_total", "Messages of peers that were not taken, by kind or reason."),
            evictions: counter("p2p_evictions_total", "Sessions that we ended: for an offence, for a ban, or to make room."),
            offences,
            bans,
            signature_failures,
            stamp_bits: meter.u64_gauge("p2p_stamp_bits").with_description("Work that is demanded of strangers who come, in bits.").build(),
        }
    }

    pub fn dial(&self, result: &'static str) {
        self.dials.add(1, &[KeyValue::new("result", result)]);
    }

    pub fn handshake<T>(&self, direction: &'static str, took: Duration, outcome: &Result<T, HandshakeError>) {
        let result = outcome.as_ref().err().map_or("ok", HandshakeError::name);
        let labels = [KeyValue::new("direction", direction), KeyValue::new("result", result)];
        self.handshakes.record(took.as_secs_f64(), &labels);
        if matches!(outcome, Err(HandshakeError::Forged { .. })) {
            self.signature_failure();
        }
    }

    pub fn message(&self, kind: &'static str, direction: &'static str) {
        self.messages.add(1, &[KeyValue::new("kind", kind), KeyValue::new("direction", direction)]);
    }

    /// Messages of kinds that this version does not know.
    pub fn unknown(&self, count: u64) {
        if count != 0 {
            self.dropped.add(count, &[KeyValue::new("what", "unknown_kind")]);
        }
    }

    pub fn dropped(&self, what: &'static str) {
        self.dropped.add(1, &[KeyValue::new("what", what)]);
    }

    pub fn eviction(&self, reason: &'static str) {
        self.evictions.add(1, &[KeyValue::new("reason", reason)]);
    }

    pub fn offence(&self, kind: &'static str) {
        self.offences.add(1, &[KeyValue::new("kind", kind)]);
    }

    pub fn ban(&self, of: &'static str) {
        self.bans.add(1, &[KeyValue::new("of", of)]);
    }

    pub fn stamp_bits(&self, bits: u8) {
        self.stamp_bits.record(bits.into(), &[]);
    }

    pub fn signature_failure(&self) {
        self.signature_failures.add(1, &[]);
    }
}
