//! A network of its own for a run: `axolotl localnet` in another process, so that what blocks there blocks nobody here.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

use super::{plan::Subject, target::Target};
use crate::{
    exit::{ExitCode, Failure},
    network::{self, NetworkFile},
    patience, tree,
};

/// Blocks come quickly, so that a gap between them is seen exactly.
const BLOCK_INTERVAL: &str = "250ms";
const EMPTY_BLOCK_INTERVAL: &str = "500ms";
/// How long all validators may take to be ready.
const READY_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOG: &str = "localnet.log";
/// Lines of the log that are shown when it does not start.
const TAIL_LINES: usize = 10;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wish {
    pub validators: usize,
    /// None: a temporary one, which goes when all is well.
    pub directory: Option<PathBuf>,
    /// One process for each validator, started again when it ends.
    pub processes: bool,
}

/// A running one.
#[derive(Debug)]
pub struct Localnet {
    process: Child,
    pub directory: PathBuf,
    is_temporary: bool,
}

/// What there will be to strike, before anything runs.
pub fn subjects(validators: usize) -> Vec<Subject> {
    let actor = |row: &tree::Row| super::plan::Actor { name: row.name.to_owned(), is_exclusive: patience::EXCLUSIVE.contains(&row.name) };
    let mut actors: Vec<_> = tree::ROWS.iter().map(actor).collect();
    actors.sort();
    (0..validators).map(|index| Subject { name: network::name(index), power: 1, actors: actors.clone() }).collect()
}

impl Localnet {
    /// Starts a fresh one, and waits until everybody is ready.
    pub async fn start(wish: &Wish) -> Result<(Self, Target), Failure> {
        let is_temporary = wish.directory.is_none();
        let directory = wish.directory.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("axolotl-chaos-{}", std::process::id())));
        refuse_used(&directory)?;
        fs::create_dir_all(&directory).map_err(|error| Failure::unwritten("making the directory of the network", &directory, &error))?;
        let process = spawn(wish, &directory)?;
        let mut localnet = Self { process, directory, is_temporary };
        let target = localnet.ready().await?;
        Ok((localnet, target))
    }

    async fn ready(&mut self) -> Result<Target, Failure> {
        let begun = Instant::now();
        let mut why = "its network.json is not written".to_owned();
        while begun.elapsed() < READY_LIMIT {
            if let Ok(Some(status)) = self.process.try_wait() {
                let failure = Failure::runtime(format!("the localnet ended with {status} before it was ready")).at(tail(&self.directory));
                return Err(failure.remedy(format!("read {}", self.directory.join(LOG).display())));
            }
            tokio::time::sleep(LOOK_EVERY).await;
            let is_placed = NetworkFile::read(&self.directory).is_some_and(|file| Some(file.pid) == self.process.id());
            if !is_placed {
                continue;
            }
            match Target::open(&self.directory).await {
                Ok(target) => match all_ready(&target).await {
                    Ok(()) => return Ok(target),
                    Err(reason) => why = reason,
                },
                Err(failure) => why = failure.what,
            }
        }
        let failure = Failure::runtime(format!("the localnet is not ready after {} s: {why}", READY_LIMIT.as_secs())).at(tail(&self.directory));
        Err(failure.remedy(format!("read {}", self.directory.join(LOG).display())))
    }

    /// Stops everybody in order. The directory goes unless it was given, or `is_kept`; answers where it is then.
    pub async fn stop(mut self, is_kept: bool) -> Result<Option<PathBuf>, Failure> {
        if let Some(pid) = self.process.id().and_then(|pid| Pid::from_raw(pid as i32)) {
            // One that has ended meanwhile needs no signal.
            let _ = kill_process(pid, Signal::TERM);
        }
        if tokio::time::timeout(STOP_LIMIT, self.process.wait()).await.is_err() {
            let _ = self.process.kill().await;
            return Err(
                Failure::runtime(format!("the localnet did not stop within {} s", STOP_LIMIT.as_secs())).at(self.directory.display().to_string())
            );
        }
        if self.is_temporary && !is_kept {
            // What stays behind in a temporary directory is the system's to remove.
            let _ = fs::remove_dir_all(&self.directory);
            return Ok(None);
        }
        Ok(Some(self.directory))
    }
}

async fn all_ready(target: &Target) -> Result<(), String> {
    for node in &target.nodes {
        node.readiness().await?;
    }
    Ok(())
}

fn refuse_used(directory: &Path) -> Result<(), Failure> {
    let is_used = fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some());
    if !is_used {
        return Ok(());
    }
    let failure = Failure::new(ExitCode::Usage, "the directory for the new network is not empty").at(directory.display().to_string());
    Err(failure.remedy(format!("name another --data-dir, or run on the network in it: --network {}", directory.display())))
}

fn spawn(wish: &Wish, directory: &Path) -> Result<Child, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::runtime(format!("this program cannot be found again: {error}")))?;
    let path = directory.join(LOG);
    let log = File::create(&path).map_err(|error| Failure::unwritten("writing the log of the localnet", &path, &error))?;
    let mut command = Command::new(program);
    command.args(["localnet", "--chaos", "--output", "json", "--port-offset", "any"]);
    command.args(["--block-interval", BLOCK_INTERVAL, "--empty-block-interval", EMPTY_BLOCK_INTERVAL]);
    command.arg("--validators").arg(wish.validators.to_string()).arg("--data-dir").arg(directory);
    if wish.processes {
        command.arg("--processes");
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let mut command = tokio::process::Command::from(command);
    // A process group of its own: Ctrl-C at the terminal ends the run first, and then the network.
    let spawned = command.process_group(0).kill_on_drop(true).spawn();
    spawned.map_err(|error| Failure::runtime(format!("the localnet cannot be started: {error}")))
}

fn tail(directory: &Path) -> String {
    let log = fs::read_to_string(directory.join(LOG)).unwrap_or_default();
    let lines: Vec<_> = log.lines().rev().take(TAIL_LINES).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
