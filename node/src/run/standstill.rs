//! A runtime that stands still on request, for whoever wants to see what the watchdog and the service manager make of it.

use tokio::{runtime::Handle, signal::unix::SignalKind};

use crate::exit::Failure;

/// Blocks every one of `threads` for ever at the next SIGUSR2. Only where `chaos.enabled`: elsewhere that signal ends the process.
pub(super) fn at_user_signal(threads: usize) -> Result<(), Failure> {
    let signal = tokio::signal::unix::signal(SignalKind::user_defined2());
    let mut signal = signal.map_err(|error| Failure::runtime(format!("SIGUSR2 cannot be heard: {error}")))?;
    tokio::spawn(async move {
        if signal.recv().await.is_some() {
            tracing::warn!(threads, "SIGUSR2: every thread of the runtime is blocked from now on");
            // One more than there are: a worker keeps the last one to itself, and blocks in it or in another.
            (0..=threads).for_each(|_| drop(Handle::current().spawn(async { block() })));
        }
    });
    Ok(())
}

fn block() {
    loop {
        std::thread::park();
    }
}
