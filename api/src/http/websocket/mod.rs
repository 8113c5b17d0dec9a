//! JSON-RPC over WebSocket: one message is one call or one batch.

mod session;

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;
use http::StatusCode;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use soketto::handshake::http::{Server, is_upgrade_request};
use tokio::{sync::watch, time::timeout};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

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
            if let Err(error) = session::run(sender, receiver, calls, stop).await {
                tracing::debug!(%error, "websocket ended");
            }
        })
    }));
    response.map(|()| Body::empty())
}
