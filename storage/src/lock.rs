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

use crate::{engine::is_no_space, flock};

const FILE: &str = "LOCK";

/// The right to use a data directory; released when it is dropped, and by the system when the process dies.
///
/// The file stays behind. It is the system's lock on it that counts, so a file of a dead process is no obstacle. The directory
/// itself is locked too: whoever removes the file of a process that runs removes its name, and not its right.
#[derive(Debug)]
pub struct DirectoryLock {
    file: File,
    /// None on file systems that lock no directories.
    directory: Option<File>,
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
    #[error("{path} is in use by {who}; stop that process, or choose another data directory", path = .path.display(), who = describe(.holder.as_ref(), *.pid))]
    Held {
        path: PathBuf,
        /// None in the moment before the holder has written its name, and when somebody has removed the file.
        holder: Option<Holder>,
        /// The holder as the system knows it, where it tells.
        pid: Option<u32>,
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
        let directory = File::open(directory).map_err(failed)?;
        let directory = match directory.try_lock() {
            Ok(()) => Some(directory),
            Err(TryLockError::WouldBlock) => return Err(held(&path, &directory)),
            Err(TryLockError::Error(_)) => None,
        };
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(&path, &file)),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        match write(&mut file, &Holder::this_process()) {
            // The name is for people; it is the lock that counts.
            Err(full) if is_no_space(&full) => {}
            written => written.map_err(failed)?,
        }
        Ok(Self { file, directory, path })
    }

    /// Who has `directory`; none when nobody has.
    pub fn holder(directory: &Path) -> Result<Option<Holder>, LockError> {
        let path = directory.join(FILE);
        let failed = |source| LockError::Io { path: path.clone(), source };
        for locked in [directory, path.as_path()] {
            let file = match File::open(locked) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            match file.try_lock_shared() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return read(&path).map(Some).ok_or_else(|| held(&path, &file)),
                Err(TryLockError::Error(_)) if locked == directory => {}
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        Ok(None)
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
        let _ = self.directory.as_ref().map(File::unlock);
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

fn describe(holder: Option<&Holder>, pid: Option<u32>) -> String {
    match (holder, pid) {
        (Some(holder), _) => holder.to_string(),
        (None, Some(pid)) => format!("process {pid}, whose name is not in the file"),
        (None, None) => "a process whose name is not in the file".to_owned(),
    }
}

/// Somebody has `locked`, which is the file or the directory.
fn held(path: &Path, locked: &File) -> LockError {
    LockError::Held { holder: read(path), pid: flock::holder(locked), path: path.to_owned() }
}

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "this host".to_owned(), |name| name.trim().to_owned())
}

fn read(path: &Path) -> Option<Holder> {
    let mut contents = Vec::new();
    File::open(path).ok()?.take(MAX_BYTES).read_to_end(&mut contents).ok()?;
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
