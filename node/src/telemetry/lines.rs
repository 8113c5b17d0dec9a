//! One line for each event: for people, or as JSON.
//!
//! ```text
//!   2026-11-20T10:00:00.123Z INFO  consensus: block committed height=7 tree=validator-0 trace_id=4bf9...
//!   {"timestamp":"...","level":"INFO","target":"consensus","message":"block committed","height":7,"trace_id":"4bf9..."}
//! ```
//!
//! Fields of the spans around an event are added to it, the inner ones winning.

use std::{fmt, time::SystemTime};

use opentelemetry::trace::TraceContextExt;
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, fmt::MakeWriter, layer::Context, registry::LookupSpan};

use crate::config::LogFormat;

/// Its spans carry numbers of its own, which say nothing to anybody.
const ACTOR_LIBRARY: &str = "ractor";

/// Writes events as lines.
pub(super) struct Lines<W> {
    pub format: LogFormat,
    pub writer: W,
}

/// The fields of a span or event by name.
#[derive(Clone, Default)]
struct Fields(Map<String, Value>);

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        if attributes.metadata().target().starts_with(ACTOR_LIBRARY) {
            return;
        }
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.add_outer(outer);
            }
        }
        let around = opentelemetry::Context::current();
        let trace = around.span().span_context().clone();
        if trace.is_valid() {
            fields.0.insert("trace_id".into(), trace.trace_id().to_string().into());
            fields.0.insert("span_id".into(), trace.span_id().to_string().into());
        }
        let line = line(self.format, SystemTime::now(), event.metadata(), fields.0);
        // Nobody can be told that the log cannot be written.
        let _ = std::io::Write::write_all(&mut self.writer.make_writer(), line.as_bytes());
    }
}

fn line(format: LogFormat, now: SystemTime, metadata: &tracing::Metadata<'_>, mut fields: Map<String, Value>) -> String {
    let timestamp = humantime::format_rfc3339_millis(now).to_string();
    let message = fields.remove("message").unwrap_or_default();
    match format {
        LogFormat::Text => {
            let message = message.as_str().unwrap_or_default();
            let mut line = format!("{timestamp} {:<5} {}: {}", metadata.level(), metadata.target(), printable(message));
            for (name, value) in &fields {
                let text = value.as_str().map_or_else(|| value.to_string(), quoted);
                line.push_str(&format!(" {name}={text}"));
            }
            line + "\n"
        }
        LogFormat::Json => {
            let mut all = Map::new();
            all.insert("timestamp".into(), timestamp.into());
            all.insert("level".into(), metadata.level().as_str().into());
            all.insert("target".into(), metadata.target().into());
            all.insert("message".into(), message);
            let mut event = Fields(all);
            event.add_outer(&Fields(fields));
            Value::Object(event.0).to_string() + "\n"
        }
    }
}

/// Without control characters: what a peer sent cannot forge a line or move the cursor.
fn printable(text: &str) -> String {
    if text.chars().any(char::is_control) { text.escape_debug().to_string() } else { text.to_owned() }
}

fn quoted(text: &str) -> String {
    let is_plain = !text.is_empty() && text.chars().all(|character| !character.is_control() && !character.is_whitespace() && character != '"');
    if is_plain { text.to_owned() } else { format!("{text:?}") }
}

impl Fields {
    /// Adds what is not there yet.
    fn add_outer(&mut self, outer: &Fields) {
        for (name, value) in &outer.0 {
            self.0.entry(name).or_insert_with(|| value.clone());
        }
    }

    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Memory {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn logged(format: LogFormat, events: impl FnOnce()) -> String {
        let memory = Memory::default();
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let lines = Lines { format, writer: memory.clone() };
        let subscriber = tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer)).with(lines);
        tracing::subscriber::with_default(subscriber, events);
        String::from_utf8(memory.0.lock().unwrap().clone()).unwrap()
    }

    fn committed() {
        let _span = tracing::info_span!("node", validator = "validator-1", height = 1).entered();
        tracing::info!(target: "consensus", height = 7, reason = "a b", "block committed");
    }

    #[test]
    fn a_line_for_people_has_time_level_part_message_and_fields() {
        let line = logged(LogFormat::Text, committed);
        assert!(line.contains(" INFO  consensus: block committed height=7 "), "{line}");
        assert!(line.contains("reason=\"a b\"") && line.contains("validator=validator-1") && line.contains("trace_id="), "{line}");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn a_json_line_has_the_same_facts_as_keys() {
        let line: Value = serde_json::from_str(&logged(LogFormat::Json, committed)).unwrap();
        assert_eq!((&line["message"], &line["height"], &line["validator"]), (&"block committed".into(), &7.into(), &"validator-1".into()));
        assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);
    }

    #[test]
    fn what_somebody_else_sent_cannot_forge_a_line() {
        let text = "x\n2026 ERROR node: all is lost";
        let line = logged(LogFormat::Text, || tracing::warn!(peer = text, "{text}"));
        assert_eq!(line.lines().count(), 1, "{line}");
        assert_eq!(logged(LogFormat::Json, || tracing::warn!(peer = text, "{text}")).lines().count(), 1);
    }
}
