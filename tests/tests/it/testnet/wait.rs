//! Waiting for a condition, with a limit and a name.

use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(20);

pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What `look` finds, as soon as it finds something.
#[track_caller]
pub fn eventually<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let started = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(started.elapsed() < limit, "{caller}: not within {limit:?}: {what}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
