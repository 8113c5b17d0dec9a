//! One process per data directory, and its name for everyone who comes second.

use std::{
    fmt,
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    process,
    time::{Duration, UNIX_EPOCH},
};

use primitives::{Clock, SystemClock};
use serde::{Deserialize, Serialize};

const FILE: &str = "LOCK";

/// The right to use a data directory; released when it is dropped, and by the system when the process dies.
///
/// The file stays behind. It is the system's lock on it that counts, so a file of a dead process is no obstacle.
#[derive(Debug)]
pub struct DirectoryLock {
    file: File,
    path: PathBuf,
}

/// Who has the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    pub host: String,
    /// When the directory was taken, in milliseconds since the Unix epoch.
    pub since_unix_ms: u64,
}

/// Why the directory is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{path} is in use by {who}; stop that process, or choose another data directory", path = .path.display(), who = describe(.holder.as_ref()))]
    Held {
        path: PathBuf,
        /// None in the moment before the holder has written its name.
        holder: Option<Holder>,
    },
    #[error("{path} cannot be locked: {source}", path = .path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl DirectoryLock {
    /// Takes `directory`, made when it does not exist, without waiting.
    pub fn acquire(directory: &Path) -> Result<Self, LockError> {
        let path = directory.join(FILE);
        let failed = |source| LockError::Io { path: path.clone(), source };
        fs::create_dir_all(directory).map_err(failed)?;
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { holder: read(&mut file), path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        write(&mut file, &Holder::this_process()).map_err(failed)?;
        Ok(Self { file, path })
    }

    /// Who has `directory`; none when nobody has.
    pub fn holder(directory: &Path) -> Result<Option<Holder>, LockError> {
        let path = directory.join(FILE);
        let failed = |source| LockError::Io { path: path.clone(), source };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => read(&mut file).map(Some).ok_or(LockError::Held { path, holder: None }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Closing the file releases the lock too; an error here changes nothing.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

impl Holder {
    fn this_process() -> Self {
        Self { pid: process::id(), host: host(), since_unix_ms: SystemClock::new().unix_ms() }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = UNIX_EPOCH + Duration::from_millis(self.since_unix_ms.min(LATEST_UNIX_MS));
        write!(f, "process {} on {} since {}", self.pid, self.host, humantime::format_rfc3339_seconds(since))
    }
}

/// The end of the year 9999, the last that can be written. The file may say anything.
const LATEST_UNIX_MS: u64 = 253_402_300_799_000;

fn describe(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "a process that has not written its name yet".to_owned(), Holder::to_string)
}

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "this host".to_owned(), |name| name.trim().to_owned())
}

fn read(file: &mut File) -> Option<Holder> {
    let mut contents = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut contents).ok()?;
    serde_json::from_slice(&contents).ok()
}

/// No lock file is longer, in bytes.
const MAX_BYTES: u64 = 4096;

fn write(file: &mut File, holder: &Holder) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&serde_json::to_vec(holder)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_described_whatever_its_file_says() {
        let since = |since_unix_ms| Holder { pid: 7, host: "here".to_owned(), since_unix_ms }.to_string();
        assert_eq!(since(0), "process 7 on here since 1970-01-01T00:00:00Z");
        assert_eq!(since(u64::MAX), "process 7 on here since 9999-12-31T23:59:59Z");
    }
}
