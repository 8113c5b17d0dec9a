//! A disk that belongs to a machine, and a machine that may stop before any of its operations.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use primitives::{Disk, DiskFile, LossyDisk};

/// How many more things a machine does in this life. Clones are the same fuse.
#[derive(Clone, Debug)]
pub struct Fuse(Arc<AtomicI64>);

impl Fuse {
    /// Burns out before operation number `operations`; never, when that is none.
    pub fn new(operations: Option<u64>) -> Self {
        let operations = operations.and_then(|operations| i64::try_from(operations).ok()).unwrap_or(i64::MAX);
        Self(Arc::new(AtomicI64::new(operations)))
    }

    /// Lasts for ever from now on, unless it is burnt out already.
    pub fn mend(&self) {
        if !self.is_out() {
            self.0.store(i64::MAX, Ordering::SeqCst);
        }
    }

    pub fn is_out(&self) -> bool {
        self.0.load(Ordering::SeqCst) <= 0
    }

    /// One thing is done; false when the machine has stopped before it.
    pub fn burn(&self) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst) > 0
    }

    fn operate(&self) -> io::Result<()> {
        if self.burn() { Ok(()) } else { Err(io::Error::other("the machine has stopped")) }
    }
}

/// The disk of a machine, for one life of it.
#[derive(Clone, Debug)]
pub struct FusedDisk {
    pub disk: LossyDisk,
    pub fuse: Fuse,
}

struct FusedFile {
    file: Box<dyn DiskFile>,
    fuse: Fuse,
}

impl Disk for FusedDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.fuse.operate()?;
        Ok(Box::new(FusedFile { file: self.disk.open(path)?, fuse: self.fuse.clone() }))
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        self.disk.read(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.fuse.operate()?;
        self.disk.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fuse.operate()?;
        self.disk.rename(from, to)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.disk.list(directory)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.fuse.operate()?;
        self.disk.sync_directory(directory)
    }

    fn locate(&self, path: &Path) -> PathBuf {
        self.disk.locate(path)
    }
}

impl DiskFile for FusedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.fuse.operate()?;
        self.file.write_at(offset, bytes)
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.file.read_at(offset, length)
    }

    fn set_len(&mut self, length: u64) -> io::Result<()> {
        self.fuse.operate()?;
        self.file.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.fuse.operate()?;
        self.file.sync()
    }
}
