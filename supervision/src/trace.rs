//! One span for each message, and where a message came from.
//!
//! Only the OpenTelemetry context of the sender travels, never its `tracing` span: a span that were held as parent
//! would stay open as long as anything descends from it, and two actors that answer each other descend for ever.

use opentelemetry::trace::{SpanContext, TraceContextExt};
use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Where a message comes from, if anybody traces it. Boxed, because most envelopes are light without it.
#[derive(Clone)]
pub(crate) struct Origin(Option<Box<Source>>);

#[derive(Clone)]
enum Source {
    /// It was sent within this span, and goes on in its trace.
    Sent(SpanContext),
    /// It begins a trace of its own, because of what was done in this span.
    Caused(SpanContext),
}

impl Origin {
    #[cfg(test)]
    pub fn none() -> Self {
        Origin(None)
    }

    /// The trace of whoever runs now.
    pub fn here() -> Self {
        Origin(here().map(|context| Box::new(Source::Sent(context))))
    }

    /// A trace of its own that links to whoever runs now: for timers, and for what an actor tells itself. Two actors
    /// that tick for ever would otherwise be one trace without end.
    pub fn own() -> Self {
        Origin(here().map(|context| Box::new(Source::Caused(context))))
    }
}

fn here() -> Option<SpanContext> {
    if LevelFilter::current() == LevelFilter::OFF {
        return None;
    }
    let span = Span::current();
    if span.is_disabled() {
        return None;
    }
    let context = span.context().span().span_context().clone();
    context.is_valid().then_some(context)
}

/// The span of one incarnation: what it logs names its tree. Only loggers want it; traces begin with messages.
pub(crate) fn life_span(tree: &str) -> Span {
    tracing::info_span!(target: "supervision::life", parent: None, "life", tree)
}

/// The span of `work` that a task does for the message in hand: in the trace of that message, if it has one.
pub(crate) fn work_span(life: &Span, child: &str, work: &'static str) -> Span {
    let Some(parent) = here() else { return life.clone() };
    let span = tracing::info_span!(target: "supervision::message", parent: life, "work", otel.name = tracing::field::Empty, child, work);
    if !span.is_disabled() {
        span.record("otel.name", tracing::field::display(format_args!("{child}.{work}")));
        // As below.
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
    }
    span
}

/// The span in which one message is handled, named `<child>.<message>`.
pub(crate) fn message_span(child: &str, message: &'static str, queued_us: u64, origin: &Origin) -> Span {
    let span = tracing::info_span!(
        target: "supervision::message",
        parent: None,
        "message",
        otel.name = tracing::field::Empty,
        child,
        message,
        queued_us,
    );
    if span.is_disabled() {
        return span;
    }
    span.record("otel.name", tracing::field::display(format_args!("{child}.{message}")));
    match origin.0.as_deref() {
        Some(Source::Sent(parent)) => {
            // Fails only where no OpenTelemetry layer listens; then there is no trace to join.
            let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent.clone()));
        }
        Some(Source::Caused(cause)) => span.add_link(cause.clone()),
        None => {}
    }
    span
}
