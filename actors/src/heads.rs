//! What is new, for whoever serves clients: the height of the last committed block, and transactions that became executable.
//!
//! Execution and mempool say it, and both may restart meanwhile; it outlives them. A height is a hint, not an event: who wakes reads all
//! blocks up to it from the ledger, so nothing is lost between two of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use primitives::{B256, Height};
use tokio::sync::{broadcast, watch};

/// Transactions that a listener may be behind before it misses some.
const MAX_PENDING_BEHIND: usize = 1 << 15;

/// Says what is new. Clones say it to the same listeners.
#[derive(Clone, Debug)]
pub struct Heads {
    height: watch::Sender<Height>,
    moved_ms: Arc<AtomicU64>,
    pending: broadcast::Sender<B256>,
}

impl Default for Heads {
    fn default() -> Self {
        Self { height: watch::Sender::new(Height::GENESIS), moved_ms: Arc::default(), pending: broadcast::Sender::new(MAX_PENDING_BEHIND) }
    }
}

impl Heads {
    /// The block at `height` is committed, at `now` of the monotonic clock.
    pub(crate) fn committed(&self, height: Height, now: Duration) {
        self.height.send_if_modified(|last| {
            let is_newer = *last < height;
            if is_newer {
                self.moved_ms.store(now.as_millis() as u64, Relaxed);
            }
            *last = height.max(*last);
            is_newer
        });
    }

    /// These can be executed now, in this order.
    pub(crate) fn executable(&self, hashes: impl IntoIterator<Item = B256>) {
        // Refused only when nobody listens.
        hashes.into_iter().for_each(|hash| _ = self.pending.send(hash));
    }

    /// When the height last rose, on the monotonic clock; zero, when the process began, before the first time.
    pub fn moved(&self) -> Duration {
        Duration::from_millis(self.moved_ms.load(Relaxed))
    }

    pub fn heights(&self) -> watch::Receiver<Height> {
        self.height.subscribe()
    }

    pub fn pending(&self) -> broadcast::Receiver<B256> {
        self.pending.subscribe()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_height_that_is_no_news_wakes_nobody_and_moves_nothing() {
        let (heads, at) = (Heads::default(), Duration::from_secs);
        let mut listener = heads.heights();
        assert_eq!(heads.moved(), Duration::ZERO);
        heads.committed(Height(5), at(7));
        assert_eq!((*listener.borrow_and_update(), heads.moved()), (Height(5), at(7)));
        heads.committed(Height(5), at(8));
        heads.committed(Height(4), at(9));
        assert_eq!((listener.has_changed().unwrap(), heads.moved()), (false, at(7)));
    }

    #[test]
    fn who_falls_behind_is_told_that_it_missed_some() {
        let heads = Heads::default();
        let mut listener = heads.pending();
        let hashes = (0..=MAX_PENDING_BEHIND).map(|number| B256::from(primitives::U256::from(number)));
        heads.executable(hashes);
        assert!(matches!(listener.try_recv(), Err(broadcast::error::TryRecvError::Lagged(1))));
    }
}
