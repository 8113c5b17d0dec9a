//! What is counted, as Prometheus reads it.

use api::Config;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder, Registry, TextEncoder};
use serde_json::json;

use crate::{
    client::{call, result},
    server::{Server, config},
};

#[tokio::test]
async fn requests_are_counted_by_method_and_strangers_names_are_not_labels() {
    let registry = Registry::new();
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .without_units()
        .without_counter_suffixes()
        .scope_info_enabled(false)
        .build()
        .unwrap();
    let provider = SdkMeterProvider::builder().with_reader(exporter).build();
    let server = Server::with(Config { meter: provider.meter("api"), ..config() }).await;
    result(server.address, "eth_chainId", json!([])).await;
    call(server.address, "eth_evil", json!([])).await;
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    for line in [
        "# HELP api_requests_total Requests answered, by method and result",
        "api_requests_total{code=\"0\",method=\"eth_chainId\"} 1",
        "api_requests_total{code=\"-32601\",method=\"unknown\"} 1",
        "api_request_seconds_count{method=\"eth_chainId\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("eth_evil"));
}
