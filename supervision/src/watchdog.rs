//! One OS thread that notices when the whole runtime is stuck.
//!
//! Supervisors run on the runtime and cannot see that it stands still. A beat is written from a task; a thread
//! outside reads it. The thread counts its own wake-ups rather than time, so that a machine that slept, or a process
//! that was stopped, is not taken for a stuck one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::task::AbortHandle;

/// How many looks make up the limit.
const LOOKS: u32 = 8;

/// The running watchdog; dropping it ends the thread and joins it.
pub struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    beat: AbortHandle,
}

impl Watchdog {
    /// Watches the current runtime. `stuck` is called once, on the watching thread, when no task has run for `limit`;
    /// typically it writes a line and exits with [`crate::EXIT_RUNTIME_STUCK`].
    pub fn start(limit: Duration, stuck: impl FnOnce() + Send + 'static) -> std::io::Result<Watchdog> {
        let step = (limit / LOOKS).max(Duration::from_millis(1));
        let beats = Arc::new(AtomicU64::new(0));
        let beat = tokio::spawn(beat(beats.clone(), step));
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(move || {
            let mut look = Look::default();
            while stopped.recv_timeout(step) == Err(RecvTimeoutError::Timeout) {
                if look.is_stuck(beats.load(Relaxed)) {
                    return stuck();
                }
            }
        })?;
        Ok(Watchdog { stop: Some(stop), thread: Some(thread), beat: beat.abort_handle() })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.beat.abort();
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let is_own = thread.thread().id() == std::thread::current().id();
            if !is_own {
                // A panic of `stuck` has been told by the panic hook.
                let _ = thread.join();
            }
        }
    }
}

async fn beat(beats: Arc<AtomicU64>, step: Duration) {
    loop {
        beats.fetch_add(1, Relaxed);
        tokio::time::sleep(step).await;
    }
}

/// What the thread remembers between looks.
#[derive(Default)]
struct Look {
    seen: u64,
    unchanged: u32,
}

impl Look {
    fn is_stuck(&mut self, beats: u64) -> bool {
        self.unchanged = if beats == self.seen { self.unchanged + 1 } else { 0 };
        self.seen = beats;
        self.unchanged >= LOOKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_beat_missed_at_every_look_is_stuck() {
        let mut look = Look::default();
        assert!((1..100).all(|beats| !look.is_stuck(beats)));
        let looks: Vec<bool> = (0..LOOKS).map(|_| look.is_stuck(99)).collect();
        assert_eq!(looks.iter().position(|stuck| *stuck), Some(LOOKS as usize - 1));
    }

    #[test]
    fn a_blocked_runtime_is_noticed_from_outside() -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (sender, receiver) = channel();
        runtime.block_on(async {
            let watchdog = Watchdog::start(Duration::from_millis(40), move || {
                // The test may have given up waiting.
                let _ = sender.send(());
            })?;
            // Blocking the only thread of this runtime is what is to be noticed.
            assert!(receiver.recv_timeout(Duration::from_secs(20)).is_ok());
            drop(watchdog);
            Ok(())
        })
    }

    #[test]
    fn a_runtime_that_runs_is_left_alone() -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (sender, receiver) = channel::<()>();
        runtime.block_on(async {
            let watchdog = Watchdog::start(Duration::from_secs(60), move || drop(sender))?;
            tokio::task::yield_now().await;
            drop(watchdog);
            // Its callback was dropped unused.
            assert!(receiver.recv().is_err());
            Ok(())
        })
    }
}
