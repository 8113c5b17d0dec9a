//! A process that is killed amid its commits.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use rand::Rng;
use storage::{Keyspace, Writer};

use crate::chain::{block, flushing, is_whole, note, open, scratch};

const DIRECTORY: &str = "STORAGE_TEST_CRASH_DIRECTORY";
const ROUNDS: usize = 8;

#[test]
fn a_killed_process_leaves_the_acknowledged_tip_or_the_one_after() {
    let directory = scratch();
    let mut acknowledged = None;
    for _ in 0..ROUNDS {
        let commits = rand::rng().random_range(1..200);
        let last = commit_and_be_killed(directory.path(), commits).or(acknowledged);
        // Opening compares all keyspaces with each other and with the tip file.
        let (writer, opened) = open(directory.path());
        let height = opened.tip.map(|tip| tip.height.0);
        assert!(height == last || height == Some(last.map_or(0, |last| last + 1)), "{last:?} was acknowledged, {height:?} is there");
        let lease = writer.leases().lease("test");
        if let (Some(height), Some(last)) = (height, last) {
            assert!(is_whole(&lease, height));
            assert!(lease.get(Keyspace::Mempool, last.to_string().as_bytes()).unwrap().is_some());
        }
        acknowledged = height;
        writer.close().unwrap();
    }
    assert!(acknowledged > Some(ROUNDS as u64));
}

/// The last height that the child acknowledged, after it was killed at its acknowledgement number `commits`.
fn commit_and_be_killed(directory: &Path, commits: usize) -> Option<u64> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::a_child_commits_until_it_is_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut last = None;
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let Some(height) = line.unwrap().strip_prefix("acknowledged ").and_then(|number| number.parse().ok()) else { continue };
        last = Some(height);
        seen += 1;
        if seen == commits {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    last
}

/// The process that is killed; without its variable it has nothing to do.
#[test]
fn a_child_commits_until_it_is_killed() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let (mut writer, opened) = Writer::open(Path::new(&directory), flushing()).unwrap();
    let mut out = std::io::stdout();
    // The test harness has written the beginning of a line.
    writeln!(out).unwrap();
    for height in opened.tip.map_or(0, |tip| tip.height.0 + 1).. {
        writer.commit(&[block(height), note(&height.to_string())]).unwrap();
        if writeln!(out, "acknowledged {height}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}
