//! A disk that fills up, and one whose syncs fail, under one of four validators. The long form is `campaign disk`.
//!
//! Both need rights: a mount namespace of one's own for the small disk, and strace(1) for the failing sync. Where these are not to be had
//! the tests say so and show nothing.

use std::{
    env, fs,
    io::{ErrorKind, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::testnet::{Testnet, Transfer, Validator, eventually, secs};

const INSIDE: &str = "AXOLOTL_IT_OWN_NAMESPACE";
/// Whose disk it is.
const VICTIM: usize = 3;
/// Room enough for what the engine wants to have before it opens again.
const DISK: &str = "size=192m,mode=700";
const LIMIT: std::time::Duration = secs(30);
/// More lines of a parked validator would say the same at each attempt.
const MAX_LINES: usize = 20;

/// Runs the test called `name` in a mount namespace of its own, where a small disk can be made without asking anyone.
fn in_a_namespace(name: &str) {
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output();
    let said = output
        .as_ref()
        .map_or_else(ToString::to_string, |output| String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr));
    if !said.contains("running 1 test") {
        return eprintln!("not shown here, because it needs a user namespace: {said}");
    }
    assert!(output.unwrap().status.success(), "{said}");
    print!("{said}");
}

#[test]
fn a_validator_with_a_full_disk_parks_and_resumes_by_itself() {
    in_a_namespace("disk::the_disk_of_one_of_four_fills_up");
}

/// The test itself, which has nothing to do outside.
#[tokio::test]
async fn the_disk_of_one_of_four_fills_up() {
    if env::var_os(INSIDE).is_none() {
        return;
    }
    let mut net = Testnet::of(4).start().await;
    net.stop_one(VICTIM).await;
    put_on_a_small_disk(&net.validator(VICTIM).home);
    net.validator(VICTIM).start();
    let head = net.validator(0).height().await.unwrap();
    net.validator(VICTIM).signs_above(head, LIMIT).await;
    let load = net.load();
    let ballast = net.validator(VICTIM).home.join("ballast");

    fill(&ballast);
    let victim = net.validator(VICTIM);
    let health = victim.says("the disk is full", LIMIT).await;
    assert_eq!((&health["status"], health["storage"]["free_bytes"].as_u64()), (&"down".into(), Some(0)), "{health}");
    assert_eq!(victim.get("/readyz").await.unwrap().0, 503);
    let (parked, lines) = (victim.height().await.unwrap(), victim.log().lines().count());
    let restarts = health["actors"]["restarts_1h"].clone();
    let unsent = Transfer::new(1, 0);
    let refused = victim.submit(&unsent).await.unwrap_err().to_string();
    assert!(refused.contains("the disk of this node is full"), "{refused}");

    // The others go on at their pace of ten heights a second, and it can be asked for all it has.
    net.validator(0).reach(parked + 50, secs(20)).await;
    let victim = net.validator(VICTIM);
    assert_eq!(victim.height().await, Some(parked));
    assert!(victim.hash(parked).await.is_some());
    let said = victim.log().lines().count() - lines;
    assert!(said <= MAX_LINES, "{said} lines while parked\n{}", victim.log_tail());
    let signed = victim.health().await.unwrap()["consensus"]["last_signed"]["height"].as_u64().unwrap();
    assert!(signed <= parked + 1, "signed at {signed}, and {parked} is committed");

    fs::remove_file(ballast).unwrap();
    let head = net.validator(0).height().await.unwrap();
    net.validator(VICTIM).reach(head, LIMIT).await;
    net.validator(VICTIM).signs_above(head, LIMIT).await;
    let victim = net.validator(VICTIM);
    let hash = victim.submit(&unsent).await.unwrap();
    victim.receipt(hash, LIMIT).await;
    let health = victim.health().await.unwrap();
    assert_eq!(health["actors"]["restarts_1h"], restarts, "a full disk costs no restart: {}", victim.log_tail());
    drop(load);
    net.agree().await;
    net.is_honest().await;
}

#[tokio::test]
async fn a_validator_whose_sync_fails_ends_with_74_and_comes_back_verified() {
    let mut net = Testnet::of(4).start().await;
    let load = net.load();
    for call in ["fsync", "fdatasync"] {
        let height = net.height().await;
        let Some(strace) = fail_syncs(net.validator(VICTIM), call).await else { return };
        let status = net.validator(VICTIM).ended(LIMIT).await;
        drop(strace);
        let victim = net.validator(VICTIM);
        assert_eq!(status.code(), Some(74), "{}", victim.log_tail());
        assert!(victim.log().contains("this node must end"), "{}", victim.log_tail());
        net.validator(0).reach(height + 20, LIMIT).await;

        // Everything is compared with its checksum before it is opened, and is whole.
        net.validator(VICTIM).start();
        let head = net.validator(0).height().await.unwrap();
        net.validator(VICTIM).signs_above(head, LIMIT).await;
        assert!(!net.validator(VICTIM).log().contains("set aside"), "{}", net.validator(VICTIM).log_tail());
    }
    drop(load);
    net.agree().await;
    net.is_honest().await;
}

/// Moves what is in `home` to a disk that is mounted there, and that goes with the namespace.
fn put_on_a_small_disk(home: &Path) {
    let before = home.with_extension("before");
    fs::rename(home, &before).unwrap();
    fs::create_dir(home).unwrap();
    let script = r#"mount -t tmpfs -o "$3" tmpfs "$1" && cp -a "$2/." "$1/""#;
    let status = Command::new("sh").args(["-ec", script, "sh"]).args([home, &before]).arg(DISK).status().unwrap();
    assert!(status.success());
}

/// Takes all that is left of a disk.
fn fill(ballast: &Path) {
    let mut file = fs::File::create(ballast).unwrap();
    for bytes in [64 << 10, 4096] {
        let piece = vec![0xba; bytes];
        let full = std::iter::repeat_with(|| file.write_all(&piece)).find_map(Result::err).unwrap();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }
}

/// While this lives, a system call of one process returns EIO.
struct FailingSync(Child);

impl Drop for FailingSync {
    fn drop(&mut self) {
        let _ = Pid::from_raw(self.0.id() as i32).map(|pid| kill_process(pid, Signal::TERM));
        let _ = self.0.wait();
    }
}

/// None, and a word about it, where nobody may do that.
async fn fail_syncs(victim: &Validator, call: &str) -> Option<FailingSync> {
    let (pid, inject) = (victim.pid(), format!("inject={call}:error=EIO"));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-q", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject, "-p", &pid.to_string()]);
    let Ok(strace) = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
        eprintln!("not shown here, because it needs strace(1)");
        return None;
    };
    let mut strace = FailingSync(strace);
    let attached = eventually("strace holds the process, or gives up", LIMIT, async || match strace.0.try_wait().unwrap() {
        Some(_) if fs::metadata(format!("/proc/{pid}/task")).is_ok() => Some(false),
        _ => is_traced(pid).then_some(true),
    });
    if !attached.await {
        eprintln!("not shown here, because it needs the right to trace another process: root, or kernel.yama.ptrace_scope=0");
        return None;
    }
    Some(strace)
}

/// Also when it is gone already.
fn is_traced(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|tracer| tracer.trim() == "0"))
}
