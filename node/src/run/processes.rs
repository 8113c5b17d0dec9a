//! A network of processes: one for each validator, started again when it fails.

use std::{
    collections::VecDeque,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::process::{Child, Command};

use super::{
    People,
    service::{self, Service, Standing},
    signals::Signals,
};
use crate::{
    client::Client,
    exit::{ExitCode, Failure},
    launch::Launch,
    localnet::Localnet,
    terminal::{LiveLine, Progress},
};

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Transactions per second are the mean over this long.
const WINDOW: Duration = Duration::from_secs(5);
/// Blocks asked about at one look.
const MAX_BLOCKS_PER_LOOK: u64 = 16;
/// How long a process may take to stop in order before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// What runs a validator.
struct Program {
    path: PathBuf,
    /// Its stdout is ours.
    is_heard: bool,
}

struct Validator {
    name: String,
    url: String,
    arguments: Vec<std::ffi::OsString>,
    process: Child,
    /// At least once.
    has_answered: bool,
}

/// Starts every validator as a process, shows how the first one is going, and stops all when told to.
pub(super) async fn run(net: Localnet, service: &Service, people: &mut People<'_>) -> Result<ExitCode, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::runtime(format!("this program cannot be found again: {error}")))?;
    let program = Program { path: program, is_heard: people.is_some() };
    let mut validators = Vec::new();
    for launch in net.nodes {
        validators.push(spawn(&program, launch)?);
    }
    let mut signals = Signals::listen()?;
    let mut line = LiveLine::new();
    let mut pace = Pace::default();
    let mut tick = tokio::time::interval(LOOK_EVERY);
    let mut bulletin = service.bulletin();
    let cause = loop {
        tokio::select! {
            cause = signals.next() => break cause,
            _ = tick.tick() => {
                restart_failed(&program, &mut validators)?;
                let urls: Vec<String> = validators.iter().map(|validator| validator.url.clone()).collect();
                let Some(progress) = pace.look(&urls).await else { continue };
                if have_all_answered(&mut validators).await {
                    bulletin.renew(&Standing::of_processes(urls.len(), &progress));
                }
                if let Some(out) = people.as_deref_mut() {
                    line.show(&progress, Instant::now(), out);
                }
            }
        }
    };
    if people.is_some() {
        line.finish();
    }
    service.stopping(cause, stop(validators, cause)).await
}

fn spawn(program: &Program, launch: Launch) -> Result<Validator, Failure> {
    let (name, arguments) = (launch.name.clone(), launch.arguments());
    let url = format!("http://{}", launch.config.rpc.listen);
    // The doors are closed here, so that the process can open them.
    drop(launch);
    let process = command(program, &arguments).spawn().map_err(|error| Failure::runtime(format!("{name} cannot be started: {error}")))?;
    Ok(Validator { name, url, arguments, process, has_answered: false })
}

fn command(program: &Program, arguments: &[std::ffi::OsString]) -> Command {
    let mut command = Command::new(&program.path);
    command.stdout(if program.is_heard { Stdio::inherit() } else { Stdio::null() });
    // One process speaks for all to whatever started it.
    service::VARIABLES.iter().for_each(|name| _ = command.env_remove(name));
    // A process group of its own: Ctrl-C at the terminal is ours to pass on.
    command.args(arguments).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    command
}

/// A service manager would start it again, unless no restart can mend it; so do we.
fn restart_failed(program: &Program, validators: &mut [Validator]) -> Result<(), Failure> {
    for validator in validators {
        let Ok(Some(status)) = validator.process.try_wait() else { continue };
        let is_hopeless = [ExitCode::Usage, ExitCode::LockHeld, ExitCode::Config].iter().any(|code| status.code() == Some(i32::from(*code as u8)));
        if is_hopeless {
            return Err(Failure::runtime(format!("{} ended with {status}, which no restart can mend", validator.name)));
        }
        tracing::warn!(validator = validator.name, %status, "a validator ended and is started again");
        let started = command(program, &validator.arguments).spawn();
        validator.process = started.map_err(|error| Failure::runtime(format!("{} cannot be started: {error}", validator.name)))?;
    }
    Ok(())
}

/// Whether the network is ready: every process has been seen to answer.
async fn have_all_answered(validators: &mut [Validator]) -> bool {
    for validator in validators.iter_mut().filter(|validator| !validator.has_answered) {
        let Ok(client) = Client::new(&validator.url) else { continue };
        validator.has_answered = client.get("/health").await.is_ok();
    }
    validators.iter().all(|validator| validator.has_answered)
}

/// How the network is going, from one look to the next.
#[derive(Default)]
struct Pace {
    height: u64,
    moved: Option<Instant>,
    /// Transactions in each block seen, and when.
    counted: VecDeque<(Instant, u64)>,
}

impl Pace {
    /// What the first validator that answers says of itself.
    async fn look(&mut self, urls: &[String]) -> Option<Progress> {
        for url in urls {
            let client = Client::new(url).ok()?;
            let Ok((_, body)) = client.get("/health").await else { continue };
            let Ok(health) = serde_json::from_slice::<api::Health>(&body) else { continue };
            let height = health.chain.blockchain.height.0;
            if self.height < height {
                self.count(&client, height).await;
                (self.height, self.moved) = (height, Some(Instant::now()));
            }
            return Some(Progress {
                height,
                round: health.chain.consensus.round.0,
                since_block: self.moved.map(|at| at.elapsed()),
                transactions_per_second: self.rate(),
                peers: health.chain.p2p.peers as usize,
            });
        }
        None
    }

    /// Blocks of an earlier run are not counted, and of many new ones only the latest.
    async fn count(&mut self, client: &Client, height: u64) {
        let first = if self.moved.is_none() { height } else { self.height + 1 };
        for height in first.max(height.saturating_sub(MAX_BLOCKS_PER_LOOK))..=height {
            let count = client.call("eth_getBlockTransactionCountByNumber", json!([format!("{height:#x}")])).await;
            let count = count.ok().and_then(|count| u64::from_str_radix(count.as_str()?.trim_start_matches("0x"), 16).ok());
            self.counted.push_back((Instant::now(), count.unwrap_or_default()));
        }
    }

    fn rate(&mut self) -> f64 {
        while self.counted.front().is_some_and(|(at, _)| WINDOW < at.elapsed()) {
            self.counted.pop_front();
        }
        self.counted.iter().map(|(_, count)| *count as f64).sum::<f64>() / WINDOW.as_secs_f64()
    }
}

/// Passes the signal on and waits for everybody; who does not stop is killed.
async fn stop(validators: Vec<Validator>, cause: &str) -> Result<ExitCode, Failure> {
    for validator in &validators {
        if let Some(pid) = validator.process.id().and_then(|pid| rustix::process::Pid::from_raw(pid as i32)) {
            // One that has ended meanwhile needs no signal.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    }
    tracing::info!(cause, "stopping all validators");
    let mut code = ExitCode::Done;
    for Validator { name, mut process, .. } in validators {
        match tokio::time::timeout(STOP_LIMIT, process.wait()).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(status) => {
                tracing::error!(validator = name, ?status, "a validator did not stop in order");
                code = ExitCode::Runtime;
            }
            Err(_) => {
                tracing::error!(validator = name, limit = ?STOP_LIMIT, "a validator did not stop in time and is killed");
                let _ = process.kill().await;
                code = ExitCode::Runtime;
            }
        }
    }
    Ok(code)
}
