//! Who calls: the node behind the call, and what outlives a single call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use crate::{Backend, Offer, config, filters::Filters, identifier::Identifier, subscriptions::Subscriptions};

/// What methods work with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Caller<B> {
    pub backend: B,
    /// What may be answered.
    pub offer: Offer,
    pub filters: Filters,
    /// Room for those who wait for a receipt.
    pub receipt_waits: Arc<Semaphore>,
    /// None over HTTP.
    pub socket: Option<Socket>,
}

impl<B: Backend> Caller<B> {
    pub fn new(backend: B, offer: Offer) -> Self {
        Self { backend, offer, filters: Filters::default(), receipt_waits: Arc::new(Semaphore::new(config::MAX_RECEIPT_WAITS)), socket: None }
    }
}

/// The WebSocket that one message came over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Socket {
    subscriptions: Arc<Mutex<Subscriptions>>,
    /// Subscriptions that this message opened.
    opened: Arc<Mutex<Vec<Identifier>>>,
}

impl Socket {
    /// The same socket, for its next message.
    pub fn next_message(&self) -> Self {
        Self { subscriptions: self.subscriptions.clone(), opened: Arc::default() }
    }

    pub fn subscriptions(&self) -> MutexGuard<'_, Subscriptions> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A subscription that the answer to this message announces.
    pub fn opens(&self, id: Identifier) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }

    /// The answer to this message has been sent.
    pub fn announce(&self) {
        let opened = std::mem::take(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner));
        self.subscriptions().announce(&opened);
    }
}
