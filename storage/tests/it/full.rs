//! Disks that fill up, and disks that fail.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use primitives::{Disk, DiskFile, Filesystem, Height};
use storage::{Batch, CommitError, DirectoryLock, Keyspace, Opened, ReopenError, Repair, Writer, keys};

use crate::chain::{block, config, grow, is_whole, note, open, scratch, tip};

const DIRECTORY: &str = "STORAGE_TEST_FULL_DIRECTORY";

#[test]
fn a_full_disk_is_waited_for_and_loses_nothing() {
    on_a_small_disk("full::a_child_fills_its_disk");
}

#[test]
fn a_commit_that_found_no_room_is_whole_or_gone_when_there_is_room_again() {
    on_a_small_disk("full::a_child_fills_its_disk_to_the_last_byte");
}

/// Runs the test called `name` in a mount namespace of its own, where a small disk can be made without asking anyone.
fn on_a_small_disk(name: &str) {
    let directory = scratch();
    let script = r#"mount -t tmpfs -o size=48m tmpfs "$1" && shift && exec "$@""#;
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(directory.path())
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(DIRECTORY, directory.path())
        .output();
    let Ok(output) = output else { return eprintln!("not shown here: there is no unshare(1)") };
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if !said.contains("running 1 test") {
        return eprintln!("not shown here: {said}");
    }
    assert!(output.status.success(), "{said}");
}

/// The process with the small disk; without its variable it has nothing to do.
#[test]
fn a_child_fills_its_disk() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let ballast = directory.join("ballast");
    fs::write(&ballast, vec![1; 20 << 20]).unwrap();
    let (mut writer, _) = Writer::open(directory, config()).unwrap();
    let lease = writer.leases().lease("api");

    let full = (0..).find(|height| matches!(writer.commit(&[large(*height)]), Err(CommitError::NoSpace))).unwrap();
    let view = lease.view().unwrap();
    assert_eq!((writer.tip(), view.tip()), (Some(tip(full - 1)), tip(full - 1)));
    assert!(full > 2 && is_whole(&lease, full - 1));
    assert!(matches!(writer.commit(&[note("a")]), Err(CommitError::NoSpace)));
    assert!(matches!(writer.reopen(), Err(ReopenError::NoSpace { .. })));
    assert!(is_whole(&lease, full - 1), "reads stop while the disk is full");

    fs::remove_file(ballast).unwrap();
    let opened = writer.reopen().unwrap();
    assert_eq!((opened.tip, opened.repaired), (Some(tip(full - 1)), vec![]));
    writer.commit(&[large(full), note("a")]).unwrap();
    assert!(is_whole(&lease, full), "the lease does not follow the reopening");
    assert!(view.get(Keyspace::Headers, b"any").is_err());
    writer.close().unwrap();
    let (writer, opened) = Writer::open(directory, config()).unwrap();
    assert_eq!((opened.tip, opened.repaired), (Some(tip(full)), vec![]));
    assert!(is_whole(&writer.leases().lease("api"), full));
}

/// As above, with commits that end anywhere within a page of the disk and within the buffer of the engine's journal.
#[test]
fn a_child_fills_its_disk_to_the_last_byte() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    let ballast = directory.join("ballast");
    let (mut writer, _) = Writer::open(directory, config()).unwrap();
    let lease = writer.leases().lease("api");
    grow(&mut writer, 3);
    let (mut whole, mut gone) = (0, 0);
    for filling in 0..MAX_FILLINGS {
        if FILLINGS <= filling && 0 < whole && 0 < gone {
            break;
        }
        fill(&ballast);
        let mut next = writer.tip().unwrap().height.0 + 1;
        while writer.commit(&[of_any_size(next)]).is_ok() {
            next += 1;
        }
        assert!(!writer.is_writable() && is_whole(&lease, next - 1));
        assert!(matches!(writer.reopen(), Err(ReopenError::NoSpace { .. })));
        fs::remove_file(&ballast).unwrap();
        let opened = writer.reopen().unwrap();
        match opened.tip {
            at if at == Some(tip(next)) => whole += 1,
            at if at == Some(tip(next - 1)) => gone += 1,
            at => panic!("{at:?} after {next} found no room"),
        }
        // Whoever was refused tries again, and need not know which it was.
        writer.commit(&[block(next)]).unwrap();
        assert!(is_whole(&lease, next));
    }
    assert!(0 < whole && 0 < gone, "{whole} refused commits were found whole, {gone} were gone");
    let height = writer.tip().unwrap();
    writer.close().unwrap();
    let (writer, opened) = open(directory);
    assert_eq!(opened, Opened { tip: Some(height), repaired: vec![] });
    writer.close().unwrap();

    // Whoever starts on a full disk is told so, if that is in the way at all, and nothing else.
    fill(&ballast);
    fs::File::options().append(true).open(&ballast).unwrap().write_all(&[1; 16 * PAGE_BYTES]).unwrap_err();
    drop(DirectoryLock::acquire(directory).unwrap());
    match Writer::open(directory, config()) {
        Ok((writer, opened)) => {
            assert_eq!(opened.tip, Some(height));
            writer.close().unwrap();
        }
        Err(error) => assert!(error.is_no_space(), "{error}"),
    }
    fs::remove_file(ballast).unwrap();
    assert_eq!(open(directory).1.tip, Some(height));
}

/// A block that fits in the buffer of the engine's journal, or does not.
fn of_any_size(height: u64) -> Batch {
    let mut bytes = vec![0; rand::random_range(0..60_000)];
    rand::fill(&mut bytes[..]);
    let mut batch = block(height);
    batch.put(Keyspace::Receipts, keys::height(Height(height)), bytes);
    batch
}

/// How often the disk is filled; at most so often when one of the two outcomes has not come up yet.
const FILLINGS: usize = 40;
const MAX_FILLINGS: usize = 10 * FILLINGS;

/// Takes all room but some pages.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    let mut pages = 0;
    while file.write_all(&[1; PAGE_BYTES]).is_ok() {
        pages += 1;
    }
    file.set_len((pages - rand::random_range(0..12)) * PAGE_BYTES as u64).unwrap();
}

const PAGE_BYTES: usize = 4096;

/// A block that also fills the disk, with bytes that do not compress.
fn large(height: u64) -> Batch {
    let mut batch = block(height);
    let mut bytes = vec![0; 1 << 20];
    rand::fill(&mut bytes[..]);
    batch.put(Keyspace::Receipts, keys::height(Height(height)), bytes);
    batch
}

#[test]
fn a_failed_sync_ends_all_writing_in_this_process() {
    let directory = scratch();
    let disk = Breaking::at(directory.path());
    let is_broken = disk.is_broken.clone();
    let (mut writer, _) = Writer::open_on(Arc::new(disk), directory.path(), config()).unwrap();
    let lease = writer.leases().lease("api");
    grow(&mut writer, 3);
    writer.mark().unwrap();
    is_broken.store(true, Ordering::SeqCst);
    // The engine has its own files; it is the tip file that cannot be synced.
    writer.commit(&[block(4)]).unwrap();
    assert!(matches!(writer.mark(), Err(CommitError::Sync(_))));
    is_broken.store(false, Ordering::SeqCst);
    for _ in 0..2 {
        assert!(matches!(writer.commit(&[block(5)]), Err(CommitError::Sync(_))));
        assert!(matches!(writer.reopen(), Err(ReopenError::Sync(_))));
    }
    assert_eq!((writer.tip(), lease.view().unwrap().tip(), writer.is_writable()), (Some(tip(4)), tip(4), false));
    writer.close().unwrap();

    let (writer, opened) = open(directory.path());
    assert_eq!((opened.tip, &opened.repaired[..1]), (Some(tip(4)), &[Repair::TipMoved { from: Some(tip(3)), to: tip(4) }][..]));
    assert!(is_whole(&writer.leases().lease("api"), 4));
}

#[test]
fn a_tip_file_without_room_is_waited_for_and_a_failed_sync_meanwhile_ends_all_writing() {
    for breaks in [false, true] {
        let directory = scratch();
        let disk = Breaking::at(directory.path());
        let (mut writer, _) = Writer::open_on(Arc::new(disk.clone()), directory.path(), config()).unwrap();
        let lease = writer.leases().lease("api");
        grow(&mut writer, 3);
        writer.mark().unwrap();
        disk.is_full.store(true, Ordering::SeqCst);
        writer.commit(&[block(4)]).unwrap();
        for _ in 0..2 {
            assert!(matches!(writer.mark(), Err(CommitError::NoSpace)) && !writer.is_writable());
            assert!(matches!(writer.commit(&[block(5)]), Err(CommitError::NoSpace)));
            assert!(matches!(writer.reopen(), Err(ReopenError::NoSpace { .. })));
        }
        assert!(is_whole(&lease, 4));
        disk.is_full.store(false, Ordering::SeqCst);
        disk.is_broken.store(breaks, Ordering::SeqCst);
        if breaks {
            assert!(matches!(writer.reopen(), Err(ReopenError::Sync(_))));
            continue;
        }
        assert_eq!(writer.reopen().unwrap().tip, Some(tip(4)));
        writer.commit(&[block(5)]).unwrap();
        writer.close().unwrap();
        assert_eq!(open(directory.path()).1, Opened { tip: Some(tip(5)), repaired: vec![] });
    }
}

/// A disk whose writes find no room, or whose syncs fail, and whose writes then reach nothing.
#[derive(Clone)]
struct Breaking {
    inner: Filesystem,
    is_broken: Arc<AtomicBool>,
    is_full: Arc<AtomicBool>,
}

impl Breaking {
    fn at(directory: &Path) -> Self {
        Self { inner: Filesystem::at(directory), is_broken: Arc::default(), is_full: Arc::default() }
    }
}

struct BreakingFile {
    inner: Box<dyn DiskFile>,
    of: Breaking,
}

impl Disk for Breaking {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(BreakingFile { inner: self.inner.open(path)?, of: self.clone() }))
    }
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        self.inner.read(path)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.inner.list(directory)
    }
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.inner.sync_directory(directory)
    }
    fn locate(&self, path: &Path) -> PathBuf {
        self.inner.locate(path)
    }
}

impl DiskFile for BreakingFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match () {
            () if self.of.is_full.load(Ordering::SeqCst) => Err(io::ErrorKind::StorageFull.into()),
            () if self.of.is_broken.load(Ordering::SeqCst) => Ok(()),
            () => self.inner.write_at(offset, bytes),
        }
    }
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.inner.read_at(offset, length)
    }
    fn set_len(&mut self, length: u64) -> io::Result<()> {
        self.inner.set_len(length)
    }
    fn sync(&mut self) -> io::Result<()> {
        if self.of.is_broken.load(Ordering::SeqCst) { Err(io::Error::from_raw_os_error(EIO)) } else { self.inner.sync() }
    }
}

const EIO: i32 = 5;
