//! What is counted, as Prometheus reads it.

use api::{Config, Rate, RateLimits};
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder, Registry, TextEncoder};
use serde_json::json;

use crate::{
    client::{call, get, result},
    server::{Server, config},
};

fn counters() -> (Registry, SdkMeterProvider) {
    let registry = Registry::new();
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .without_units()
        .without_counter_suffixes()
        .scope_info_enabled(false)
        .build()
        .unwrap();
    (registry, SdkMeterProvider::builder().with_reader(exporter).build())
}

fn read(registry: &Registry) -> String {
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn pages_and_refusals_of_clients_that_ask_too_much_are_counted() {
    let (registry, provider) = counters();
    let rate = Rate { per_second: 1, burst: 100 };
    let limits = RateLimits { reads: rate, calls: Rate { burst: 2, ..rate }, submits: rate, loopback: true };
    let server = Server::with(Config { meter: provider.meter("api"), limits: Some(limits), ..config() }).await;
    get(server.address, "/v1/blocks/7").await;
    while get(server.address, "/v1/blocks").await.status != 429 {}
    let text = read(&registry);
    for line in ["api_requests_total{code=\"404\",method=\"v1_block\"} 1", "api_limited_total{class=\"calls\"} 1"] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn requests_are_counted_by_method_and_strangers_names_are_not_labels() {
    let (registry, provider) = counters();
    let server = Server::with(Config { meter: provider.meter("api"), ..config() }).await;
    result(server.address, "eth_chainId", json!([])).await;
    call(server.address, "eth_evil", json!([])).await;
    let text = read(&registry);
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
