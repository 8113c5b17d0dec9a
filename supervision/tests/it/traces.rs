use std::future::{Future, ready};
use std::sync::Arc;

use opentelemetry::trace::{SpanId, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use parking_lot::Mutex;
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;

use crate::probe::*;

#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.0.lock().extend(batch);
        ready(Ok(()))
    }
}

#[tokio::test]
async fn a_message_is_a_span_in_the_trace_of_whoever_sent_it() {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec]).await;
    let request = tracing::info_span!("request");
    address.ask(SOON, Told::Ask).instrument(request).await.unwrap();
    address.try_send(Told::Later(ms(1), 1)).unwrap();
    let named = |name: &str| kept.0.lock().iter().find(|span| span.name == name).cloned();
    eventually("the timer's span", || named("a.Note").is_some()).await;

    let (request, handled) = (named("request").unwrap(), named("a.Ask").unwrap());
    assert_eq!(handled.parent_span_id, request.span_context.span_id());
    assert_eq!(handled.span_context.trace_id(), request.span_context.trace_id());
    assert!(handled.attributes.iter().any(|field| field.key.as_str() == "queued_us"));
    let timer = named("a.Note").unwrap();
    assert_eq!(timer.parent_span_id, SpanId::INVALID, "a timer begins its own trace");
    let _ = running.stop("test").await;
}
