//! A disk whose syncs fail, for one process: strace(1) lets the system call return EIO.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait::eventually;

const ATTACH_LIMIT: Duration = Duration::from_secs(10);

/// While this lives, the syncs of one process fail.
pub struct FailingSync(Child);

impl FailingSync {
    /// From now on every `call` (`fsync`, `fdatasync`) of all threads of `pid` returns EIO.
    pub async fn of(pid: u32, call: &str) -> Result<Self> {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-q", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &format!("inject={call}:error=EIO"), "-p"]);
        let child = strace.arg(pid.to_string()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let this = Self(child.context("a failing sync needs strace(1)")?);
        eventually("strace has hold of every thread; that needs root, or kernel.yama.ptrace_scope=0", ATTACH_LIMIT, async || is_traced(pid)).await?;
        Ok(this)
    }
}

impl Drop for FailingSync {
    fn drop(&mut self) {
        // It lets go of whoever is still there.
        if let Some(pid) = Pid::from_raw(self.0.id() as i32) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

/// Whether every thread has a tracer; also when the process is gone already, because a sync failed before the last thread was held.
fn is_traced(pid: u32) -> Option<()> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Some(()) };
    let traced = |status: String| status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|tracer| tracer.trim() != "0"));
    let mut held = threads.flatten().map(|thread| fs::read_to_string(thread.path().join("status")).is_ok_and(traced));
    held.all(|held| held).then_some(())
}
