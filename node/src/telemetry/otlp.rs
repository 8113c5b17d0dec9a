//! Export to an OpenTelemetry collector over HTTP.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError, hyper::HyperClient};
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig};
use tokio::runtime::Handle;

/// How long one export may take.
const EXPORT_LIMIT: Duration = Duration::from_secs(5);

/// Sends on the runtime. The exporters run on plain threads, where no reactor is, and wait there.
struct OnRuntime {
    client: HyperClient,
    runtime: Handle,
}

impl fmt::Debug for OnRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnRuntime")
    }
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        // Ends by itself: the client has a time limit, and whoever exports waits for it.
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}

fn client(runtime: &Handle) -> OnRuntime {
    OnRuntime { client: HyperClient::with_default_connector(EXPORT_LIMIT, None), runtime: runtime.clone() }
}

pub(super) fn spans(endpoint: &str, runtime: &Handle) -> Result<SpanExporter, ExporterBuildError> {
    SpanExporter::builder()
        .with_http()
        .with_http_client(client(runtime))
        .with_endpoint(format!("{endpoint}/v1/traces"))
        .with_timeout(EXPORT_LIMIT)
        .build()
}

pub(super) fn metrics(endpoint: &str, runtime: &Handle) -> Result<MetricExporter, ExporterBuildError> {
    MetricExporter::builder()
        .with_http()
        .with_http_client(client(runtime))
        .with_endpoint(format!("{endpoint}/v1/metrics"))
        .with_timeout(EXPORT_LIMIT)
        .build()
}
