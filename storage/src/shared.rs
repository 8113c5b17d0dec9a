//! What the writer and its leases share, and how a single read borrows the handles.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering, fence},
    },
    time::{Duration, Instant},
};

use arc_swap::{ArcSwap, Guard};
use fjall::Snapshot;
use primitives::Height;

use crate::{
    ReadError, Tip,
    engine::Handles,
    holder::{Reading, Register, Tenancy},
    reads::Reads,
};

/// What the writer published last.
pub(crate) struct Published {
    pub(crate) handles: Weak<Handles>,
    /// What the database held when `tip` was committed; none when it is closed.
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) tip: Option<Tip>,
}

/// What the writer and all leases share. It holds no handle.
pub(crate) struct Shared {
    published: ArcSwap<Published>,
    register: Register,
    /// Whether the writer waits for reads to give their handles back.
    is_awaited: AtomicBool,
    lock: Mutex<()>,
    given_back: Condvar,
}

impl Published {
    pub(crate) fn nothing() -> Self {
        Self { handles: Weak::new(), snapshot: None, tip: None }
    }

    pub(crate) fn newest(handles: &Arc<Handles>, tip: Option<Tip>) -> Self {
        Self { handles: Arc::downgrade(handles), snapshot: Some(handles.database.snapshot()), tip }
    }
}

impl Shared {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            published: ArcSwap::from_pointee(Published::nothing()),
            register: Register::default(),
            is_awaited: AtomicBool::new(false),
            lock: Mutex::new(()),
            given_back: Condvar::new(),
        })
    }

    pub(crate) fn publish(&self, published: Published) {
        self.published.store(Arc::new(published));
    }

    pub(crate) fn register(&self) -> &Register {
        &self.register
    }

    pub(crate) fn published(&self) -> Guard<Arc<Published>> {
        self.published.load()
    }

    /// Waits until no read holds `handles`, which must be revoked; gives them back when that took longer than `limit`.
    pub(crate) fn wait_alone(&self, handles: Arc<Handles>, limit: Duration) -> Result<Handles, Arc<Handles>> {
        self.is_awaited.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let alone = self.wait_awaited(handles, Instant::now() + limit);
        self.is_awaited.store(false, Ordering::SeqCst);
        alone
    }

    fn wait_awaited(&self, mut handles: Arc<Handles>, deadline: Instant) -> Result<Handles, Arc<Handles>> {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            handles = match Arc::try_unwrap(handles) {
                Ok(alone) => return Ok(alone),
                Err(shared) => shared,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(handles);
            }
            guard = self.given_back.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The handles, borrowed for one read. While it lives, closing waits for it and knows whose it is.
pub(crate) struct Pin<'a> {
    /// Always there, until the drop gives it back.
    handles: Option<Arc<Handles>>,
    shared: &'a Shared,
    /// Ends after the handle was given back, so that whoever keeps one is also counted as reading.
    _reading: Reading<'a>,
}

impl<'a> Pin<'a> {
    pub(crate) fn new(handles: &Weak<Handles>, shared: &'a Shared, tenancy: &'a Tenancy) -> Result<Self, ReadError> {
        let reading = tenancy.read();
        let handles = handles.upgrade().ok_or(ReadError::Closed)?;
        // Looked at after the upgrade: either closing sees this read, or this read sees that it came too late.
        let pin = Self { handles: Some(handles), shared, _reading: reading };
        if pin.handles().is_revoked() { Err(ReadError::Closed) } else { Ok(pin) }
    }

    pub(crate) fn reads<'b>(&'b self, at: Option<&'b Snapshot>) -> Reads<'b> {
        Reads { handles: self.handles(), at }
    }

    /// The lowest height whose state can be told, as far as compactions know.
    pub(crate) fn forgotten(&self) -> Height {
        self.handles().forgotten.height()
    }

    fn handles(&self) -> &Arc<Handles> {
        self.handles.as_ref().expect("only the drop takes it")
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        drop(self.handles.take());
        // Pairs with the fence in `wait_alone`: either it sees the handle given back, or we see that it waits.
        fence(Ordering::SeqCst);
        if self.shared.is_awaited.load(Ordering::SeqCst) {
            let _guard = self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.given_back.notify_all();
        }
    }
}
