//! From a checked plan to running nodes, until they are told to stop.

mod last_words;
mod processes;
pub mod service;
pub(crate) mod signals;
mod standstill;
mod watch;

use std::{io::Write, pin::pin, time::Duration};

use supervision::{Nudge, Watchdog};

use self::{
    last_words::Trees,
    service::{Service, Standing},
    signals::Signals,
    watch::Watch,
};
use crate::{
    boot::{End, Node, Seen},
    config,
    exit::{ExitCode, Failure},
    launch::Launch,
    localnet::Localnet,
    telemetry::Logs,
    terminal::{self, LiveLine, Receipt},
};

/// Blocked handlers must never take every thread: two froze a runtime of two.
const MIN_THREADS: usize = 8;
const THREADS_PER_NODE: usize = 4;
/// A runtime in which nothing moved for this long is stuck.
const STUCK_LIMIT: Duration = Duration::from_secs(30);
/// Or for this part of what the service manager waits for, so that we can tell why before it ends us.
const STUCK_PART: u32 = 4;
const LINE_EVERY: Duration = Duration::from_millis(500);
/// How long what is left on the runtime may take after everything has stopped.
const RUNTIME_LIMIT: Duration = Duration::from_secs(5);

/// Who watches the run on stdout; nobody where that holds data.
pub type People<'a> = Option<&'a mut dyn Write>;

/// Runs one node until it is told to stop; tells `people` how it went, if they listen, and the service manager all along.
pub fn start(launch: Launch, service: &Service, mut people: People<'_>) -> Result<ExitCode, Failure> {
    let process = Process::of(1, &launch.name, &launch, service);
    let trees = process.trees.clone();
    process.run(
        async |people| {
            let mut signals = Signals::listen()?;
            let node = Node::start(launch).await?;
            trees.add(&node);
            let end = tokio::select! {
                cause = signals.next() => Err(cause),
                end = run(&node, service) => Ok(end),
            };
            let (cause, code) = match end {
                Ok(end) => (end.reason, Some(end.code)),
                Err(cause) => (cause.to_owned(), None),
            };
            let stop = service.stopping(&cause, node.stop(&cause));
            let receipt = until_impatient(&mut signals, stop).await?;
            say(people, &terminal::receipt(&receipt));
            Ok(code.unwrap_or(stop_code(&receipt)))
        },
        &mut people,
    )
}

/// Runs a whole network until it is told to stop; `processes`: one process for each validator.
pub fn localnet(net: Localnet, processes: bool, service: &Service, mut people: People<'_>) -> Result<ExitCode, Failure> {
    let Some(first) = net.nodes.first() else { return Err(Failure::runtime("a network without validators")) };
    if processes {
        let process = Process::of(1, "localnet", first, service);
        return process.run(async |people| processes::run(net, service, people).await, &mut people);
    }
    let process = Process::of(net.nodes.len(), "localnet", first, service);
    let trees = process.trees.clone();
    process.run(async |people| together(net, service, &trees, people).await, &mut people)
}

/// All validators in this process. One that fails is marked; the others go on.
async fn together(net: Localnet, service: &Service, trees: &Trees, people: &mut People<'_>) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen()?;
    let mut nodes = Vec::new();
    for launch in net.nodes {
        let node = Node::start(launch).await?;
        trees.add(&node);
        nodes.push(node);
    }
    let mut line = LiveLine::new();
    let mut failed: Vec<(String, End)> = Vec::new();
    let cause = tokio::select! {
        cause = signals.next() => cause,
        cause = watch_all(&nodes, &mut failed, &mut line, people) => cause,
        never = tell_all(&nodes, service) => match never {},
    };
    if people.is_some() {
        line.finish();
    }
    let stops = nodes.into_iter().map(|node| node.stop(cause));
    let receipts = until_impatient(&mut signals, service.stopping(cause, join_all(stops))).await?;
    receipts.iter().for_each(|receipt| say(people, &terminal::receipt(receipt)));
    let worst = receipts.iter().map(stop_code).find(|code| *code != ExitCode::Done);
    Ok(failed.first().map(|(_, end)| end.code).or(worst).unwrap_or(ExitCode::Done))
}

/// Shows how the network is going, until none of it is left.
async fn watch_all(nodes: &[Node], failed: &mut Vec<(String, End)>, line: &mut LiveLine, people: &mut People<'_>) -> &'static str {
    let mut watch = Watch::new(nodes);
    let mut tick = tokio::time::interval(LINE_EVERY);
    loop {
        tokio::select! {
            _ = tick.tick() => if let (Some(progress), Some(out)) = (watch.look(), people.as_deref_mut()) {
                line.show(&progress, std::time::Instant::now(), out);
            },
            (index, end) = first_end(nodes, failed) => {
                let name: &String = &nodes[index].name;
                tracing::error!(validator = name, reason = end.reason, "this validator has failed; the others go on");
                failed.push((name.clone(), end));
                if failed.len() == nodes.len() {
                    return "every validator has failed";
                }
            }
        }
    }
}

/// Ready is who has no node left to wait for; one that has failed keeps nobody waiting for longer than its limit.
async fn tell_all(nodes: &[Node], service: &Service) -> std::convert::Infallible {
    // Which of them failed is told where they are watched.
    let _ = service.starting(join_all(nodes.iter().map(Node::ready))).await;
    let seen: Vec<Seen> = nodes.iter().map(|node| node.seen().clone()).collect();
    service.running(|| Standing::of(&seen)).await
}

async fn join_all<T>(work: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    futures_util::future::join_all(work).await
}

/// The next validator that ends by itself.
async fn first_end(nodes: &[Node], failed: &[(String, End)]) -> (usize, End) {
    let living = nodes.iter().enumerate().filter(|(_, node)| !failed.iter().any(|(name, _)| *name == node.name));
    let ends = living.map(|(index, node)| Box::pin(async move { (index, node.ended().await) }));
    futures_util::future::select_all(ends).await.0
}

/// Waits for the node's end, and tells the service manager meanwhile when it is ready and how it stands.
async fn run(node: &Node, service: &Service) -> End {
    let mut ended = pin!(node.ended());
    // Who has given up before it was ready will never be ready.
    tokio::select! {
        end = &mut ended => return end,
        ready = service.starting(node.ready()) => if let Err(failure) = ready {
            return End { code: ExitCode::Runtime, reason: failure.to_string() };
        },
    }
    let seen = [node.seen().clone()];
    tokio::select! {
        end = ended => end,
        never = service.running(|| Standing::of(&seen)) => match never {},
    }
}

/// A second signal ends the wait: journal and promise are safe anyway.
async fn until_impatient<T>(signals: &mut Signals, stop: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        done = stop => Ok(done),
        cause = signals.next() => Err(Failure::runtime(format!("a second {cause} ended the stop before it was done; nothing that was acknowledged is lost"))),
    }
}

fn stop_code(receipt: &Receipt) -> ExitCode {
    match receipt {
        Receipt { leases_left: 1.., .. } => ExitCode::LeasesLeft,
        Receipt { lock_released: false, .. } => ExitCode::Runtime,
        _ => ExitCode::Done,
    }
}

fn say(people: &mut People<'_>, text: &str) {
    let Some(out) = people else { return };
    // Whoever closed the pipe does not want the lines.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// What a process has besides its nodes: a runtime, a log, a watchdog.
struct Process {
    threads: usize,
    name: String,
    telemetry: config::Telemetry,
    service: Service,
    /// Whether it may be made to stand still.
    is_chaotic: bool,
    trees: Trees,
}

impl Process {
    /// For so many nodes like `launch`.
    fn of(nodes: usize, name: &str, launch: &Launch, service: &Service) -> Self {
        Self {
            threads: MIN_THREADS.max(THREADS_PER_NODE * nodes),
            name: name.to_owned(),
            telemetry: launch.config.telemetry.clone(),
            service: service.clone(),
            is_chaotic: launch.config.chaos.enabled,
            trees: Trees::default(),
        }
    }

    /// Runs `work` with the log, the panic hook and the watchdog of a process.
    fn run(self, work: impl AsyncFnOnce(&mut People<'_>) -> Result<ExitCode, Failure>, people: &mut People<'_>) -> Result<ExitCode, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(self.threads).enable_all().build();
        let runtime = runtime.map_err(|error| Failure::runtime(format!("no runtime: {error}")))?;
        let code = runtime.block_on(async {
            let logs = Logs::start(&self.name, &self.telemetry, runtime.handle())?;
            std::panic::set_hook(Box::new(supervision::note_panic));
            let watchdog = self.watchdog(&logs)?;
            let nudge = Nudge::start().map_err(|error| Failure::runtime(format!("no thread for the nudge: {error}")))?;
            if self.is_chaotic {
                standstill::at_user_signal(self.threads)?;
            }
            let code = work(people).await;
            drop((watchdog, nudge));
            logs.shutdown().await;
            code
        });
        runtime.shutdown_timeout(RUNTIME_LIMIT);
        code
    }

    fn watchdog(&self, logs: &Logs) -> Result<Watchdog, Failure> {
        let limit = self.service.watchdog().map_or(STUCK_LIMIT, |limit| STUCK_LIMIT.min(limit / STUCK_PART));
        let (trees, lines) = (self.trees.clone(), logs.last_lines());
        let watchdog = Watchdog::start(limit, self.service.feeder(), move |stuck| last_words::end(stuck, &trees, lines));
        watchdog.map_err(|error| Failure::runtime(format!("no thread for the watchdog: {error}")))
    }
}
