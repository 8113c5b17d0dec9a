//! `/metrics` and `/livez` on a port of their own, so that a node whose API is suspended is still seen.

use std::{net::TcpListener, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

use super::Scrape;
use crate::{
    exit::Failure,
    server::{Answer, serve},
};

const MAX_CONNECTIONS: usize = 16;
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// The open door; [`MetricsDoor::stop`] closes it and waits.
#[derive(Debug)]
pub struct MetricsDoor {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl MetricsDoor {
    /// Answers on `listener` until it is stopped. Must be called on the runtime.
    pub fn open(listener: TcpListener, scrape: Scrape) -> Result<Self, Failure> {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| Failure::runtime(format!("metrics cannot be served: {error}")))?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve("metrics", listener, MAX_CONNECTIONS, scrape, stopped));
        Ok(Self { stop, task })
    }

    /// Closes the door; answers under way are finished within a limit.
    pub async fn stop(mut self) {
        // The task may have ended by itself; then there is nobody to tell.
        let _ = self.stop.send(());
        if tokio::time::timeout(STOP_LIMIT, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Answer for Scrape {
    async fn answer(self, request: Request<Incoming>, _closing: watch::Receiver<bool>) -> Response<Full<Bytes>> {
        answer(&request, &self)
    }
}

fn answer(request: &Request<Incoming>, scrape: &Scrape) -> Response<Full<Bytes>> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, kind, body) = match request.uri().path() {
        _ if !is_read => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET is answered here\n".to_owned()),
        "/metrics" => (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", scrape.text()),
        "/livez" => (StatusCode::OK, "text/plain", "ok\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "text/plain", "here are /metrics and /livez\n".to_owned()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{client::Client, config, telemetry::Metrics};
    use tokio::net::TcpStream;

    async fn door() -> (MetricsDoor, Client, Metrics) {
        let config = config::resolve(&config::Sources::default()).unwrap().config.telemetry;
        let metrics = Metrics::new("validator-0", &config, &tokio::runtime::Handle::current()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        (MetricsDoor::open(listener, metrics.scrape()).unwrap(), client, metrics)
    }

    #[tokio::test]
    async fn metrics_and_liveness_are_served_and_nothing_else_is() {
        let (door, client, _metrics) = door().await;
        let (status, body) = client.get("/metrics").await.unwrap();
        assert!(status == StatusCode::OK && String::from_utf8_lossy(&body).contains("node_build_info{"));
        assert_eq!(client.get("/livez").await.unwrap().0, StatusCode::OK);
        assert_eq!(client.get("/other").await.unwrap().0, StatusCode::NOT_FOUND);
        door.stop().await;
        assert!(client.get("/livez").await.is_err());
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_does_not_delay_the_stop() {
        let (door, client, _metrics) = door().await;
        let _silent = TcpStream::connect(client.authority()).await.unwrap();
        client.get("/livez").await.unwrap();
        tokio::time::timeout(Duration::from_secs(30), door.stop()).await.unwrap();
    }
}
