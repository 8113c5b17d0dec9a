//! A disk in memory that forgets, at a crash, what nobody synced.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::disk::{Disk, DiskFile};

/// What a crash leaves of writes that were never synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// Nothing, as in a power cut with a cold cache.
    SyncedOnly,
    /// Everything, as when only the process was killed.
    Everything,
    /// The first so many bytes of each file's unsynced writes, as in a power cut amid a write.
    Torn { bytes: usize },
}

/// Files in memory. Clones are the same disk, so a node can crash while its disk lives on.
#[derive(Clone, Debug, Default)]
pub struct LossyDisk(Arc<Mutex<Files>>);

#[derive(Debug, Default)]
struct Files {
    /// By path; what the running process sees.
    live: BTreeMap<PathBuf, Arc<Mutex<Contents>>>,
    /// By path; which names survive.
    durable: BTreeMap<PathBuf, Arc<Mutex<Contents>>>,
    syncs: u64,
}

#[derive(Debug, Default)]
struct Contents {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Since the last sync, in order.
    unsynced: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

impl LossyDisk {
    pub fn new() -> Self {
        Self::default()
    }

    /// The machine stops here: what was synced stays, of the rest what `survival` says.
    pub fn crash(&self, survival: Survival) {
        let mut files = self.files();
        if survival == Survival::Everything {
            files.durable = files.live.clone();
        }
        files.live = files.durable.clone();
        for contents in files.live.values() {
            lock(contents).crash(survival);
        }
    }

    /// Whether any file that a power cut at this moment would leave `is_wanted`, by its path and contents.
    pub fn any_durable(&self, mut is_wanted: impl FnMut(&Path, &[u8]) -> bool) -> bool {
        self.files().durable.iter().any(|(path, contents)| is_wanted(path, &lock(contents).durable))
    }

    /// How many syncs of files and directories were asked for so far.
    pub fn syncs(&self) -> u64 {
        self.files().syncs
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        lock(&self.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Contents {
    fn crash(&mut self, survival: Survival) {
        match survival {
            Survival::Everything => self.durable = self.live.clone(),
            Survival::SyncedOnly => {}
            Survival::Torn { bytes } => self.keep(bytes),
        }
        self.live = self.durable.clone();
        self.unsynced.clear();
    }

    fn keep(&mut self, mut budget: usize) {
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Change::Length(length) => self.durable.resize(length, 0),
                Change::Write { offset, bytes } => {
                    let kept = bytes.len().min(budget);
                    budget -= kept;
                    write(&mut self.durable, offset, &bytes[..kept]);
                    if kept < bytes.len() {
                        return;
                    }
                }
            }
        }
    }
}

fn write(contents: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if contents.len() < end {
        contents.resize(end, 0);
    }
    contents[offset..end].copy_from_slice(bytes);
}

impl Disk for LossyDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let contents = self.files().live.entry(path.to_owned()).or_default().clone();
        Ok(Box::new(LossyFile { contents, disk: self.clone() }))
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files().live.get(path).map(|contents| lock(contents).live.clone()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files().live.remove(path);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.files();
        let contents = files.live.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.live.insert(to.to_owned(), contents);
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let files = self.files();
        let inside = files.live.keys().filter(|path| path.parent() == Some(directory));
        Ok(inside.filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned()).collect())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut files = self.files();
        files.syncs += 1;
        let elsewhere = |path: &PathBuf| path.parent() != Some(directory);
        let mut durable: BTreeMap<_, _> =
            files.durable.iter().filter(|(path, _)| elsewhere(path)).map(|(path, contents)| (path.clone(), contents.clone())).collect();
        durable.extend(files.live.iter().filter(|(path, _)| !elsewhere(path)).map(|(path, contents)| (path.clone(), contents.clone())));
        files.durable = durable;
        Ok(())
    }

    fn locate(&self, path: &Path) -> PathBuf {
        Path::new("memory:").join(path)
    }
}

struct LossyFile {
    contents: Arc<Mutex<Contents>>,
    disk: LossyDisk,
}

impl DiskFile for LossyFile {
    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.contents).live.len() as u64)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut contents = lock(&self.contents);
        write(&mut contents.live, offset as usize, bytes);
        contents.unsynced.push(Change::Write { offset: offset as usize, bytes: bytes.to_vec() });
        Ok(())
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let contents = lock(&self.contents);
        let from = (offset as usize).min(contents.live.len());
        let to = from.saturating_add(length).min(contents.live.len());
        Ok(contents.live[from..to].to_vec())
    }

    fn set_len(&mut self, length: u64) -> io::Result<()> {
        let mut contents = lock(&self.contents);
        contents.live.resize(length as usize, 0);
        contents.unsynced.push(Change::Length(length as usize));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.files().syncs += 1;
        lock(&self.contents).keep(usize::MAX);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PATH: &str = "wal/1";

    fn written(sync_file: bool, sync_directory: bool, survival: Survival) -> Option<Vec<u8>> {
        let disk = LossyDisk::new();
        let mut file = disk.open(Path::new(PATH)).unwrap();
        file.write_at(0, b"first").unwrap();
        if sync_file {
            file.sync().unwrap();
        }
        if sync_directory {
            disk.sync_directory(Path::new("wal")).unwrap();
        }
        file.write_at(5, b"second").unwrap();
        disk.crash(survival);
        disk.read(Path::new(PATH)).unwrap()
    }

    #[test]
    fn a_crash_takes_what_was_not_synced() {
        assert_eq!(written(true, true, Survival::SyncedOnly), Some(b"first".to_vec()));
        assert_eq!(written(false, true, Survival::SyncedOnly), Some(b"".to_vec()));
        assert_eq!(written(true, false, Survival::SyncedOnly), None);
    }

    #[test]
    fn a_killed_process_loses_nothing() {
        assert_eq!(written(false, false, Survival::Everything), Some(b"firstsecond".to_vec()));
    }

    #[test]
    fn what_would_survive_can_be_seen_before_the_crash() {
        let disk = LossyDisk::new();
        let mut file = disk.open(Path::new(PATH)).unwrap();
        file.write_at(0, b"first").unwrap();
        file.sync().unwrap();
        disk.sync_directory(Path::new("wal")).unwrap();
        file.write_at(5, b"second").unwrap();
        assert!(disk.any_durable(|path, bytes| path == Path::new(PATH) && bytes == b"first"));
    }

    #[test]
    fn a_torn_write_leaves_its_beginning() {
        assert_eq!(written(true, true, Survival::Torn { bytes: 3 }), Some(b"firstsec".to_vec()));
    }
}
