//! Traces that cross the wire.

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use wire::TraceParent;

/// The trace of whoever runs now, for the envelope.
pub(super) fn here() -> Option<TraceParent> {
    let span = Span::current();
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let span = context.span();
    write(span.span_context())
}

fn write(context: &SpanContext) -> Option<TraceParent> {
    let flags = context.trace_flags().to_u8();
    let text = format!("00-{:032x}-{:016x}-{flags:02x}", context.trace_id(), context.span_id());
    if context.is_valid() { text.parse().ok() } else { None }
}

/// The span of one received message, within the trace of its sender.
pub(super) fn received(kind: &'static str, parent: Option<&TraceParent>) -> Span {
    let span = tracing::info_span!(target: "p2p::message", parent: None, "p2p.receive", kind);
    if !span.is_disabled()
        && let Some(parent) = parent.and_then(read)
    {
        // Fails only where no OpenTelemetry layer listens; then there is no trace to join.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
    span
}

fn read(parent: &TraceParent) -> Option<SpanContext> {
    let parts: Vec<&str> = parent.as_str().split('-').collect();
    let [_, trace, span, flags] = parts[..] else { return None };
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    Some(SpanContext::new(TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?, flags, true, TraceState::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_alike() {
        let parent: Option<TraceParent> = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().ok();
        assert!(parent.is_some());
        assert_eq!(parent.as_ref().and_then(read).and_then(|context| write(&context)), parent);
        assert_eq!(write(&SpanContext::NONE), None);
    }
}
