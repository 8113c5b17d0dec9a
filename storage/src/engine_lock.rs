//! The lock that the engine itself holds while the database is open.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::flock;

const POLL: Duration = Duration::from_millis(1);

/// The file that the engine locks.
pub(crate) fn path(ledger: &Path) -> PathBuf {
    ledger.join("lock")
}

/// The process that has the database open; none where the system does not tell.
pub(crate) fn holder(ledger: &Path) -> Option<u32> {
    flock::holder(&File::open(path(ledger)).ok()?)
}

/// Takes the lock, which is to be free within `limit`; none when somebody has it.
///
/// # Errors
/// That of opening or locking the file; it is not made when it is missing.
pub(crate) fn take(ledger: &Path, limit: Duration) -> io::Result<Option<File>> {
    let started = Instant::now();
    let file = File::open(path(ledger))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if started.elapsed() >= limit => return Ok(None),
            Err(TryLockError::WouldBlock) => std::thread::sleep(POLL),
        }
    }
}
