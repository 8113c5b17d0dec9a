//! Whether some executable transaction waits, for whoever starts after it was said.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Set by the mempool; outlives it. Clones show the same.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<AtomicBool>);

impl Waiting {
    pub(super) fn set(&self, waiting: bool) {
        self.0.store(waiting, Ordering::Relaxed);
    }

    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
