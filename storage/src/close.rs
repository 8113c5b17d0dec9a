//! Closing: revoke, wait for single reads, give the lock back.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use crate::{CommitError, Writer, engine_lock, open::LEDGER, shared::Published, writer::State};

/// How closing went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseReport {
    /// How long it took until the lock was free.
    pub took: Duration,
    /// Who still had leases or views, and how many. They are revoked, and keep nothing.
    pub leases_left: Vec<(&'static str, usize)>,
    /// Whose single read outlasted the limit. Each of them keeps the lock until it ends.
    pub late: Vec<&'static str>,
}

/// Why the lock may not be free.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    #[error("still reading after {:?}: {}", .0.took, .0.late.join(", "))]
    Late(CloseReport),
    #[error("the last sync failed: {0}")]
    Sync(String),
    #[error("the lock of the database is not free after {0:?}")]
    Locked(Duration),
}

impl Writer {
    /// Revokes all leases, waits for reads that are under way, and returns when the lock of the database is free.
    ///
    /// # Errors
    /// [`CloseError::Late`] names whose read outlasted the limit; the lock becomes free when it ends.
    pub fn close(mut self) -> Result<CloseReport, CloseError> {
        let started = Instant::now();
        let limit = self.config.close_limit;
        let leases_left = self.shared.register().leases();
        let report = |late| CloseReport { took: started.elapsed(), leases_left, late };
        self.shared.publish(Published::nothing());
        // Where there is no room, the tip file stays one commit behind, as after a crash.
        let marked =
            self.mark().or_else(|error| if matches!(error, CommitError::NoSpace) { Ok(()) } else { Err(CloseError::Sync(error.to_string())) });
        let (handles, synced) = match std::mem::replace(&mut self.state, State::Shut) {
            State::Open { handles, .. } => {
                let synced = handles.sync().map_err(|error| CloseError::Sync(error.to_string()));
                (handles, synced)
            }
            State::Full { handles } | State::Failed { handles, .. } => (handles, Ok(())),
            State::Shut | State::Roomless | State::Lost => return Ok(report(Vec::new())),
        };
        handles.revoke();
        match self.shared.wait_alone(handles, limit) {
            Ok(alone) => drop(alone),
            Err(_) => return Err(CloseError::Late(report(self.shared.register().readers()))),
        }
        synced.and(marked)?;
        await_unlocked(&self.directory.join(LEDGER), limit)?;
        Ok(report(Vec::new()))
    }
}

/// Looks until the engine's lock can be had.
fn await_unlocked(ledger: &Path, limit: Duration) -> Result<(), CloseError> {
    // Where there is no lock any more, nobody holds one.
    if matches!(engine_lock::take(ledger, limit), Ok(None)) { Err(CloseError::Locked(limit)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::{Config, ReadError};

    use super::*;

    fn opened(directory: &Path, close_limit: Duration) -> Writer {
        Writer::open(directory, Config { close_limit, ..Config::default_for_validator() }).unwrap().0
    }

    #[test]
    fn closing_names_whose_read_is_late() {
        let directory = tempfile::tempdir().unwrap();
        let writer = opened(directory.path(), Duration::from_millis(20));
        let (api, mempool) = (writer.leases().lease("api"), writer.leases().lease("mempool"));
        let reading = api.pin().unwrap();

        let Err(CloseError::Late(report)) = writer.close() else { panic!("the read was not waited for") };
        assert_eq!(report.late, ["api"]);
        assert_eq!(report.leases_left, [("api", 1), ("mempool", 1)]);
        assert!(matches!(Writer::open(directory.path(), Config::default_for_validator()), Err(crate::OpenError::Locked { .. })));

        drop(reading);
        assert_eq!(mempool.get(crate::Keyspace::Meta, b"any"), Err(ReadError::Closed));
        drop(opened(directory.path(), Duration::ZERO));
    }

    #[test]
    fn closing_waits_for_a_read_that_ends_in_time() {
        let directory = tempfile::tempdir().unwrap();
        let writer = opened(directory.path(), Duration::from_secs(60));
        let api = writer.leases().lease("api");
        let reading = api.pin().unwrap();
        let closing = std::thread::spawn(move || writer.close());
        // Closing has begun when new reads are refused; ours still holds the handles.
        while api.get(crate::Keyspace::Meta, b"any").is_ok() {
            std::thread::yield_now();
        }
        drop(reading);
        assert_eq!(closing.join().unwrap().unwrap().late, Vec::<&str>::new());
        opened(directory.path(), Duration::ZERO).close().unwrap();
    }
}
