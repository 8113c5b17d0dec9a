//! Waiting for a condition, with a limit and a name.

use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What `look` finds, as soon as it finds something; an error that names `what` when it never does.
pub async fn eventually<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        anyhow::ensure!(started.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
