//! Which life of a child an effect belongs to.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// The number of a child's life: 1 for the first start, one more for each later one, never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub u64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Tells whether an incarnation is still the living one, so that effects of a dead one can be refused.
///
/// An incarnation becomes stale in the moment its child crashes, hangs or leaves, not only when the next one starts.
#[derive(Clone, Debug, Default)]
pub struct Fence(Arc<AtomicU64>);

// The lowest bit says "alive", the rest is the number: one word, so that both change at once.
const ALIVE: u64 = 1;

impl Fence {
    /// The latest incarnation, alive or not; 0 before the first start.
    pub fn current(&self) -> Incarnation {
        Incarnation(self.0.load(Ordering::Acquire) >> 1)
    }

    /// Whether `incarnation` is the living one.
    pub fn is_current(&self, incarnation: Incarnation) -> bool {
        self.0.load(Ordering::Acquire) == (incarnation.0 << 1) | ALIVE
    }

    /// Begins the next life.
    pub(crate) fn begin(&self) -> Incarnation {
        let next = self.current().0 + 1;
        self.0.store((next << 1) | ALIVE, Ordering::Release);
        Incarnation(next)
    }

    /// Ends the life of `incarnation`, unless another has begun: from now on nobody is current.
    pub(crate) fn end(&self, incarnation: Incarnation) {
        let alive = (incarnation.0 << 1) | ALIVE;
        let _ = self.0.compare_exchange(alive, alive & !ALIVE, Ordering::AcqRel, Ordering::Acquire);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incarnation_is_stale_as_soon_as_it_ended() {
        let fence = Fence::default();
        let first = fence.begin();
        assert!(fence.is_current(first));
        fence.end(first);
        assert!(!fence.is_current(first));
        assert_eq!(fence.current(), first);
    }

    #[test]
    fn each_life_has_its_own_number() {
        let fence = Fence::default();
        assert_eq!(fence.current(), Incarnation(0));
        let first = fence.begin();
        let second = fence.begin();
        assert_eq!((first, second), (Incarnation(1), Incarnation(2)));
        assert!(!fence.is_current(first));
        fence.end(first);
        assert!(fence.is_current(second), "a dead incarnation ends nobody else");
    }
}
