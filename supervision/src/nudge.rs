//! Keeps a runtime turning when a handler blocks its thread.
//!
//! Sockets and timers of a runtime are waited for by whichever of its threads is idle. The thread that they wake runs what they woke, and
//! another one takes over the wait only when it goes idle itself. When all others sleep already and what was woken blocks, nobody waits
//! for sockets and timers any more, and the whole runtime stands still with it: also the supervisor, who should replace the one that
//! blocks. A thread outside that wakes one of the sleepers now and then ends this within its step.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;

/// Between two nudges: the most by which a blocked thread can hold everybody up.
const STEP: Duration = Duration::from_millis(50);

/// The running thread; dropping this ends and joins it.
pub struct Nudge {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Nudge {
    /// Nudges the current runtime from a thread of its own.
    pub fn start() -> std::io::Result<Nudge> {
        let runtime = Handle::current();
        let (stop, stopped) = channel::<()>();
        let nudge = move || {
            while stopped.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
                drop(runtime.spawn(std::future::ready(())));
            }
        };
        let thread = std::thread::Builder::new().name("nudge".into()).spawn(nudge)?;
        Ok(Nudge { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Nudge {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It does nothing that panics.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const BLOCKED: Duration = Duration::from_millis(1_500);

    /// When a timer of 100 ms was heard although another, of 50 ms, had woken somebody who blocks his thread.
    fn heard(is_nudged: bool) -> std::io::Result<Duration> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
        let guard = runtime.enter();
        let nudge = if is_nudged { Some(Nudge::start()?) } else { None };
        let (tell, told) = channel();
        let begun = Instant::now();
        runtime.spawn(async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            std::thread::sleep(BLOCKED);
        });
        runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            // The test may have given up listening.
            let _ = tell.send(begun.elapsed());
        });
        let heard = told.recv_timeout(Duration::from_secs(20)).map_err(std::io::Error::other)?;
        drop((nudge, guard));
        runtime.shutdown_background();
        Ok(heard)
    }

    #[test]
    fn a_blocked_thread_holds_nobody_up_for_longer_than_a_step() {
        let heard = heard(true).expect("a runtime");
        assert!(heard < BLOCKED / 2, "heard after {heard:?}");
    }

    #[test]
    fn without_it_everybody_waits_for_the_one_who_blocks() {
        // That of the runtime, which this is here for. When it has gone, so can the nudge.
        let heard = heard(false).expect("a runtime");
        assert!(BLOCKED <= heard, "heard after {heard:?}");
    }
}
