//! The listener and its connections: accepted up to a limit, each in a task that is owned here and joined before the end.

use std::{future::Future, io, time::Duration};

use axum::{Router, body::Body};
use hyper::{Request, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::ServiceExt;

use crate::{
    Backend, Door,
    config::{self, Config},
    deadline::Deadline,
    http::{CameFrom, State, Upgraded, router},
    metrics::Metrics,
    rpc::Service,
};

/// A client that acknowledges nothing for this long is gone, or never meant to read.
const UNACKNOWLEDGED_LIMIT: Duration = Duration::from_secs(30);
/// How long accepting rests after the system refused us a socket.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of request line and headers that are buffered.
const MAX_HEADER_BYTES: usize = 64 << 10;
const MAX_HEADERS: usize = 64;

/// How the connections ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Drained {
    /// Connections that finished by themselves after the stop.
    pub finished: usize,
    /// Connections that were cut at the drain limit.
    pub cut: usize,
}

/// Answers clients at `door` until `stop` is ready. Then it accepts no more, lets what is under way finish for at most
/// [`Config::drain_limit`], closes WebSockets with a close frame, ends streams of events, and returns when every connection's task has ended.
pub async fn serve<B: Backend>(door: Door, backend: B, config: Config, stop: impl Future<Output = ()> + Send) -> Drained {
    let calls = Service::new(backend.clone(), &config, Metrics::new(&config.meter));
    let (stopping, stopped) = watch::channel(false);
    let router = router(State::new(backend, calls, &config, stopped.clone()), &config);
    let mut connections = JoinSet::new();
    tokio::select! {
        () = accept(&door, &router, &stopped, &mut connections) => {}
        () = stop => {}
    }
    // The door is closed before anything else happens, so that nobody is let in to wait.
    drop(door);
    stopping.send_replace(true);
    drain(connections, config.drain_limit).await
}

/// Never returns; what it has accepted stays in `connections`.
async fn accept(door: &Door, router: &Router, stopped: &watch::Receiver<bool>, connections: &mut JoinSet<()>) {
    loop {
        let Some(permit) = door.room.enter().await else { return };
        let stream = tokio::select! {
            accepted = door.listener.accept() => accepted,
            // Ended tasks are collected while we wait, so that the set holds living ones only.
            Some(_) = connections.join_next() => continue,
        };
        match stream {
            Ok((stream, from)) => drop(connections.spawn(connection(stream, CameFrom(from.ip()), router.clone(), stopped.clone(), permit))),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, from: CameFrom, router: Router, stopped: watch::Receiver<bool>, _permit: OwnedSemaphorePermit) {
    if let Err(error) = tune(&stream) {
        tracing::debug!(%error, "connection lost before its first request");
        return;
    }
    let upgraded = Upgraded::default();
    if let Err(error) = requests(stream, from, router, stopped.clone(), &upgraded).await {
        tracing::debug!(%error, "connection ended");
    }
    if let Some(session) = upgraded.take() {
        session(stopped).await;
    }
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED_LIMIT))
}

/// Answers requests until the client leaves, the connection becomes a WebSocket, or the stop.
async fn requests(stream: TcpStream, from: CameFrom, router: Router, mut stopped: watch::Receiver<bool>, upgraded: &Upgraded) -> hyper::Result<()> {
    let service = service_fn(move |mut request: Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(upgraded.clone());
        request.extensions_mut().insert(from);
        router.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(config::IDLE_LIMIT)
        .max_buf_size(MAX_HEADER_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(Deadline::new(stream, config::SEND_LIMIT)), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

async fn drain(mut connections: JoinSet<()>, limit: Duration) -> Drained {
    let mut finished = 0;
    let all = async {
        while connections.join_next().await.is_some() {
            finished += 1;
        }
    };
    let _ = timeout(limit, all).await;
    let cut = connections.len();
    connections.shutdown().await;
    Drained { finished, cut }
}
