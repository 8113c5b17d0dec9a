//! From a checked plan to running nodes, until they are told to stop.

mod processes;
pub(crate) mod signals;
mod watch;

use std::{io::Write, time::Duration};

use supervision::Watchdog;
use tokio::runtime::Runtime;

use self::{signals::Signals, watch::Watch};
use crate::{
    boot::{End, Node},
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
const LINE_EVERY: Duration = Duration::from_millis(500);
/// How long what is left on the runtime may take after everything has stopped.
const RUNTIME_LIMIT: Duration = Duration::from_secs(5);

/// Who watches the run on stdout; nobody where that holds data.
pub type People<'a> = Option<&'a mut dyn Write>;

/// Runs one node until it is told to stop, and tells `people` how it went, if they listen.
pub fn start(launch: Launch, mut people: People<'_>) -> Result<ExitCode, Failure> {
    let telemetry = launch.config.telemetry.clone();
    on_runtime(
        1,
        &launch.name.clone(),
        &telemetry,
        async |people| {
            let node = Node::start(launch).await?;
            let mut signals = Signals::listen()?;
            let end = tokio::select! {
                cause = signals.next() => Err(cause),
                end = run(&node) => Ok(end),
            };
            let (cause, code) = match end {
                Ok(end) => (end.reason, Some(end.code)),
                Err(cause) => (cause.to_owned(), None),
            };
            tell_manager("STOPPING=1");
            let receipt = until_impatient(&mut signals, node.stop(&cause)).await?;
            say(people, &terminal::receipt(&receipt));
            Ok(code.unwrap_or(stop_code(&receipt)))
        },
        &mut people,
    )
}

/// Runs a whole network until it is told to stop; `processes`: one process for each validator.
pub fn localnet(net: Localnet, processes: bool, mut people: People<'_>) -> Result<ExitCode, Failure> {
    let Some(first) = net.nodes.first() else { return Err(Failure::runtime("a network without validators")) };
    let telemetry = first.config.telemetry.clone();
    let threads = if processes { 1 } else { net.nodes.len() };
    if processes {
        return on_runtime(threads, "localnet", &telemetry, async |people| processes::run(net, people).await, &mut people);
    }
    on_runtime(threads, "localnet", &telemetry, async |people| together(net, people).await, &mut people)
}

/// All validators in this process. One that fails is marked; the others go on.
async fn together(net: Localnet, people: &mut People<'_>) -> Result<ExitCode, Failure> {
    let mut nodes = Vec::new();
    for launch in net.nodes {
        nodes.push(Node::start(launch).await?);
    }
    let mut signals = Signals::listen()?;
    let mut line = LiveLine::new();
    let mut watch = Watch::new(&nodes);
    let mut tick = tokio::time::interval(LINE_EVERY);
    let mut failed: Vec<(String, End)> = Vec::new();
    let cause = loop {
        tokio::select! {
            cause = signals.next() => break cause,
            _ = tick.tick() => if let (Some(progress), Some(out)) = (watch.look(), people.as_deref_mut()) {
                line.show(&progress, std::time::Instant::now(), out);
            },
            (index, end) = first_end(&nodes, &failed) => {
                let name: &String = &nodes[index].name;
                tracing::error!(validator = name, reason = end.reason, "this validator has failed; the others go on");
                failed.push((name.clone(), end));
                if failed.len() == nodes.len() {
                    break "every validator has failed";
                }
            }
        }
    };
    if people.is_some() {
        line.finish();
    }
    let stops = nodes.into_iter().map(|node| node.stop(cause));
    let receipts = until_impatient(&mut signals, join_all(stops)).await?;
    receipts.iter().for_each(|receipt| say(people, &terminal::receipt(receipt)));
    let worst = receipts.iter().map(stop_code).find(|code| *code != ExitCode::Done);
    Ok(failed.first().map(|(_, end)| end.code).or(worst).unwrap_or(ExitCode::Done))
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

/// Tells the service manager when the node is ready, then waits for its end.
async fn run(node: &Node) -> End {
    // Who has given up before it was ready will never be ready.
    tokio::select! {
        end = node.ended() => return end,
        ready = node.ready() => match ready {
            Ok(()) => tell_manager("READY=1"),
            Err(failure) => return End { code: ExitCode::Runtime, reason: failure.to_string() },
        },
    }
    node.ended().await
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

fn tell_manager(state: &str) {
    // Without a service manager nobody listens, which is no error.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Custom(state)]);
}

fn say(people: &mut People<'_>, text: &str) {
    let Some(out) = people else { return };
    // Whoever closed the pipe does not want the lines.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Runs `work` on a runtime for so many nodes, with the log, the panic hook and the watchdog of a process.
fn on_runtime(
    nodes: usize,
    process: &str,
    telemetry: &config::Telemetry,
    work: impl AsyncFnOnce(&mut People<'_>) -> Result<ExitCode, Failure>,
    people: &mut People<'_>,
) -> Result<ExitCode, Failure> {
    let threads = MIN_THREADS.max(THREADS_PER_NODE * nodes);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::runtime(format!("no runtime: {error}")))?;
    let code = runtime.block_on(async {
        let logs = Logs::start(process, telemetry, runtime.handle())?;
        std::panic::set_hook(Box::new(supervision::note_panic));
        let watchdog = Watchdog::start(STUCK_LIMIT, || {
            // Nothing on the runtime can log any more.
            eprintln!("the runtime has not moved for {STUCK_LIMIT:?}: exit {}", ExitCode::Stuck as u8);
            std::process::exit(i32::from(ExitCode::Stuck as u8));
        });
        let watchdog = watchdog.map_err(|error| Failure::runtime(format!("no thread for the watchdog: {error}")))?;
        let code = work(people).await;
        drop(watchdog);
        logs.shutdown().await;
        code
    });
    end(runtime);
    code
}

fn end(runtime: Runtime) {
    runtime.shutdown_timeout(RUNTIME_LIMIT);
}
