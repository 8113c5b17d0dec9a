use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use storage::{DirectoryLock, LockError};

use crate::chain::scratch;

const DIRECTORY: &str = "STORAGE_TEST_LOCK_DIRECTORY";

#[test]
fn whoever_comes_second_is_told_who_came_first() {
    let directory = scratch();
    let lock = DirectoryLock::acquire(directory.path()).unwrap();
    let Err(LockError::Held { holder: Some(holder), path, .. }) = DirectoryLock::acquire(directory.path()) else { panic!("two have the lock") };
    assert_eq!((holder.pid, path.as_path()), (std::process::id(), lock.path()));
    assert!(!holder.host.is_empty() && holder.since_unix_ms > 0);
    assert_eq!(DirectoryLock::holder(directory.path()).unwrap(), Some(holder));
    drop(lock);
    assert_eq!(DirectoryLock::holder(directory.path()).unwrap(), None);
    DirectoryLock::acquire(directory.path()).unwrap();
}

#[test]
fn a_file_that_a_dead_process_left_is_no_obstacle() {
    let directory = scratch();
    fs::write(directory.path().join("LOCK"), r#"{"pid":1,"host":"elsewhere","since_unix_ms":1}"#).unwrap();
    assert_eq!(DirectoryLock::holder(directory.path()).unwrap(), None);
    DirectoryLock::acquire(directory.path()).unwrap();
}

#[test]
fn another_process_holds_the_lock_until_it_dies() {
    let directory = scratch();
    let mut child = holding(directory.path());
    let Err(error) = DirectoryLock::acquire(directory.path()) else { panic!("two processes have the lock") };
    assert!(error.to_string().contains(&format!("process {}", child.id())), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    DirectoryLock::acquire(directory.path()).unwrap();
}

#[test]
fn a_process_holds_its_directory_even_when_its_lock_file_was_removed() {
    let directory = scratch();
    let mut child = holding(directory.path());
    fs::remove_file(directory.path().join("LOCK")).unwrap();
    for look in [DirectoryLock::acquire(directory.path()).map(drop), DirectoryLock::holder(directory.path()).map(drop)] {
        let Err(LockError::Held { holder: None, pid, .. }) = look else { panic!("two processes have the lock") };
        // Not every system tells.
        assert!(pid.is_none_or(|pid| pid == child.id()), "{pid:?} and not {}", child.id());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    DirectoryLock::acquire(directory.path()).unwrap();
}

/// This test binary again, as a process that has the lock.
fn holding(directory: &Path) -> Child {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "lock::a_child_holds_the_lock", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("locked")));
    child
}

/// The other process; without its variable it has nothing to do.
#[test]
fn a_child_holds_the_lock() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let _lock = DirectoryLock::acquire(Path::new(&directory)).unwrap();
    println!("locked");
    // Until we are killed, or whoever started us is gone.
    let _ = std::io::stdin().lines().next();
}
