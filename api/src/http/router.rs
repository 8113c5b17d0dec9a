//! Which address is answered by what.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State as Extract},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::Uri;
use tokio::sync::{Semaphore, watch};

use super::{
    actors, events,
    guard::{Guard, guard},
    health,
    limited::limited,
    pages, ready, rpc,
};
use crate::{
    Backend, Offer, config,
    config::Config,
    limits::Limiter,
    rest::{self, Refusal},
    rpc::Service,
};

/// What every handler needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct State<B> {
    pub backend: B,
    pub calls: Service<B>,
    /// Bodies of more than a few KiB, so that a thousand uploads do not fill the memory.
    pub large_bodies: Arc<Semaphore>,
    /// Places for those who follow events.
    pub event_readers: Arc<Semaphore>,
    /// True once the API stops.
    pub stopped: watch::Receiver<bool>,
    /// What may be answered.
    pub offer: Offer,
    /// Other addresses of this node: what it is, and where.
    pub addresses: Arc<Vec<(String, String)>>,
}

impl<B: Backend> State<B> {
    pub fn new(backend: B, calls: Service<B>, config: &Config, stopped: watch::Receiver<bool>) -> Self {
        let event_readers = Arc::new(Semaphore::new(config::MAX_EVENT_READERS));
        let large_bodies = Arc::new(Semaphore::new(config::MAX_LARGE_BODIES));
        Self { backend, calls, large_bodies, event_readers, stopped, offer: config.offer, addresses: Arc::new(config.addresses.clone()) }
    }
}

/// Declares the routes once, so that a test can hold the OpenAPI document against them.
macro_rules! routes {
    ($($method:ident $path:literal => $handler:expr),* $(,)?) => {
        /// Every method and path that is answered.
        #[cfg(test)]
        pub(crate) const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        fn routes<B: Backend>() -> Router<State<B>> {
            Router::new()$(.route($path, $method($handler)))*
        }
    };
}

routes! {
    get "/" => rpc::get::<B>,
    post "/" => rpc::post::<B>,
    get "/health" => health::health::<B>,
    get "/livez" => ready::livez,
    get "/readyz" => ready::readyz::<B>,
    get "/v1/accounts/{address}" => rest::account::<B>,
    get "/v1/actors" => actors::actors::<B>,
    get "/v1/actors/{*path}" => actors::actor::<B>,
    get "/v1/blocks" => rest::blocks::<B>,
    get "/v1/blocks/{block}" => rest::block::<B>,
    get "/v1/certificates/{height}" => rest::certificate::<B>,
    get "/v1/events" => events::events::<B>,
    get "/v1/evidence" => rest::evidence::<B>,
    get "/v1/openapi.json" => rest::document::<B>,
    get "/v1/peers" => pages::peers::<B>,
    get "/v1/status" => rest::status::<B>,
    get "/v1/transactions/{hash}" => rest::transaction::<B>,
    post "/v1/transactions" => rest::submit::<B>,
    get "/v1/validators" => rest::validators::<B>,
}

pub(crate) fn router<B: Backend>(state: State<B>, config: &Config) -> Router {
    routes::<B>()
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_so)
        .with_state(state)
        .layer(middleware::from_fn_with_state(config.offer, offered))
        .layer(middleware::from_fn_with_state(Limiter::new(config.limits, &config.meter), limited))
        .layer(middleware::from_fn_with_state(Guard::new(&config.hosts, &config.origins), guard))
}

/// Lets a request through when its page may be answered here.
async fn offered(Extract(offer): Extract<Offer>, request: Request, next: Next) -> Response {
    match offer.has_page(request.uri().path()) {
        true => next.run(request).await,
        false => Refusal::not_found(format!("{} is not available on a public listener", request.uri().path())).into_response(),
    }
}

async fn nothing_here(uri: Uri) -> Response {
    let path: String = uri.path().chars().take(100).collect();
    Refusal::not_found(format!("there is nothing at {path}; GET / lists the addresses")).into_response()
}

async fn not_so() -> Response {
    Refusal::no_such_method("this address is not asked in this way; /v1/openapi.json says how").into_response()
}
