//! One call: a permit, a span, a time limit, the method, a count.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};
use jsonrpsee::{
    core::middleware::{Batch, BatchEntry, BatchEntryErr, Notification, RpcServiceT},
    server::{BatchResponseBuilder, MethodResponse, ResponsePayload},
    types::{ErrorObjectOwned, Id, Request},
};
use serde_json::value::RawValue;
use tokio::{sync::Semaphore, time::timeout};
use tracing::Instrument;

use super::{Answer, Params};
use crate::{
    Backend, BackendError, config,
    error::LIMIT_EXCEEDED,
    eth::{self, Caller, Socket},
    limits::{Allowance, Class, advice},
    metrics::Metrics,
    news::News,
};

/// Marks a response with what became of its request; one without came from something that is no call at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    /// Everything in the request was a notification: nothing is written.
    Silent,
    /// Too much is going on.
    Busy,
    /// The client has asked too much and should wait for so many seconds.
    Limited(u64),
}

/// Answers calls from a backend. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Service<B> {
    caller: Caller<B>,
    news: News<B>,
    permits: Arc<Semaphore>,
    call_limit: Duration,
    metrics: Metrics,
    allowance: Allowance,
}

impl<B: Backend> Service<B> {
    pub fn new(backend: B, config: &config::Config, metrics: Metrics) -> Self {
        Self {
            news: News::new(backend.clone()),
            caller: Caller::new(backend, config.offer),
            permits: Arc::new(Semaphore::new(config.max_calls)),
            call_limit: config.call_limit,
            metrics,
            allowance: Allowance::default(),
        }
    }

    /// The same service for what comes over `socket`.
    pub fn over(&self, socket: Socket) -> Self {
        Self { caller: Caller { socket: Some(socket), ..self.caller.clone() }, ..self.clone() }
    }

    pub fn backend(&self) -> &B {
        &self.caller.backend
    }

    pub fn news(&self) -> &News<B> {
        &self.news
    }

    /// The same service for a client with `allowance`.
    pub fn on(self, allowance: Allowance) -> Self {
        Self { allowance, ..self }
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Does `work`, which is no call, within the limits of calls.
    pub async fn within_limits<T>(&self, name: &'static str, work: impl Future<Output = T> + Send) -> Result<T, BackendError> {
        let Ok(_permit) = self.permits.try_acquire() else { return Err(BackendError::Unavailable(BUSY.into())) };
        match timeout(self.call_limit, AssertUnwindSafe(work).catch_unwind()).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err(panicked(name)),
            Err(_) => Err(BackendError::Timeout),
        }
    }

    async fn answer(&self, method: &str, params: Option<&RawValue>) -> Answer {
        let started = Instant::now();
        let name = eth::known(method).unwrap_or("unknown");
        let span = tracing::debug_span!("api.call", method = name, code = tracing::field::Empty);
        let answer = self.limited(method, params).instrument(span.clone()).await;
        let code = answer.as_ref().err().map_or(0, |error| error.code());
        span.record("code", code);
        self.metrics.answered(name, code, started.elapsed());
        answer
    }

    async fn limited(&self, method: &str, params: Option<&RawValue>) -> Answer {
        self.allowance.spend(Class::of_method(method))?;
        let Ok(_permit) = self.permits.try_acquire() else { return Err(busy()) };
        let answer = eth::answer(&self.caller, method, Params(params.map(RawValue::get)));
        // A call changes nothing of ours that a panic could leave half done, and the other calls of its batch go on.
        let answer = AssertUnwindSafe(answer.boxed()).catch_unwind();
        match timeout(self.call_limit, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(panicked(method).into()),
            Err(_) => Err(BackendError::Timeout.into()),
        }
    }

    async fn respond(self, request: Request<'_>) -> MethodResponse {
        let answer = self.answer(&request.method, request.params.as_deref()).await;
        respond(request.id, answer)
    }

    /// What one entry of a batch is answered with; nothing for a notification.
    async fn entry(self, entry: Result<BatchEntry<'_>, BatchEntryErr<'_>>) -> Option<MethodResponse> {
        match entry {
            Ok(BatchEntry::Call(request)) => Some(self.respond(request).await),
            Ok(BatchEntry::Notification(notification)) => {
                self.notified(notification).await;
                None
            }
            Err(refused) => {
                let (error, id) = refused.into_parts();
                Some(MethodResponse::error(id, error))
            }
        }
    }

    /// A notification is carried out like a call, and nobody hears how it ended.
    async fn notified(&self, notification: Notification<'_>) {
        let params = notification.params.as_deref();
        drop(self.answer(&notification.method, params).await);
    }
}

impl<B: Backend> RpcServiceT for Service<B> {
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        self.clone().respond(request)
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let calls: Vec<BoxFuture<'a, Option<MethodResponse>>> = batch.into_iter().map(|entry| self.clone().entry(entry).boxed()).collect();
        batched(calls)
    }

    fn notification<'a>(&self, notification: Notification<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let service = self.clone();
        async move {
            service.notified(notification).await;
            silence()
        }
    }
}

/// Begins the calls in their order, a few at a time, and answers them in their order.
async fn batched(calls: Vec<BoxFuture<'_, Option<MethodResponse>>>) -> MethodResponse {
    let is_empty = calls.is_empty();
    let mut builder = BatchResponseBuilder::new_with_limit(config::MAX_RESPONSE_BYTES);
    let mut answers = stream::iter(calls).buffered(config::MAX_CALLS_IN_FLIGHT);
    while let Some(answer) = answers.next().await {
        let Some(answer) = answer else { continue };
        if let Err(too_large) = builder.append(answer) {
            return too_large;
        }
    }
    match builder.is_empty() && !is_empty {
        true => silence(),
        // What became of single calls stands beside each: who asks again must not send those that were carried out.
        false => marked(MethodResponse::from_batch(builder.finish()), Outcome::Answered),
    }
}

fn respond(id: Id<'_>, answer: Answer) -> MethodResponse {
    match answer {
        Ok(value) => marked(MethodResponse::response(id, ResponsePayload::success(value), config::MAX_RESPONSE_BYTES), Outcome::Answered),
        Err(error) => {
            let is_busy = error.code() == LIMIT_EXCEEDED && error.message() == BUSY;
            let outcome = advice(&error).map_or(if is_busy { Outcome::Busy } else { Outcome::Answered }, Outcome::Limited);
            marked(MethodResponse::error(id, error), outcome)
        }
    }
}

fn silence() -> MethodResponse {
    marked(MethodResponse::notification(), Outcome::Silent)
}

fn marked(mut response: MethodResponse, outcome: Outcome) -> MethodResponse {
    response.extensions_mut().insert(outcome);
    response
}

fn panicked(method: &str) -> BackendError {
    tracing::error!(method, "a method panicked");
    BackendError::Internal("the method failed unexpectedly; the node's log says where".into())
}

const BUSY: &str = "too many calls at the same time; try again later";

fn busy() -> ErrorObjectOwned {
    ErrorObjectOwned::owned(LIMIT_EXCEEDED, BUSY, None::<()>)
}
