//! What operators see.

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use wire::{Encoded, Farewell, Message, ValidatorProof};

use super::{
    strangers::dial,
    support::{DOMAIN, Net4, Node, config, identity, key, until, vote},
};

/// The sum over the series of a metric that have this label.
fn value(registry: &prometheus::Registry, name: &str, label: &str) -> Option<f64> {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == name)?;
    assert!(!family.help().is_empty(), "{name} has no description");
    let series = family.get_metric().iter().filter(|metric| label.is_empty() || metric.get_label().iter().any(|pair| pair.value() == label));
    Some(
        series
            .map(|metric| metric.get_counter().get_value() + metric.get_gauge().get_value() + metric.get_histogram().get_sample_count() as f64)
            .sum(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_dials_handshakes_messages_and_forgeries_are_counted() {
    let registry = prometheus::Registry::new();
    let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).without_units().without_counter_suffixes();
    let provider = SdkMeterProvider::builder().with_reader(exporter.build().unwrap()).build();
    let net = Net4::default();
    let one = Node::start_measured(&net, 1, config(1, &[2]), &provider.meter("test")).await;
    let two = Node::start(&net, 2, &[]).await;
    one.has_peers(1).await;
    let read = |name: &str, label: &str| value(&registry, name, label);
    assert_eq!(read("p2p_sessions", "outbound"), Some(1.0));
    assert_eq!(read("p2p_dials_total", "ok"), Some(1.0));
    assert_eq!(read("p2p_handshake_seconds", "outbound"), Some(1.0));
    assert_eq!(read("p2p_send_queue_bytes", "proposals"), Some(0.0));
    assert_eq!(read("p2p_signature_failures_total", ""), Some(0.0));
    one.peers.broadcast(&one.peers.encode(vote()).unwrap());
    assert_eq!(read("p2p_messages_total", "consensus"), Some(1.0));

    let stranger = identity(3);
    let mut peer = dial(&one, 3).await;
    let stolen = ValidatorProof::new(&key(101), &DOMAIN, two.identity.node());
    assert!(!stolen.holds_for(stranger.node(), &DOMAIN));
    peer.outbound.try_send(&Encoded::new(DOMAIN.chain_id, Message::ValidatorProof(stolen), None).unwrap()).unwrap();
    let writing = tokio::spawn(peer.writer.run());
    let goodbye = loop {
        match peer.inbound.next().await.unwrap().message {
            Message::Goodbye(goodbye) => break goodbye.reason,
            _ => continue,
        }
    };
    assert_eq!(goodbye, Farewell::Nonsense);
    until(|| read("p2p_signature_failures_total", "") == Some(1.0), || "the forgery is counted".into()).await;
    until(|| read("p2p_evictions_total", "forged_proof") == Some(1.0), || "the eviction is counted".into()).await;
    assert_eq!(read("p2p_offences_total", "forged_proof"), Some(1.0));
    assert_eq!(read("p2p_bans_total", "node"), Some(1.0));
    until(|| read("p2p_sessions", "open") == Some(1.0) && read("p2p_sessions", "draining") == Some(0.0), || "the session is over".into()).await;
    writing.abort();
    one.stop().await;
    two.stop().await;
}
