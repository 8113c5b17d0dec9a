//! The one subscriber of a process.

use std::{io, time::Duration};

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use super::{
    lines::Lines,
    metrics::resource,
    writer::{self, Writing},
};
use crate::{config, exit::Failure};

/// The span that supervision opens for each message: thousands a second, of use to traces only.
const MESSAGE_SPANS: &str = "supervision::message";
/// Spans that last as long as an actor: for lines, not for traces.
const LASTING_SPANS: [&str; 2] = ["supervision::life", "ractor"];
/// What the consensus core says of each message; ours say it once per height.
const CORE: &str = "arc_malachitebft_core_consensus";
/// What the exporters themselves say must not be exported again.
const EXPORTERS: [&str; 5] = ["opentelemetry", "opentelemetry_sdk", "opentelemetry-otlp", "hyper", "hyper_util"];
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// Logs and traces of this process. One for each process: the subscriber is the process's own.
#[derive(Debug)]
pub struct Logs {
    traces: Option<SdkTracerProvider>,
    writing: Writing,
}

impl Logs {
    /// Lines on stderr from now on, and spans to the collector if one is configured. `process` names this process there.
    pub fn start(process: &str, config: &config::Telemetry, runtime: &Handle) -> Result<Self, Failure> {
        let (queue, writing) = writer::start(io::stderr()).map_err(|error| Failure::runtime(format!("no thread for the log: {error}")))?;
        let lines = Lines { format: config.log_format, writer: queue }.with_filter(line_filter(config.log_level.clone()));
        let traces = match &config.otlp_endpoint {
            None => None,
            Some(endpoint) => Some(tracer(process, endpoint, runtime)?),
        };
        let spans = traces.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("axolotl")).with_filter(span_filter()));
        tracing_subscriber::registry()
            .with(spans)
            .with(lines)
            .try_init()
            .map_err(|error| Failure::runtime(format!("this process has a log already: {error}")))?;
        Ok(Self { traces, writing })
    }

    /// Writes the lines that still wait, when the runtime can do nothing any more.
    pub fn last_lines(&self) -> LastLines {
        LastLines(self.writing.clone())
    }

    /// Sends and writes what is left, within limits. The last thing a process does.
    pub async fn shutdown(self) {
        if let Some(traces) = self.traces {
            super::end("traces", move || traces.shutdown()).await;
        }
        let writing = self.writing;
        // Both limits hold inside; a join error would mean the runtime is ending anyway.
        let _ = tokio::task::spawn_blocking(move || writing.finish(FLUSH_LIMIT)).await;
    }
}

/// The lines that wait for stderr. Needs no runtime.
#[derive(Debug)]
pub struct LastLines(Writing);

impl LastLines {
    /// Writes them, at most for a second. Nothing is logged afterwards.
    pub fn write(&self) {
        self.0.finish(FLUSH_LIMIT);
    }
}

/// A tracer that sends what it is told to the collector.
pub(super) fn tracer(process: &str, endpoint: &str, runtime: &Handle) -> Result<SdkTracerProvider, Failure> {
    let exporter = super::otlp::spans(endpoint, runtime)
        .map_err(|error| Failure::config(format!("traces cannot be exported: {error}")).at("telemetry.otlp_endpoint"))?;
    Ok(SdkTracerProvider::builder().with_resource(resource(process)).with_batch_exporter(exporter).build())
}

/// What the operator asked for, without the span of each message unless that was asked for by name.
fn line_filter(asked: Targets) -> Targets {
    let is_asked_for = |part: &str| asked.iter().any(|(target, _)| target.starts_with(part));
    let (spans, core) = (is_asked_for("supervision"), is_asked_for(CORE));
    let asked = if spans { asked } else { asked.with_target(MESSAGE_SPANS, LevelFilter::OFF) };
    if core { asked } else { asked.with_target(CORE, LevelFilter::WARN) }
}

fn span_filter() -> Targets {
    EXPORTERS
        .iter()
        .chain(&LASTING_SPANS)
        .fold(Targets::new().with_default(LevelFilter::INFO), |filter, target| filter.with_target(*target, LevelFilter::OFF))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tracing::Level;

    #[test]
    fn the_span_of_each_message_is_logged_only_when_it_is_asked_for() {
        let filter = |text: &str| line_filter(text.parse().unwrap());
        assert!(filter("info").would_enable("consensus", &Level::INFO));
        assert!(!filter("info").would_enable(MESSAGE_SPANS, &Level::INFO));
        assert!(filter("info,supervision::message=info").would_enable(MESSAGE_SPANS, &Level::INFO));
    }

    #[test]
    fn an_exporter_does_not_export_itself() {
        assert!(!span_filter().would_enable("hyper_util::client", &Level::INFO));
        assert!(span_filter().would_enable(MESSAGE_SPANS, &Level::INFO));
    }
}
