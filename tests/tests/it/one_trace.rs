//! One transaction, one trace: from the client's call to the block on disk, through an actor that crashes on the way.

use std::{
    future::{Future, ready},
    process::Command,
    sync::Arc,
    time::Duration,
};

use node::{
    boot::Node,
    client::Client,
    config::Override,
    localnet::{Request, prepare},
    ports::PortOffset,
};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use parking_lot::Mutex;
use serde_json::json;
use supervision::{FaultInjection, FaultKind, Strike};
use tracing::{Dispatch, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt};

use crate::testnet::{Transfer, eventually, secs};

#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.0.lock().extend(batch);
        ready(Ok(()))
    }
}

impl Kept {
    /// A subscriber that keeps what a collector would be sent, and the calls of clients.
    fn subscriber(&self) -> Dispatch {
        let provider = SdkTracerProvider::builder().with_simple_exporter(self.clone()).build();
        let wanted = Targets::new().with_target("api", LevelFilter::DEBUG).with_target("supervision::message", LevelFilter::INFO);
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test")).with_filter(wanted);
        Dispatch::new(tracing_subscriber::registry().with(layer))
    }

    /// The names of all spans in the first trace that has one like this.
    fn trace_of(&self, is_it: impl Fn(&SpanData) -> bool) -> Vec<String> {
        let spans = self.0.lock();
        let Some(found) = spans.iter().find(|span| is_it(span)) else { return Vec::new() };
        let trace = found.span_context.trace_id();
        spans.iter().filter(|span| span.span_context.trace_id() == trace).map(|span| span.name.to_string()).collect()
    }
}

/// Says to a process that it runs this one test.
const ALONE: &str = "AXOLOTL_TEST_ALONE";
const NAME: &str = "one_trace::a_transaction_is_one_trace_from_the_call_to_the_disk_with_a_crash_inside";

/// In a process of its own: which spans are wanted is remembered for a whole process, and the nodes of other tests want none.
#[test]
fn a_transaction_is_one_trace_from_the_call_to_the_disk_with_a_crash_inside() {
    if std::env::var_os(ALONE).is_some() {
        return trace();
    }
    let output = Command::new(std::env::current_exe().unwrap()).args(["--exact", NAME, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn trace() {
    let kept = Kept::default();
    tracing::dispatcher::set_global_default(kept.subscriber()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(transaction(kept));
}

async fn transaction(kept: Kept) {
    let directory = tempfile::tempdir().unwrap();
    let mut net = prepare(&Request {
        directory: directory.path().join("net"),
        validators: Some(1),
        block_interval: Some(Duration::from_millis(50)),
        // Nothing but the transaction wakes the chain.
        empty_block_interval: Some(secs(60)),
        port_offset: Some(PortOffset::Any),
        fresh_start: false,
        environment: Vec::new(),
        flags: vec![Override { path: "chaos.enabled".into(), value: "true".into(), flag: "--set chaos.enabled=true".into() }],
    })
    .unwrap();
    let launch = net.nodes.remove(0);
    let client = Client::new(&format!("http://{}", launch.config.rpc.listen)).unwrap();
    let node = Node::start(launch).await.unwrap();
    node.ready().await.unwrap();
    // One after the other: a consensus that is gone tries no commit again.
    for (nonce, (actor, message)) in [("consensus", "TransactionsWaiting"), ("execution", "Commit")].into_iter().enumerate() {
        node.inject(FaultInjection { child: actor.into(), kind: FaultKind::Panic, on: Strike::Named(message.into()) }).unwrap();
        let (hash, raw) = Transfer::new(0, nonce as u64).sign();
        client.call("eth_sendRawTransaction", json!([raw])).await.unwrap();
        eventually("it is final", secs(20), async || {
            let receipt = client.call("eth_getTransactionReceipt", json!([hash])).await.ok()?;
            (!receipt.is_null()).then_some(())
        })
        .await;
    }
    let receipt = node.stop("the test is over").await;
    assert!(receipt.lock_released, "{receipt:?}");
    let is_the_call = |span: &SpanData| span.attributes.iter().any(|field| field.value.as_str() == "eth_sendRawTransaction");
    // Consensus crashes with the word of it in hand; the timer that begins the height begins a trace of its own.
    let passed = kept.trace_of(is_the_call);
    for name in ["api.call", "mempool.Submit", "mempool.write", "storage.Commit", "consensus.TransactionsWaiting"] {
        assert!(passed.iter().any(|span| span == name), "{name} is not in the trace: {passed:?}");
    }
    // Execution crashes with the block in hand, and is given it again.
    let passed = kept.trace_of(|span| span.name == "consensus.Retry");
    let count = |name: &str| passed.iter().filter(|span| *span == name).count();
    assert_eq!((count("execution.Commit"), count("storage.Commit")), (2, 1), "{passed:?}");
}
