//! The disk as a value that is handed in: real files, or a memory that loses what was not synced.

use std::{
    fs, io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Where small files that must never lie are kept (the consensus journal, the promise, watermarks).
///
/// Paths are relative to the disk's own root. What a crash may take: file contents written since the last
/// [`DiskFile::sync`], and files created, renamed or removed since the last [`Disk::sync_directory`].
pub trait Disk: Send + Sync + 'static {
    /// Opens `path` for reading and writing; creates it, and its directories, when it is not there.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// The whole file, or none when there is no such file.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
    /// Removes the file; no error when there is none.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Renames within the disk, replacing what was there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Names of the files directly in `directory`, sorted; empty when there is no such directory.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;
    /// Makes creations, renames and removals in `directory` durable.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
    /// Where `path` is, for messages to people.
    fn locate(&self, path: &Path) -> PathBuf;
    /// Bytes that we may still write; more than any disk has where nobody can tell.
    fn free_bytes(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

/// An open file of a [`Disk`].
pub trait DiskFile: Send + 'static {
    fn len(&self) -> io::Result<u64>;
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Writes all of `bytes` at `offset`.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Reads at most `length` bytes from `offset`; fewer only at the end of the file.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>>;
    /// Grows (with zeros) or cuts the file.
    fn set_len(&mut self, length: u64) -> io::Result<()>;
    /// Returns when everything written is durable. After an error nothing about this file can be trusted any more.
    fn sync(&mut self) -> io::Result<()>;
}

/// Real files below one directory. Files are made with mode 0600.
#[derive(Clone, Debug)]
pub struct Filesystem {
    root: PathBuf,
}

impl Filesystem {
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

fn absent<T>(error: io::Error, instead: T) -> io::Result<T> {
    if error.kind() == io::ErrorKind::NotFound { Ok(instead) } else { Err(error) }
}

impl Disk for Filesystem {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.root.join(path);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        Ok(Box::new(file))
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        fs::read(self.root.join(path)).map(Some).or_else(|error| absent(error, None))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(self.root.join(path)).or_else(|error| absent(error, ()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let to = self.root.join(to);
        if let Some(directory) = to.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::rename(self.root.join(from), to)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(directory)) {
            Ok(entries) => entries,
            Err(error) => return absent(error, Vec::new()),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        fs::File::open(self.root.join(directory))?.sync_all()
    }

    fn locate(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.root)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

impl DiskFile for fs::File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match FileExt::read_at(self, &mut bytes[filled..], offset + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn set_len(&mut self, length: u64) -> io::Result<()> {
        fs::File::set_len(self, length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
