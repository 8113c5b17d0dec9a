//! One span for each message, and where a message came from.
//!
//! Only the OpenTelemetry context of the sender travels, never its `tracing` span: a span that were held as parent
//! would stay open as long as anything descends from it, and two actors that answer each other descend for ever.

use opentelemetry::trace::{SpanContext, TraceContextExt};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The trace a message was sent in, if any.
pub(crate) struct Origin(Option<SpanContext>);

impl Origin {
    /// A message that begins its own trace: timers, and what an actor tells itself.
    pub fn none() -> Self {
        Origin(None)
    }

    /// The trace of whoever runs now.
    pub fn here() -> Self {
        let span = Span::current();
        if span.is_disabled() {
            return Origin(None);
        }
        let context = span.context().span().span_context().clone();
        Origin(context.is_valid().then_some(context))
    }
}

/// The span of one incarnation: what it logs names its tree. Only loggers want it; traces begin with messages.
pub(crate) fn life_span(tree: &str) -> Span {
    tracing::info_span!(target: "supervision::life", parent: None, "life", tree)
}

/// The span in which one message is handled, named `<child>.<message>`.
pub(crate) fn message_span(child: &str, message: &'static str, queued_us: u64, origin: Origin) -> Span {
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
    if let Some(parent) = origin.0 {
        // Fails only where no OpenTelemetry layer listens; then there is no trace to join.
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
    }
    span
}
