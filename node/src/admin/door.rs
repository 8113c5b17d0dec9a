//! The open admin listener, on a thread of its own.

use std::{net::TcpListener, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use tokio::{
    runtime::{Builder, Runtime},
    sync::{oneshot, watch},
};

use super::{
    Deed, Desk, Place, Token, guard,
    peers::{Addition, Ask},
    refusal::Refusal,
    route::Route,
};
use crate::{
    exit::Failure,
    server::{Answer, serve},
};

const MAX_CONNECTIONS: usize = 32;
const MAX_BODY_BYTES: usize = 16 << 10;
/// The largest bundle of peers.
const MAX_BUNDLE_BYTES: usize = 8 << 20;
/// A request's body must be here after this long.
const BODY_LIMIT: Duration = Duration::from_secs(5);
/// How long answers under way may take after the door closes.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// Answers until [`AdminDoor::stop`], or until it is dropped.
#[derive(Debug)]
pub struct AdminDoor {
    stop: oneshot::Sender<()>,
    /// Its sender lives on the door's thread.
    ended: oneshot::Receiver<()>,
    place: Place,
}

impl AdminDoor {
    /// Answers on `listener` whoever has `token`; `place` tells the command line where.
    pub fn open(listener: TcpListener, token: Token, desk: Desk, place: Place) -> Result<Self, Failure> {
        let unserved = |error: std::io::Error| Failure::runtime(format!("the admin listener cannot be served: {error}"));
        // One thread is enough, and it must be none of those that actors can block.
        let runtime = Builder::new_current_thread().enable_all().build().map_err(unserved)?;
        let clerk = Clerk { desk, token: Arc::new(token) };
        let (stop, stopped) = oneshot::channel();
        let (ending, ended) = oneshot::channel();
        let work = move || {
            // Dropped when the thread ends, which is how the end is told.
            let _ending = ending;
            run(&runtime, listener, clerk, stopped);
        };
        std::thread::Builder::new().name("admin".into()).spawn(work).map_err(unserved)?;
        if let Err(failure) = place.write() {
            // A full disk is no reason not to start; whoever knows the port still gets in.
            tracing::warn!(%failure, "the home does not tell where the admin listener is");
        }
        Ok(Self { stop, ended, place })
    }

    /// Closes the door; answers under way are finished within a limit.
    pub async fn stop(self) {
        self.place.remove();
        // The thread may have ended by itself; then there is nobody to tell.
        let _ = self.stop.send(());
        let _ = tokio::time::timeout(2 * STOP_LIMIT, self.ended).await;
    }
}

fn run(runtime: &Runtime, listener: TcpListener, clerk: Clerk, stopped: oneshot::Receiver<()>) {
    runtime.block_on(async {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "the admin listener cannot be served"),
        };
        let (closing, closed) = oneshot::channel();
        let mut serving = tokio::spawn(serve("admin", listener, MAX_CONNECTIONS, clerk, closed));
        // Told, or dropped with the node: either is the end.
        let _ = stopped.await;
        drop(closing);
        if tokio::time::timeout(STOP_LIMIT, &mut serving).await.is_err() {
            serving.abort();
        }
    });
}

/// Answers one request after the other.
#[derive(Clone)]
struct Clerk {
    desk: Desk,
    token: Arc<Token>,
}

/// What is sent back when all is well.
enum Page {
    Json(Vec<u8>),
    /// One JSON object per line.
    Lines(Vec<u8>),
}

impl Answer for Clerk {
    async fn answer(self, request: Request<Incoming>, closing: watch::Receiver<bool>) -> Response<Full<Bytes>> {
        match self.page(request, closing).await {
            Ok(Page::Json(body)) => response(StatusCode::OK, "application/json", body),
            Ok(Page::Lines(body)) => response(StatusCode::OK, "application/x-ndjson", body),
            Err(refusal) => response(refusal.status, "application/json", format!("{}\n", refusal.to_json()).into_bytes()),
        }
    }
}

impl Clerk {
    async fn page(&self, request: Request<Incoming>, closing: watch::Receiver<bool>) -> Result<Page, Refusal> {
        guard::admit(request.headers(), &self.token)?;
        match Route::parse(request.method(), request.uri().path(), request.uri().query())? {
            Route::Tree => Ok(json_page(&self.desk.tree())),
            Route::Actor(path) => self.desk.actor(&path).map(|page| json_page(&page)),
            Route::Events { after, wait } => Ok(lines(&self.desk.events(after, wait, closing).await)),
            Route::Tap(request) => Ok(lines(&self.desk.tap(&request, closing).await)),
            Route::Act(path, Deed::Order(order)) => {
                self.desk.order(&path, order).await.map(|()| json_page(&json!({ "ordered": order.name(), "actor": path })))
            }
            Route::Act(path, Deed::Provoke(what)) => {
                let wish = body(request).await?.unwrap_or_default();
                self.desk.inject(what.fault(&path, &wish)).map(|fault| json_page(&json!({ "armed": fault })))
            }
            Route::Inject => {
                let fault = body(request).await?.ok_or_else(|| Refusal::malformed("POST /faults takes {\"child\":..,\"kind\":..,\"on\":..}"))?;
                self.desk.inject(fault).map(|fault| json_page(&json!({ "armed": fault })))
            }
            Route::Clear(path) => self.desk.clear(&path).map(|()| json_page(&json!({ "cleared": path }))),
            Route::Peers(ask) => self.peers(ask, request).await,
        }
    }

    async fn peers(&self, ask: Ask, request: Request<Incoming>) -> Result<Page, Refusal> {
        let desk = self.desk.peers()?;
        match ask {
            Ask::List => Ok(json_page(&desk.list())),
            Ask::Show(node) => Ok(json_page(&desk.show(node)?)),
            Ask::Export => Ok(json_page(&desk.export())),
            Ask::Import(mode) => {
                let bundle = body_up_to(request, MAX_BUNDLE_BYTES).await?;
                let imported = desk.import(bundle.ok_or_else(|| Refusal::malformed("the body is to be a bundle of peers"))?, mode)?;
                tracing::info!(imported = imported.imported, left_out = imported.left_out, "peers imported by the operator");
                Ok(json_page(&imported))
            }
            Ask::Add => {
                let Addition { address } =
                    body(request).await?.ok_or_else(|| Refusal::malformed("POST /peers takes {\"address\":\"nodeid@host:port\"}"))?;
                desk.add(address.clone())?;
                tracing::info!(%address, "a peer was added by the operator");
                Ok(json_page(&json!({ "added": address })))
            }
            Ask::Ban(node, length) => {
                let until_ms = desk.ban(node, length);
                tracing::warn!(%node, until_ms, "banned by the operator");
                Ok(json_page(&json!({ "banned": node, "until_ms": until_ms })))
            }
            Ask::Unban(node) => {
                desk.unban(node)?;
                tracing::warn!(%node, "a ban was lifted by the operator");
                Ok(json_page(&json!({ "unbanned": node })))
            }
        }
    }
}

/// The body as JSON; none when it is empty.
async fn body<T: DeserializeOwned>(request: Request<Incoming>) -> Result<Option<T>, Refusal> {
    body_up_to(request, MAX_BODY_BYTES).await
}

async fn body_up_to<T: DeserializeOwned>(request: Request<Incoming>, max_bytes: usize) -> Result<Option<T>, Refusal> {
    let whole = Limited::new(request.into_body(), max_bytes).collect();
    let late = |_| Refusal::too_slow(format!("the body was not here within {} s", BODY_LIMIT.as_secs()));
    let bytes = tokio::time::timeout(BODY_LIMIT, whole).await.map_err(late)?.map_err(|error| match error.is::<LengthLimitError>() {
        true => Refusal::too_large(format!("a body has at most {max_bytes} bytes")),
        false => Refusal::malformed(format!("the body cannot be read: {error}")),
    })?;
    let bytes = bytes.to_bytes();
    if bytes.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| Refusal::malformed(format!("the body is not what is expected here: {error}")))
}

fn json_page(value: &impl Serialize) -> Page {
    Page::Json(line(value))
}

fn lines(values: &[impl Serialize]) -> Page {
    Page::Lines(values.iter().flat_map(line).collect())
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(value).expect("names, numbers and texts are always JSON");
    text.push(b'\n');
    text
}

fn response(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

#[cfg(test)]
mod tests;
