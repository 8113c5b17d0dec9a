//! One node as a value: its tree wired up and running, until it is told to stop.

use std::{sync::Arc, time::Duration};

use actors::{
    consensus::ConsensusView,
    halt::{EXIT_CONFIG, EXIT_DISK_FAILED, EXIT_LOCK_HELD, Halt, Halter},
    ledger::Ledger,
    p2p::Peers,
};
use parking_lot::Mutex;
use primitives::SystemClock;
use storage::{CloseReport, DirectoryLock, LockError};
use supervision::{Controls, Events, FaultInjection, InjectError, Running, Snapshots, Tree};
use tokio::{runtime::Handle, sync::watch};

use crate::{
    admin::{AdminDoor, Desk, Place, Token},
    exit::{ExitCode, Failure},
    home::Home,
    launch::Launch,
    peers::PeerDesk,
    telemetry::{Metrics, MetricsDoor},
    terminal::{Receipt, StoppedActor},
    wiring::Wiring,
};

/// How long all actors may take to be ready.
const READY_LIMIT: Duration = Duration::from_secs(120);

/// A running node.
pub struct Node {
    pub name: String,
    home: Home,
    running: Running,
    lock: DirectoryLock,
    metrics: Metrics,
    metrics_door: MetricsDoor,
    admin_door: AdminDoor,
    closed: Arc<Mutex<Option<CloseReport>>>,
    halted: watch::Receiver<Option<Halt>>,
    grace: Duration,
    seen: Seen,
}

/// What others may look at while the node runs.
#[derive(Clone)]
pub struct Seen {
    pub ledger: Ledger,
    pub peers: Peers,
    pub consensus: ConsensusView,
}

/// Why a node must end by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub code: ExitCode,
    pub reason: String,
}

impl Node {
    /// Takes the lock, wires the tree up and starts it. Must be called on the runtime.
    pub async fn start(launch: Launch) -> Result<Self, Failure> {
        let lock = DirectoryLock::acquire(launch.home.root()).map_err(|error| lock_failure(&error))?;
        let metrics = Metrics::new(&launch.name, &launch.config.telemetry, &Handle::current())?;
        let token = Token::ensure(&launch.home.admin_token_file())?;
        let place = Place::of(&launch.name, &launch.home, launch.config.admin.listen);
        let (halter, halted) = halter();
        let closed = Arc::default();
        let wiring = Wiring::of(&launch, &metrics.meter(), halter, Arc::clone(&closed))?;
        let (name, home, grace) = (launch.name.clone(), launch.home.clone(), launch.config.shutdown.grace);
        let (snapshots, events, seen) = (wiring.snapshots.clone(), wiring.events.clone(), wiring.seen.clone());
        let peers = PeerDesk {
            book: wiring.book.clone(),
            key: launch.node_key.clone(),
            domain: launch.genesis.domain(),
            private: launch.config.p2p.private_peers.clone(),
            clock: Arc::new(SystemClock::new()),
            connected: Some(seen.peers.clone()),
        };
        let mut settings = supervision::Config::new(metrics.meter());
        settings.chaos = launch.config.chaos.enabled;
        settings.seed = rand::random();
        let specs = wiring.children(&launch)?;
        let tree = Tree::build(&name, specs, settings).map_err(|error| Failure::runtime(format!("the tree cannot be built: {error}")))?;
        let metrics_door = MetricsDoor::open(launch.listeners.metrics, metrics.scrape())?;
        let running = tree.start().await;
        snapshots.store(Some(Arc::new(running.snapshots())));
        events.store(Some(Arc::new(running.events())));
        let desk = Desk::of(&running, launch.config.chaos.enabled, seen.peers.tap().clone()).with_peers(peers);
        let admin_door = AdminDoor::open(launch.listeners.admin, token, desk, place)?;
        Ok(Self { name, home, running, lock, metrics, metrics_door, admin_door, closed, halted, grace, seen })
    }

    /// Waits until every actor runs.
    pub async fn ready(&self) -> Result<(), Failure> {
        let late =
            |error: supervision::NotReady| error.children.into_iter().fold(Failure::runtime(format!("{} is not ready", self.name)), Failure::at);
        self.running.ready(READY_LIMIT).await.map_err(late)
    }

    /// Waits until the node must end by itself.
    pub async fn ended(&self) -> End {
        let mut halted = self.halted.clone();
        tokio::select! {
            escalation = self.running.ended() => End { code: ExitCode::Escalated, reason: format!("{}: {}", escalation.child, escalation.reason) },
            // The sender lives as long as the tree does.
            Ok(halt) = halted.wait_for(Option::is_some) => {
                let Halt { exit_code, reason } = halt.clone().unwrap_or(Halt { exit_code: EXIT_DISK_FAILED, reason: String::new() });
                End { code: halt_code(exit_code), reason }
            }
        }
    }

    /// What others may look at.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    /// What happens in the tree.
    pub fn events(&self) -> Events {
        self.running.events()
    }

    pub fn snapshots(&self) -> Snapshots {
        self.running.snapshots()
    }

    /// For ending and restarting actors.
    pub fn controls(&self) -> Controls {
        self.running.controls()
    }

    /// Arms a fault; refused unless `chaos.enabled`.
    pub fn inject(&self, fault: FaultInjection) -> Result<(), InjectError> {
        self.running.inject(fault)
    }

    /// Stops everybody in order, and writes the receipt beside the data.
    pub async fn stop(self, cause: &str) -> Receipt {
        let Self { name, home, running, lock, metrics, metrics_door, admin_door, closed, grace, .. } = self;
        let started = std::time::Instant::now();
        let report = tokio::time::timeout(grace, running.stop(cause)).await;
        let (actors, was_in_time) = match report {
            Ok(report) => {
                let stopped = |line: supervision::StopLine| StoppedActor { name: line.child, took_ms: line.took_ms, late: line.late };
                (report.children.into_iter().map(stopped).collect(), true)
            }
            Err(_) => (Vec::new(), false),
        };
        admin_door.stop().await;
        let closed = closed.lock().take();
        drop(lock);
        let lock_released = was_in_time && closed.is_some() && matches!(DirectoryLock::holder(home.root()), Ok(None));
        let leases_left = closed.map_or(0, |report| report.late.len());
        let took_ms = started.elapsed().as_millis() as u64;
        let receipt = Receipt { node: name, cause: cause.to_owned(), took_ms, actors, leases_left, lock_released };
        write_receipt(&home, &receipt);
        metrics_door.stop().await;
        metrics.shutdown().await;
        receipt
    }
}

fn write_receipt(home: &Home, receipt: &Receipt) {
    let path = home.shutdown_report_file();
    let text = serde_json::to_string_pretty(receipt).unwrap_or_default();
    if let Err(error) = std::fs::write(&path, text + "\n") {
        tracing::warn!(path = %path.display(), %error, "the report of the stop was not written");
    }
}

fn halt_code(exit_code: u8) -> ExitCode {
    match exit_code {
        EXIT_LOCK_HELD => ExitCode::LockHeld,
        EXIT_CONFIG => ExitCode::Config,
        _ => ExitCode::Disk,
    }
}

fn lock_failure(error: &LockError) -> Failure {
    if let LockError::Io { path, source } = error {
        return Failure::unwritten("locking the home", path, source);
    }
    let failure = Failure::new(ExitCode::LockHeld, "the home is in use").at(error.to_string());
    failure.remedy("stop that process first, or use another --home")
}

/// Remembers the first halt.
fn halter() -> (Halter, watch::Receiver<Option<Halt>>) {
    let (sender, receiver) = watch::channel(None);
    let halter = move |halt: Halt| {
        sender.send_if_modified(|first| {
            let is_first = first.is_none();
            if is_first {
                tracing::error!(reason = halt.reason, exit_code = halt.exit_code, "this node must end");
                *first = Some(halt.clone());
            }
            is_first
        });
    };
    (Arc::new(halter), receiver)
}
