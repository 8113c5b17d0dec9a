//! JSON-RPC over WebSocket: one message is one call or one batch.
//!
//! Everything of one connection runs in the connection's own task: messages are answered a few at a time, in the order in
//! which they are ready, and nothing more is read while that many are under way or while the client does not read. So a client can
//! make us hold no more than that.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    response::{IntoResponse, Response},
};
use futures_util::{
    Stream, StreamExt,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use http::{Method, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use soketto::{
    Incoming,
    connection::Error,
    handshake::http::{Server, is_upgrade_request},
};
use tokio::{
    sync::watch,
    time::{Instant, interval_at, timeout},
};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::rpc;
use crate::{Backend, config, rpc::Service};

/// What a connection becomes once its upgrade was answered; it ends when the client leaves or `stop` turns true.
pub(crate) type Session = Box<dyn FnOnce(watch::Receiver<bool>) -> BoxFuture<'static, ()> + Send>;

/// Where a request leaves the session that its connection is to become.
pub(super) type Slot = Upgraded;

#[derive(Clone, Default)]
pub(crate) struct Upgraded(Arc<Mutex<Option<Session>>>);

impl Upgraded {
    fn put(&self, session: Session) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    }

    /// The session, when a WebSocket was asked for and granted.
    pub fn take(&self) -> Option<Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

type Socket = Compat<TokioIo<hyper::upgrade::Upgraded>>;
type Sender = soketto::Sender<Socket>;
type Receiver = soketto::Receiver<Socket>;

/// Something a client sent.
enum Heard {
    Message(Vec<u8>),
    /// An answer to a ping.
    Pong,
}

pub(super) fn is_wanted(request: &Request) -> bool {
    is_upgrade_request(request)
}

/// Answers the handshake and leaves the session in `slot`.
pub(super) fn accept<B: Backend>(mut request: Request, calls: Service<B>, slot: &Slot) -> Response {
    let mut server = Server::new();
    let response = match server.receive_request(&request) {
        Ok(response) => response,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("no WebSocket handshake: {error}\n")).into_response(),
    };
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return (StatusCode::BAD_REQUEST, "this connection cannot become a WebSocket\n").into_response();
    };
    slot.put(Box::new(move |stop| {
        Box::pin(async move {
            let Ok(Ok(upgraded)) = timeout(config::RECEIVE_LIMIT, upgrade).await else { return };
            let mut builder = server.into_builder(TokioIo::new(upgraded).compat());
            builder.set_max_message_size(config::MAX_BODY_BYTES);
            builder.set_max_frame_size(config::MAX_BODY_BYTES);
            let (sender, receiver) = builder.finish();
            if let Err(error) = run(sender, receiver, calls, stop).await {
                tracing::debug!(%error, "websocket ended");
            }
        })
    }));
    response.map(|()| Body::empty())
}

async fn run<B: Backend>(mut sender: Sender, receiver: Receiver, calls: Service<B>, mut stop: watch::Receiver<bool>) -> Result<(), Error> {
    let mut heard = pin!(listen(receiver));
    let mut answers = FuturesUnordered::new();
    let mut ping = interval_at(Instant::now() + config::PING_INTERVAL, config::PING_INTERVAL);
    let mut unanswered_pings = 0;
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            Some(answer) = answers.next() => write(&mut sender, answer).await?,
            next = heard.next(), if answers.len() < config::MAX_CALLS_IN_FLIGHT => {
                unanswered_pings = 0;
                match next {
                    None => return Ok(()),
                    Some(Ok(Heard::Pong)) => {}
                    Some(Ok(Heard::Message(message))) => answers.push(answer(message, calls.clone())),
                    Some(Err(error)) => return refuse(sender, error).await,
                }
            }
            _ = ping.tick() => {
                if 2 <= unanswered_pings {
                    return Err(Error::Closed);
                }
                unanswered_pings += 1;
                in_time(send_ping(&mut sender)).await?;
            }
        }
    }
    // What was asked before the stop is still answered; `serve` bounds how long.
    while let Some(answer) = answers.next().await {
        write(&mut sender, answer).await?;
    }
    in_time(sender.close()).await
}

/// Ready once the API stops.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone has stopped as well.
    stop.wait_for(|stop| *stop).await.ok();
}

/// Messages as a stream, because reading one must not be begun anew whenever something else happens.
fn listen(receiver: Receiver) -> impl Stream<Item = Result<Heard, Error>> {
    stream::unfold(receiver, |mut receiver| async {
        let mut message = Vec::new();
        match receiver.receive(&mut message).await {
            Ok(Incoming::Data(_)) => Some((Ok(Heard::Message(message)), receiver)),
            Ok(Incoming::Pong(_)) => Some((Ok(Heard::Pong), receiver)),
            Ok(Incoming::Closed(_)) | Err(Error::Closed) => None,
            Err(error) => Some((Err(error), receiver)),
        }
    })
}

/// The answer to one message, through the same door as a request over HTTP; none when there is nothing to say.
async fn answer<B: Backend>(message: Vec<u8>, calls: Service<B>) -> Option<String> {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = Method::POST;
    parts.headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    let response = rpc::answer(parts, message.into(), calls).await;
    // The body is in memory already and bounded where it was made.
    let body = to_bytes(response.into_body(), usize::MAX).await.ok().filter(|body| !body.is_empty())?;
    String::from_utf8(body.into()).ok()
}

async fn write(sender: &mut Sender, answer: Option<String>) -> Result<(), Error> {
    let Some(text) = answer else { return Ok(()) };
    in_time(async {
        sender.send_text_owned(text).await?;
        sender.flush().await
    })
    .await
}

async fn send_ping(sender: &mut Sender) -> Result<(), Error> {
    let nothing: &[u8] = &[];
    sender.send_ping(nothing.try_into().map_err(|_| Error::Closed)?).await?;
    sender.flush().await
}

/// Says why before it closes, where the client can still be told.
async fn refuse(mut sender: Sender, error: Error) -> Result<(), Error> {
    if matches!(error, Error::MessageTooLarge { .. } | Error::Codec(_)) {
        let text = rpc::too_large_text();
        in_time(sender.send_text_owned(text)).await?;
        in_time(sender.close()).await?;
    }
    Err(error)
}

/// A client that does not read is given up.
async fn in_time(sending: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    timeout(config::SEND_LIMIT, sending).await.unwrap_or(Err(Error::Closed))
}
