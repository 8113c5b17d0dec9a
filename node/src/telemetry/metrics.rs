//! One meter for each node, read by Prometheus and, where configured, sent to a collector.

use std::collections::HashSet;

use opentelemetry::{
    Key, KeyValue,
    metrics::{Meter, MeterProvider},
};
use opentelemetry_prometheus::ResourceSelector;
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider};
use prometheus::{Registry, TextEncoder};
use tokio::runtime::Handle;

use crate::{config, exit::Failure};

const VALIDATOR: &str = "validator";

/// The instruments of one node. Dropped, they count nothing more.
#[derive(Debug)]
pub struct Metrics {
    provider: SdkMeterProvider,
    registry: Registry,
}

/// Reads the metrics of one node; cheap to clone.
#[derive(Clone, Debug)]
pub struct Scrape(Registry);

impl Metrics {
    /// Instruments of the node called `node`. Nothing is sent anywhere unless an endpoint is configured.
    pub fn new(node: &str, config: &config::Telemetry, runtime: &Handle) -> Result<Self, Failure> {
        let unusable = |error: &dyn std::fmt::Display| Failure::config(format!("metrics cannot be set up: {error}")).at("telemetry.otlp_endpoint");
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_units()
            .without_counter_suffixes()
            .scope_info_enabled(false)
            .with_resource_selector(ResourceSelector::KeyAllowList(HashSet::from([Key::new(VALIDATOR)])))
            .build()
            .map_err(|error| unusable(&error))?;
        let mut builder = SdkMeterProvider::builder().with_resource(resource(node)).with_reader(reader);
        if let Some(endpoint) = &config.otlp_endpoint {
            builder = builder.with_periodic_exporter(super::otlp::metrics(endpoint, runtime).map_err(|error| unusable(&error))?);
        }
        let metrics = Self { provider: builder.build(), registry };
        let version = [KeyValue::new("version", env!("CARGO_PKG_VERSION"))];
        metrics.meter().u64_gauge("node_build_info").with_description("Always 1; its attributes say what runs here").build().record(1, &version);
        Ok(metrics)
    }

    /// Where parts of the node make their instruments. Every instrument needs a description.
    pub fn meter(&self) -> Meter {
        self.provider.meter("axolotl")
    }

    pub fn scrape(&self) -> Scrape {
        Scrape(self.registry.clone())
    }

    /// Sends what is left, within a limit; a failure is logged and changes nothing.
    pub async fn shutdown(self) {
        super::end("metrics", move || self.provider.shutdown()).await;
    }
}

impl Scrape {
    /// All series in Prometheus' text format.
    pub fn text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.0.gather()).unwrap_or_else(|error| format!("# the metrics could not be written: {error}\n"))
    }
}

/// Who reports.
pub(super) fn resource(node: &str) -> Resource {
    Resource::builder_empty()
        .with_service_name("axolotl")
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", node.to_owned()),
            KeyValue::new(VALIDATOR, node.to_owned()),
        ])
        .build()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn metrics(node: &str) -> Metrics {
        let config = config::resolve(&config::Sources::default()).unwrap().config.telemetry;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Metrics::new(node, &config, runtime.handle()).unwrap()
    }

    #[test]
    fn a_series_keeps_the_name_it_was_given_and_names_its_validator() {
        let metrics = metrics("validator-2");
        metrics
            .meter()
            .u64_counter("mempool_accepted_total")
            .with_description("Accepted transactions")
            .with_unit("{transaction}")
            .build()
            .add(3, &[]);
        metrics.meter().f64_histogram("consensus_round_duration_seconds").with_description("Rounds").with_unit("s").build().record(0.5, &[]);
        let text = metrics.scrape().text();
        assert!(text.contains("mempool_accepted_total{validator=\"validator-2\"} 3"), "{text}");
        assert!(text.contains("consensus_round_duration_seconds_count{validator=\"validator-2\"} 1"), "{text}");
        assert!(text.contains("# HELP node_build_info ") && !text.contains("otel_scope"), "{text}");
    }

    #[test]
    fn two_nodes_in_one_process_share_no_series() {
        let (one, two) = (metrics("one"), metrics("two"));
        one.meter().u64_counter("x_total").with_description("x").build().add(1, &[]);
        assert!(one.scrape().text().contains("x_total") && !two.scrape().text().contains("x_total"));
    }
}
