//! Traces over actors: a binary of its own, because which spans are wanted is remembered for a whole process.
#![allow(clippy::unwrap_used)]

#[path = "it/job.rs"]
#[allow(dead_code)]
mod job;
#[path = "it/probe.rs"]
mod probe;

use std::future::{Future, ready};
use std::sync::Arc;

use opentelemetry::trace::{SpanId, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use parking_lot::Mutex;
use tracing::Instrument;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

use job::*;
use probe::*;

#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.0.lock().extend(batch);
        ready(Ok(()))
    }
}

impl Kept {
    /// Keeps every span that ends on this thread while the guard lives.
    fn listen() -> (Self, DefaultGuard) {
        let kept = Kept::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        (kept, tracing::subscriber::set_default(tracing_subscriber::registry().with(layer)))
    }

    /// The spans of this name, in the order in which they ended.
    fn all(&self, name: &str) -> Vec<SpanData> {
        self.0.lock().iter().filter(|span| span.name == name).cloned().collect()
    }

    fn one(&self, name: &str) -> SpanData {
        self.all(name).pop().unwrap_or_else(|| panic!("there is no span {name}"))
    }
}

fn links(span: &SpanData) -> Vec<SpanId> {
    span.links.links.iter().map(|link| link.span_context.span_id()).collect()
}

#[tokio::test]
async fn a_message_is_a_span_in_the_trace_of_whoever_sent_it() {
    let (kept, _guard) = Kept::listen();
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec]).await;
    let request = tracing::info_span!("request");
    address.ask(SOON, Told::Ask).instrument(request).await.unwrap();
    eventually("it was handled", || !kept.all("a.Ask").is_empty()).await;

    let (request, handled) = (kept.one("request"), kept.one("a.Ask"));
    assert_eq!(handled.parent_span_id, request.span_context.span_id());
    assert_eq!(handled.span_context.trace_id(), request.span_context.trace_id());
    assert!(handled.attributes.iter().any(|field| field.key.as_str() == "queued_us"));
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn a_tick_begins_its_own_trace_and_links_to_where_its_timer_was_set() {
    let (kept, _guard) = Kept::listen();
    let record = Record::default();
    let (address, spec) = probe("a", &record);
    let running = run(vec![spec]).await;
    let request = tracing::info_span!("request");
    request.in_scope(|| address.try_send(Told::Every(ms(1), 1))).unwrap();
    eventually("three ticks", || kept.all("a.Note").len() >= 3).await;
    let set = kept.one("a.Other");
    let ticks = kept.all("a.Note");
    let mut traces: Vec<_> = ticks.iter().map(|tick| tick.span_context.trace_id()).collect();
    assert!(ticks.iter().all(|tick| tick.parent_span_id == SpanId::INVALID && links(tick) == [set.span_context.span_id()]));
    traces.push(set.span_context.trace_id());
    traces.sort_by_key(|trace| trace.to_bytes());
    traces.dedup();
    assert_eq!(traces.len(), ticks.len() + 1, "each is a trace of its own");
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn what_an_actor_tells_itself_links_to_where_it_told_it() {
    let (kept, _guard) = Kept::listen();
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec]).await;
    address.try_send(Told::Itself(7)).unwrap();
    eventually("it heard itself", || !kept.all("a.Note").is_empty()).await;
    let (told, heard) = (kept.one("a.Other"), kept.one("a.Note"));
    assert_eq!((heard.parent_span_id, links(&heard)), (SpanId::INVALID, vec![told.span_context.span_id()]));
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn a_trace_goes_on_over_a_crash() {
    let (kept, _guard) = Kept::listen();
    let record = Record::default();
    let (address, spec) = worker(roomy(), &record);
    let running = run(vec![spec]).await;
    let request = tracing::info_span!("request");
    request.in_scope(|| {
        address.try_send(Job::Retry(1, Break::Panic, Times::new(1))).unwrap();
        address.try_send(Job::Once(Break::Fail, Times::new(1))).unwrap();
        address.try_send(Job::Note(2)).unwrap();
    });
    drop(request);
    eventually("all handled", || !kept.all("a.Note").is_empty()).await;
    assert_eq!(record.lines(), ["2 retry 1", "3 note 2"]);
    let request = kept.one("request");
    let (tries, after) = (kept.all("a.Retry"), kept.one("a.Note"));
    assert_eq!(tries.len(), 2, "each try is a span");
    for span in tries.iter().chain([&after]) {
        assert_eq!(span.parent_span_id, request.span_context.span_id());
        assert_eq!(span.span_context.trace_id(), request.span_context.trace_id());
    }
    let _ = running.stop("test").await;
}
