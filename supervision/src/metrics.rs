//! What a tree counts, through the meter that was handed in.
//!
//! Dynamic children share the label of their kind, so that ten thousand sessions are one time series.

use std::sync::{Arc, Weak};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};

use crate::registry::{Registry, Totals};

/// Name, description, and what it reads.
type Counter = (&'static str, &'static str, fn(&Totals) -> u64);

pub(crate) struct Metrics {
    queue_time: Histogram<f64>,
    handling_time: Histogram<f64>,
    tree: KeyValue,
}

impl Metrics {
    pub fn new(meter: &Meter, registry: &Arc<Registry>) -> Self {
        let counters: [Counter; 4] = [
            ("supervision_messages_handled_total", "Messages handled.", |t| t.handled),
            ("supervision_restarts_total", "Restarts after a crash, a fault, a hang or a failed start.", |t| t.restarts),
            ("supervision_hangs_total", "Incarnations that hung and were fenced.", |t| t.hangs),
            ("supervision_dead_letters_total", "Messages that nobody handled.", |t| t.dead_letters),
        ];
        for (name, description, read) in counters {
            let registry = Arc::downgrade(registry);
            let observe = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
                each(&registry, |labels, totals| observer.observe(read(totals), labels));
            };
            meter.u64_observable_counter(name).with_description(description).with_callback(observe).build();
        }
        let weak = Arc::downgrade(registry);
        meter
            .u64_observable_gauge("supervision_mailbox_depth_messages")
            .with_description("Messages that wait in mailboxes.")
            .with_callback(move |observer| each(&weak, |labels, totals| observer.observe(totals.depth, labels)))
            .build();
        let seconds = |name, description| {
            let buckets = vec![1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0];
            meter.f64_histogram(name).with_description(description).with_boundaries(buckets).build()
        };
        Metrics {
            queue_time: seconds("supervision_queue_time_seconds", "How long messages waited in a mailbox."),
            handling_time: seconds("supervision_handling_time_seconds", "How long messages took to handle."),
            tree: KeyValue::new("tree", Arc::<str>::from(registry.tree.as_str())),
        }
    }

    pub fn labels(&self, child: &Arc<str>, message: &'static str) -> Labels {
        Labels { message, values: [self.tree.clone(), KeyValue::new("child", child.clone()), KeyValue::new("message", message)] }
    }

    pub fn handled(&self, labels: &Labels, queued: Duration, took: Duration) {
        self.queue_time.record(queued.as_secs_f64(), &labels.values);
        self.handling_time.record(took.as_secs_f64(), &labels.values);
    }
}

/// Under which labels messages of one kind are counted.
pub(crate) struct Labels {
    pub message: &'static str,
    values: [KeyValue; 3],
}

fn each(registry: &Weak<Registry>, observe: impl Fn(&[KeyValue], &Totals)) {
    let Some(registry) = registry.upgrade() else { return };
    for (child, totals) in registry.totals() {
        observe(&[KeyValue::new("tree", registry.tree.clone()), KeyValue::new("child", child)], &totals);
    }
}
