//! Faults in every actor of one validator in turn: the other three and the process go on, and so does that validator.
//!
//! All validators live in this process, so that a fault which spreads would be seen.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use node::{
    boot::{Node, Seen},
    client::Client,
    config::Override,
    launch,
    ports::Ports,
};
use parking_lot::Mutex;
use primitives::{B256, Height};
use rand::{SeedableRng, rngs::StdRng};
use supervision::{ChildState, FaultInjection, FaultKind, Snapshot, Strike};
use tokio::task::JoinHandle;

use super::{SETTLE_LIMIT, START_LIMIT, Settings, check_load};
use crate::{
    history::{Commit, History},
    load::Load,
    network::Homes,
    observer::Observer,
    report::Report,
    statistics::{longest_gap, ms},
    transfer::transfers,
    wait::eventually,
};

/// The validator whose actors fail.
const VICTIM: usize = 1;
/// Between two looks at the ledgers.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Between two questions to the RPC of the victim.
const ASK_EVERY: Duration = Duration::from_millis(5);
/// How long faults may show their effect, at least.
const WATCHED: Duration = Duration::from_millis(1_500);
/// A fault that strikes nobody within this is reported as such.
const STRIKE_LIMIT: Duration = Duration::from_secs(10);
/// How long everybody may take to go on after a fault. A hung actor is found after its limit of 30 s at most.
const GO_ON_LIMIT: Duration = Duration::from_secs(90);
/// Heights that everybody must add after each fault.
const MORE: u64 = 5;

/// What is special to this campaign.
#[derive(Clone, Debug)]
pub struct Panics {
    pub rounds: u32,
    /// Transfers a second.
    pub rate: u64,
    /// Which faults, of `panic`, `error`, `hang`.
    pub kinds: Vec<String>,
    /// Which actors; all when empty.
    pub actors: Vec<String>,
}

struct Group {
    homes: Homes,
    settings: Vec<String>,
    nodes: Vec<Option<Node>>,
    history: History,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A user of RPC who asks again and again, and when there was an answer.
struct Answers {
    moments: Arc<Mutex<Vec<Instant>>>,
    asking: JoinHandle<()>,
}

impl Answers {
    fn watch(client: Client) -> Self {
        let moments = Arc::new(Mutex::new(Vec::new()));
        let noted = moments.clone();
        let asking = tokio::spawn(async move {
            loop {
                if client.height().await.is_ok() {
                    noted.lock().push(Instant::now());
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        });
        Self { moments, asking }
    }

    fn moments(&self) -> Vec<Instant> {
        self.moments.lock().clone()
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

/// Injects each fault into each actor in turn.
pub async fn panics(settings: &Settings, options: &Panics) -> Result<Report> {
    let mut report = Report::of("panics");
    std::panic::set_hook(Box::new(supervision::note_panic));
    let homes = settings.plan().homes(&mut StdRng::seed_from_u64(settings.seed))?;
    let domain = homes.genesis.domain();
    let mut group = Group::start(homes, settings.settings.clone()).await?;
    let watcher = tokio::spawn(watch(group.seen.clone(), group.history.clone()));
    let observer = Observer::start(domain, group.ports().map(|ports| peer(&ports)).collect(), settings.seed).await?;
    group.reach(1, START_LIMIT).await?;
    let load = group.load(options.rate, options.rate * 60 * u64::from(options.rounds.max(1)) * 4).await?;
    let actors = if options.actors.is_empty() { group.actors()? } else { options.actors.clone() };
    for round in 0..options.rounds {
        for (actor, kind) in actors.iter().flat_map(|actor| options.kinds.iter().map(move |kind| (actor, kind))) {
            let what = if options.rounds > 1 { format!("{actor}, {kind}, round {}", round + 1) } else { format!("{actor}, {kind}") };
            if let Err(error) = group.strike(actor, kind, &what, &mut report).await {
                report.fail(format!("{what}: {error:#}"));
            }
        }
    }
    let load = load.settle(SETTLE_LIMIT).await;
    check_load(&load, &mut report);
    group.history.forks().into_iter().for_each(|fork| report.fail(fork));
    observer.contradictions().into_iter().for_each(|contradiction| report.fail(contradiction));
    report.figure("votes and proposals held against each other", observer.count() as f64, "");
    observer.stop().await;
    watcher.abort();
    for node in group.nodes.into_iter().flatten() {
        let receipt = node.stop("the campaign is over").await;
        if !receipt.lock_released || receipt.leases_left > 0 {
            report.fail(format!("{}: {} leases left, lock released: {}", receipt.node, receipt.leases_left, receipt.lock_released));
        }
    }
    Ok(report)
}

impl Group {
    async fn start(homes: Homes, settings: Vec<String>) -> Result<Self> {
        let mut nodes = Vec::new();
        for index in 0..homes.members.len() {
            nodes.push(Some(launch(&homes, index, &settings).await?));
        }
        let seen = nodes.iter().flatten().map(|node| node.seen().clone()).collect();
        Ok(Self { homes, settings, nodes, history: History::default(), seen: Arc::new(Mutex::new(seen)) })
    }

    fn ports(&self) -> impl Iterator<Item = Ports> {
        self.homes.members.iter().map(|(_, _, ports)| *ports)
    }

    fn snapshot(&self) -> Result<Snapshot> {
        Ok(self.victim()?.snapshots().take())
    }

    fn victim(&self) -> Result<&Node> {
        self.nodes[VICTIM].as_ref().context("the victim runs")
    }

    fn actors(&self) -> Result<Vec<String>> {
        let children = self.snapshot()?.children;
        Ok(children.into_iter().filter(|child| child.parent.is_none()).map(|child| child.name).collect())
    }

    fn client(&self, index: usize) -> Result<Client> {
        let (_, _, ports) = &self.homes.members[index];
        Client::new(&format!("http://127.0.0.1:{}", ports.rpc)).map_err(|failure| anyhow::anyhow!("{failure}"))
    }

    async fn load(&self, rate: u64, count: u64) -> Result<Load> {
        let chain_id = self.homes.genesis.chain_id;
        let signed = tokio::task::spawn_blocking(move || transfers(chain_id, count)).await??;
        let clients = (0..self.nodes.len()).map(|index| self.client(index)).collect::<Result<_>>()?;
        Ok(Load::run(clients, self.history.clone(), signed, rate))
    }

    async fn reach(&self, height: u64, limit: Duration) -> Result<()> {
        let lowest = || (0..self.nodes.len()).map(|index| self.history.tip(index)).min().unwrap_or_default();
        let reached = eventually(&format!("height {height} at everybody"), limit, async || (height <= lowest()).then_some(())).await;
        reached.with_context(|| {
            let tips: Vec<_> = (0..self.nodes.len()).map(|index| self.history.tip(index)).collect();
            let states = self.snapshot().map(|snapshot| snapshot.children.into_iter().map(state).collect::<Vec<_>>().join("; "));
            format!("tips {tips:?}; {}", states.unwrap_or_default())
        })
    }

    /// Injects one fault, and waits until everybody goes on.
    async fn strike(&mut self, actor: &str, kind: &str, what: &str, report: &mut Report) -> Result<()> {
        let before = restarts(&self.snapshot()?, actor);
        let from = Instant::now();
        let fault = FaultInjection { child: actor.to_owned(), kind: fault(kind)?, on: Strike::NextMessage };
        self.victim()?.inject(fault).context("inject")?;
        let answers = Answers::watch(self.client(VICTIM)?);
        let ended = tokio::select! {
            struck = eventually("the fault struck", STRIKE_LIMIT.max(hang_limit(&self.snapshot()?, actor, kind)), async || {
                (restarts(&self.snapshot().ok()?, actor) > before).then_some(())
            }) => struck.map(|()| None),
            end = self.victim()?.ended() => Ok(Some(end)),
        };
        let is_struck = ended.is_ok();
        if let Ok(Some(end)) = ended {
            report.note(format!("{what}: the validator ended ({}) and was started again", end.reason));
            self.restart_victim(&end.reason).await?;
        }
        tokio::time::sleep(WATCHED).await;
        self.reach(self.history.highest() + MORE, GO_ON_LIMIT).await?;
        let until = Instant::now();
        let gap = |index: usize| longest_gap(&self.history.moments(index, from), from, until);
        let others = (0..self.nodes.len()).filter(|index| *index != VICTIM).map(gap).max().unwrap_or_default();
        report.figure(format!("{what}: gap at the others"), ms(others), "ms");
        report.figure(format!("{what}: gap at itself"), ms(gap(VICTIM)), "ms");
        report.figure(format!("{what}: gap in its RPC answers"), ms(longest_gap(&answers.moments(), from, until)), "ms");
        report.figure(format!("{what}: restarts"), restarts(&self.snapshot()?, actor).saturating_sub(before) as f64, "");
        if !is_struck {
            report.note(format!("{what}: no message came, so nothing was struck"));
        }
        Ok(())
    }

    /// As a service manager does.
    async fn restart_victim(&mut self, cause: &str) -> Result<()> {
        if let Some(node) = self.nodes[VICTIM].take() {
            // What a stuck actor leaves behind is what the restart has to cope with.
            let _ = node.stop(cause).await;
        }
        let node = launch(&self.homes, VICTIM, &self.settings).await?;
        self.seen.lock()[VICTIM] = node.seen().clone();
        self.nodes[VICTIM] = Some(node);
        Ok(())
    }
}

async fn launch(homes: &Homes, index: usize, settings: &[String]) -> Result<Node> {
    let pairs = settings.iter().filter_map(|setting| setting.split_once('='));
    let flags = pairs.chain([("chaos.enabled", "true")]);
    let flags = flags.map(|(path, value)| Override { path: path.into(), value: value.into(), flag: "--set".into() }).collect();
    let request = launch::Request {
        home: homes.members[index].0.root().to_owned(),
        development: None,
        genesis_file: None,
        port_offset: None,
        environment: Vec::new(),
        flags,
    };
    let failure = |failure: node::exit::Failure| anyhow::anyhow!("{failure}");
    Node::start(launch::prepare(&request).map_err(failure)?).await.map_err(failure)
}

fn fault(kind: &str) -> Result<FaultKind> {
    match kind {
        "panic" => Ok(FaultKind::Panic),
        "error" => Ok(FaultKind::Error),
        "hang" => Ok(FaultKind::Hang { ms: None }),
        other => anyhow::bail!("unknown fault {other}; known are panic, error, hang"),
    }
}

fn restarts(snapshot: &Snapshot, actor: &str) -> u64 {
    snapshot.children.iter().find(|child| child.name == actor).map_or(0, |child| child.restarts)
}

fn hang_limit(snapshot: &Snapshot, actor: &str, kind: &str) -> Duration {
    let limit = snapshot.children.iter().find(|child| child.name == actor).map_or(0, |child| child.hang_limit_ms);
    if kind == "hang" { Duration::from_millis(limit) + STRIKE_LIMIT } else { Duration::ZERO }
}

fn state(child: supervision::ChildSnapshot) -> String {
    let exit = child.last_exit.unwrap_or_default();
    let is_well = child.state == ChildState::Running && !child.slow;
    if is_well { child.name } else { format!("{} {:?} busy {} ms with {:?}, {exit}", child.name, child.state, child.busy_ms, child.busy_with) }
}

fn peer(ports: &Ports) -> primitives::PeerAddress {
    primitives::PeerAddress { node: None, host: "127.0.0.1".to_owned(), port: ports.p2p }
}

/// Notes what each ledger commits, as soon as it can be read.
async fn watch(seen: Arc<Mutex<Vec<Seen>>>, history: History) {
    loop {
        let now: Vec<_> = seen.lock().clone();
        for (validator, seen) in now.iter().enumerate() {
            let tip = seen.ledger.tip().unwrap_or_default().0;
            for height in history.tip(validator) + 1..=tip {
                if let Some((hash, transactions)) = block(seen, Height(height)) {
                    history.note(Commit { validator, height, hash, transactions, at: Instant::now() });
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn block(seen: &Seen, height: Height) -> Option<(B256, u64)> {
    let header = seen.ledger.header(height).ok()??;
    let transactions = seen.ledger.receipts(height).ok()??.len() as u64;
    Some((header.hash_slow(), transactions))
}
