//! Which address is answered by what.

use std::sync::Arc;

use axum::{
    Router, middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, Uri};
use tokio::sync::Semaphore;

use super::{
    guard::{Guard, guard},
    pages, ready, rpc,
};
use crate::{Backend, config, config::Config, rpc::Service};

/// What every handler needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct State<B> {
    pub backend: B,
    pub calls: Service<B>,
    /// Bodies of more than a few KiB, so that a thousand uploads do not fill the memory.
    pub large_bodies: Arc<Semaphore>,
    /// Other addresses of this node: what it is, and where.
    pub addresses: Arc<Vec<(String, String)>>,
}

impl<B: Backend> State<B> {
    pub fn new(backend: B, calls: Service<B>, config: &Config) -> Self {
        let large_bodies = Arc::new(Semaphore::new(config::MAX_LARGE_BODIES));
        Self { backend, calls, large_bodies, addresses: Arc::new(config.addresses.clone()) }
    }
}

pub(crate) fn router<B: Backend>(state: State<B>, config: &Config) -> Router {
    Router::new()
        .route("/", get(rpc::get::<B>).post(rpc::post::<B>))
        .route("/health", get(pages::health::<B>))
        .route("/livez", get(ready::livez))
        .route("/readyz", get(ready::readyz::<B>))
        .route("/v1/actors", get(pages::actors::<B>))
        .route("/v1/peers", get(pages::peers::<B>))
        .fallback(nothing_here)
        .with_state(state)
        .layer(middleware::from_fn_with_state(Guard::new(&config.hosts, &config.origins), guard))
}

async fn nothing_here(uri: Uri) -> Response {
    let path: String = uri.path().chars().take(100).collect();
    pages::refuse(StatusCode::NOT_FOUND, format!("there is nothing at {path}; GET / lists the addresses")).into_response()
}
