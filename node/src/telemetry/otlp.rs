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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        config::{Sources, resolve},
        telemetry::{Metrics, end, logs::tracer},
    };
    use opentelemetry::trace::{Tracer, TracerProvider};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        sync::mpsc,
    };

    /// A collector that answers everything with 200 and tells the paths.
    async fn collector() -> (String, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (paths, seen) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut buffer = [0; 65_536];
                let count = stream.read(&mut buffer).await.unwrap();
                let path = String::from_utf8_lossy(&buffer[..count]).split(' ').nth(1).unwrap_or_default().to_owned();
                stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                paths.send(path).await.unwrap();
            }
        });
        (endpoint, seen)
    }

    fn metrics(endpoint: &str) -> Metrics {
        let mut config = resolve(&Sources::default()).unwrap().config.telemetry;
        config.otlp_endpoint = Some(endpoint.to_owned());
        Metrics::new("validator-0", &config, &Handle::current()).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn metrics_and_spans_reach_the_collector_before_the_end() {
        let (endpoint, mut seen) = collector().await;
        metrics(&endpoint).shutdown().await;
        assert_eq!(seen.recv().await.unwrap(), "/v1/metrics");
        let traces = tracer("process", &endpoint, &Handle::current()).unwrap();
        traces.tracer("test").in_span("consensus.vote", |_| ());
        end("traces", move || traces.shutdown()).await;
        assert_eq!(seen.recv().await.unwrap(), "/v1/traces");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_collector_that_is_not_there_delays_the_end_but_does_not_fail_it() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let stopped = metrics(&format!("http://{free}")).shutdown();
        tokio::time::timeout(Duration::from_secs(60), stopped).await.unwrap();
    }
}
