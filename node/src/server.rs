//! A small HTTP server for a listener that lives beside the API: few connections, each with its limits.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinSet,
};

/// A request's headers must be here after this long; an idle connection is closed then.
const RECEIVE_LIMIT: Duration = Duration::from_secs(10);
/// A connection lives at most this long, so that a reader who never reads cannot keep it.
const CONNECTION_LIMIT: Duration = Duration::from_secs(60);
/// After an error of `accept`, as when descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers requests; a clone for each of them.
pub(crate) trait Answer: Clone + Send + 'static {
    /// `closing` turns true when the door closes: who waits for something then answers what there is.
    fn answer(self, request: Request<Incoming>, closing: watch::Receiver<bool>) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// Serves at most `max_connections` at a time until `stopped`, which also ends when its sender is gone; then finishes the answers under way.
pub(crate) async fn serve(
    what: &'static str,
    listener: TcpListener,
    max_connections: usize,
    answer: impl Answer,
    mut stopped: oneshot::Receiver<()>,
) {
    let (closing, closed) = watch::channel(false);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < max_connections => match accepted {
                Ok((stream, _)) => drop(connections.spawn(converse(stream, answer.clone(), closed.clone()))),
                Err(error) => {
                    tracing::warn!(what, %error, "a connection was not accepted");
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

async fn converse(stream: TcpStream, answer: impl Answer, mut closed: watch::Receiver<bool>) {
    let closing = closed.clone();
    let service = service_fn(move |request| {
        let response = answer.clone().answer(request, closing.clone());
        async move { Ok::<_, Infallible>(response.await) }
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
