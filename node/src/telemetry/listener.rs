//! `/metrics` and `/livez` on a port of their own, so that a node whose API is suspended is still seen.

use std::{convert::Infallible, net::TcpListener, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpStream,
    sync::{oneshot, watch},
    task::{JoinHandle, JoinSet},
};

use super::Scrape;
use crate::exit::Failure;

const MAX_CONNECTIONS: usize = 16;
/// A request's headers must be here after this long; an idle connection is closed then.
const RECEIVE_LIMIT: Duration = Duration::from_secs(10);
/// A connection lives at most this long, so that a reader who never reads cannot keep it.
const CONNECTION_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(2);
/// After an error of `accept`, as when descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
        let task = tokio::spawn(accept(listener, scrape, stopped));
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

async fn accept(listener: tokio::net::TcpListener, scrape: Scrape, mut stopped: oneshot::Receiver<()>) {
    let (closing, closed) = watch::channel(false);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => drop(connections.spawn(converse(stream, scrape.clone(), closed.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "a metrics connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    // The receivers live in the connections; with none left there is nobody to tell.
    let _ = closing.send(true);
    while connections.join_next().await.is_some() {}
}

async fn converse(stream: TcpStream, scrape: Scrape, mut closed: watch::Receiver<bool>) {
    let service = service_fn(move |request| {
        let response = answer(&request, &scrape);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection =
        http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(RECEIVE_LIMIT).serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let whole = async {
        tokio::select! {
            ended = &mut connection => return ended,
            _ = closed.wait_for(|closed| *closed) => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    };
    // A client that misbehaves or leaves is no event of ours.
    let _ = tokio::time::timeout(CONNECTION_LIMIT, whole).await;
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
