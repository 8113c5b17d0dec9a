//! One OS thread that notices when the whole runtime is stuck.
//!
//! Supervisors run on the runtime and cannot see that it stands still. A beat is written from a task; a thread
//! outside reads it, and tells whoever wants to hear that it turns, or once that it stands. The thread counts its own wake-ups rather than time, so that a machine that slept, or a process
//! that was stopped, is not taken for a stuck one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::task::AbortHandle;

/// How many looks make up the limit.
const LOOKS: u32 = 8;

/// What the thread knows of a runtime that stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// For how long no task has run, in time during which this process itself was awake.
    pub lasted: Duration,
    /// How often the runtime was seen turning before.
    pub turns: u64,
}

/// The running watchdog; dropping it ends the thread and joins it.
pub struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    beat: AbortHandle,
}

impl Watchdog {
    /// Watches the current runtime from a thread of its own, which alone calls both hooks and so must not be kept by them.
    ///
    /// `alive` is called several times within each `limit` while the runtime turns, and never while it stands; it feeds whoever
    /// watches this process. `stuck` is called once, when no task has run for `limit`; typically it writes down a
    /// [`Snapshot`](crate::Snapshot), which needs no runtime, and exits with [`crate::EXIT_RUNTIME_STUCK`].
    pub fn start(limit: Duration, alive: impl FnMut() + Send + 'static, stuck: impl FnOnce(Stuck) + Send + 'static) -> std::io::Result<Watchdog> {
        let step = (limit / LOOKS).max(Duration::from_millis(1));
        let beats = Arc::new(AtomicU64::new(0));
        let beat = tokio::spawn(beat(beats.clone(), step));
        let (stop, stopped) = channel();
        let watch = move || watch(&stopped, step, || beats.load(Relaxed), alive, stuck);
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(watch)?;
        Ok(Watchdog { stop: Some(stop), thread: Some(thread), beat: beat.abort_handle() })
    }
}

fn watch(stopped: &Receiver<()>, step: Duration, beats: impl Fn() -> u64, mut alive: impl FnMut(), stuck: impl FnOnce(Stuck)) {
    let mut look = Look::default();
    while stopped.recv_timeout(step) == Err(RecvTimeoutError::Timeout) {
        match look.at(beats()) {
            Seen::Turning => alive(),
            Seen::Still => {}
            Seen::Stuck => return stuck(Stuck { lasted: step * LOOKS, turns: look.seen }),
        }
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

/// What one look shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Turning,
    /// Not since the last look, which may be chance.
    Still,
    Stuck,
}

impl Look {
    fn at(&mut self, beats: u64) -> Seen {
        self.unchanged = if beats == self.seen { self.unchanged + 1 } else { 0 };
        self.seen = beats;
        match self.unchanged {
            0 => Seen::Turning,
            LOOKS.. => Seen::Stuck,
            _ => Seen::Still,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::TryRecvError;
    use std::time::Instant;

    const LIMIT: Duration = Duration::from_millis(40);
    const SOON: Duration = Duration::from_secs(20);

    /// A watchdog of the current runtime that tells what it calls.
    fn watched(limit: Duration) -> std::io::Result<(Watchdog, Receiver<Instant>, Receiver<Stuck>)> {
        let ((fed, alive), (told, stuck)) = (channel(), channel());
        // The test may have given up listening.
        let watchdog = Watchdog::start(limit, move || _ = fed.send(Instant::now()), move |facts| _ = told.send(facts))?;
        Ok((watchdog, alive, stuck))
    }

    #[test]
    fn only_a_beat_missed_at_every_look_is_stuck() {
        let mut look = Look::default();
        assert!((1..100).all(|beats| look.at(beats) == Seen::Turning));
        let looks: Vec<Seen> = (0..LOOKS).map(|_| look.at(99)).collect();
        assert_eq!(looks.iter().position(|seen| *seen != Seen::Still), Some(LOOKS as usize - 1));
        assert_eq!(looks.last(), Some(&Seen::Stuck));
    }

    #[test]
    fn one_beat_in_time_makes_the_count_begin_anew() {
        let mut look = Look::default();
        for beats in 1..20 {
            assert_eq!(look.at(beats), Seen::Turning);
            assert!((1..LOOKS).all(|_| look.at(beats) == Seen::Still));
        }
    }

    #[test]
    fn a_blocked_runtime_is_noticed_from_outside() -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (watchdog, _alive, stuck) = watched(LIMIT)?;
            // Blocking the only thread of this runtime is what is to be noticed.
            assert_eq!(stuck.recv_timeout(SOON).map(|facts| facts.lasted), Ok(LIMIT));
            drop(watchdog);
            Ok(())
        })
    }

    #[test]
    fn a_runtime_whose_two_threads_are_both_blocked_is_stuck_and_with_one_of_them_it_is_not() -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (watchdog, alive, stuck) = runtime.block_on(async { watched(LIMIT) })?;
        let block = || {
            let ((begun, begins), (release, released)) = (channel(), channel::<()>());
            runtime.spawn(async move {
                let _ = begun.send(());
                let _ = released.recv();
            });
            begins.recv_timeout(SOON).map(|()| release)
        };
        let one = block();
        assert!(one.is_ok());
        let until = Instant::now() + LIMIT * 10;
        while alive.recv_timeout(SOON).is_ok_and(|at| at < until) {}
        assert_eq!(stuck.try_recv(), Err(TryRecvError::Empty));
        let two = block();
        assert!(two.is_ok());
        let facts = stuck.recv_timeout(SOON);
        assert!(facts.is_ok_and(|facts| facts.lasted == LIMIT && facts.turns > 0), "{facts:?}");
        drop((one, two, watchdog));
        Ok(())
    }

    #[test]
    fn a_runtime_is_called_alive_while_it_turns_and_never_while_it_stands() -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (watchdog, alive, stuck) = watched(LIMIT)?;
            let mut fed = 0;
            while fed < 3 {
                tokio::time::sleep(LIMIT / 10).await;
                fed += alive.try_iter().count();
            }
            let still = Instant::now();
            assert!(stuck.recv_timeout(SOON).is_ok());
            let late = alive.try_iter().filter(|at| still + LIMIT / 2 < *at).count();
            assert_eq!(late, 0, "alive was told of a runtime that stood");
            drop(watchdog);
            Ok(())
        })
    }

    #[test]
    fn a_runtime_that_runs_is_left_alone() -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (watchdog, _alive, stuck) = watched(Duration::from_secs(60))?;
            tokio::task::yield_now().await;
            drop(watchdog);
            // Its callback was dropped unused.
            assert!(stuck.recv().is_err());
            Ok(())
        })
    }
}
