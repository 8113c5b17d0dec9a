//! What the API counts.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter},
};

/// From a look-up to a call that runs into its limit.
const SECONDS: [f64; 13] = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 5.0, 10.0, 30.0];

/// Instruments of one listener. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    requests: Counter<u64>,
    seconds: Histogram<f64>,
    cut: Counter<u64>,
}

impl Metrics {
    pub fn new(meter: &Meter) -> Self {
        Self {
            requests: meter.u64_counter("api_requests_total").with_description("Requests answered, by method and result").build(),
            cut: meter.u64_counter("api_subscribers_cut_total").with_description("WebSockets closed because their client was too slow").build(),
            seconds: meter
                .f64_histogram("api_request_seconds")
                .with_description("Time to answer a request, by method")
                .with_boundaries(SECONDS.to_vec())
                .build(),
        }
    }

    /// A subscriber was too slow.
    pub fn cut(&self) {
        self.cut.add(1, &[]);
    }

    /// `method` is one of ours or `unknown`, never a client's text: labels must stay few.
    pub fn answered(&self, method: &'static str, code: i32, took: Duration) {
        let method = KeyValue::new("method", method);
        self.requests.add(1, &[method.clone(), KeyValue::new("code", i64::from(code))]);
        self.seconds.record(took.as_secs_f64(), &[method]);
    }
}
