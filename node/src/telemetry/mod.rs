//! What the node tells about itself: metrics, traces, logs. Handed out, never global.
//!
//! ```text
//!   process   Logs     one subscriber: lines on stderr, and spans to OTLP where an endpoint is configured
//!   node      Metrics  one meter each: /metrics on its own port, and OTLP likewise
//! ```
//!
//! The four validators of a localnet share the process's logs and have a meter and a port each; every series carries
//! the attribute `validator`. Nothing here can stop a node: an exporter that fails is a line in the log.

mod lines;
mod listener;
mod logs;
mod metrics;
mod otlp;
mod writer;

use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;

pub use listener::MetricsDoor;
pub use logs::{LastLines, Logs};
pub use metrics::{Metrics, Scrape};

/// How long the last export may take at the end of the process.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// Ends a provider. Its exporters block the thread they are shut down on, and need the runtime meanwhile.
async fn end(what: &'static str, shutdown: impl FnOnce() -> OTelSdkResult + Send + 'static) {
    match tokio::time::timeout(SHUTDOWN_LIMIT, tokio::task::spawn_blocking(shutdown)).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(what, %error, "the last telemetry was not delivered"),
        Ok(Err(error)) => tracing::warn!(what, %error, "telemetry ended in a panic"),
        Err(_) => tracing::warn!(what, limit_s = SHUTDOWN_LIMIT.as_secs(), "the last telemetry was not delivered in time"),
    }
}
