//! Validators that all live in this process, so that a fault which spreads would be seen.

use std::{
    sync::{Arc, Once},
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
use primitives::{B256, Height, PeerAddress};
use rand::{SeedableRng, rngs::StdRng};
use supervision::{ChildState, Snapshot};
use tokio::task::JoinHandle;

use super::{START_LIMIT, Settings, check_load};
use crate::{
    history::{Commit, History},
    load::Load,
    network::Homes,
    observer::Observer,
    report::Report,
    statistics::longest_gap,
    transfer::transfers,
    wait::eventually,
};

/// The validator whose actors fail.
pub(super) const VICTIM: usize = 1;
/// What `supervision` panics with when it is asked to.
const INJECTED: &str = "injected panic";
/// Between two looks at the ledgers.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Heights that everybody must add to have gone on.
const MORE: u64 = 5;
/// How long everybody may take to go on after a fault. A hung actor is found after its limit of 30 s at most.
const GO_ON_LIMIT: Duration = Duration::from_secs(90);
/// How long nothing is done to a network, to see what it does by itself.
const CALM: Duration = Duration::from_secs(2);
/// How long all that was acknowledged may take to be final.
const SETTLE_LIMIT: Duration = Duration::from_secs(90);

/// A network in this process, who watches it and what it carries.
pub(super) struct Group {
    homes: Homes,
    settings: Vec<String>,
    nodes: Vec<Option<Node>>,
    pub history: History,
    seen: Arc<Mutex<Vec<Seen>>>,
    watcher: JoinHandle<()>,
    observer: Observer,
    load: Option<Load>,
}

/// How long nobody committed anything.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gaps {
    /// The longest of all the others.
    pub others: Duration,
    pub victim: Duration,
}

impl Group {
    /// Starts everybody.
    pub async fn start(settings: &Settings) -> Result<Self> {
        hush();
        let homes = settings.plan().homes(&mut StdRng::seed_from_u64(settings.seed))?;
        let mut nodes = Vec::new();
        for index in 0..homes.members.len() {
            nodes.push(Some(launch(&homes, index, &settings.settings).await?));
        }
        let history = History::default();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::new(Mutex::new(nodes.iter().flatten().map(|node| node.seen().clone()).collect()));
        let watcher = tokio::spawn(watch(seen.clone(), history.clone()));
        let peers = homes.members.iter().map(|(_, _, ports)| peer(ports)).collect();
        let observer = Observer::start(homes.genesis.domain(), peers, settings.seed).await?;
        let group = Self { homes, settings: settings.settings.clone(), nodes, history, seen, watcher, observer, load: None };
        group.reach(1, START_LIMIT).await?;
        Ok(group)
    }

    /// Lets it carry `rate` transfers a second, for so long at most.
    pub async fn carry(&mut self, rate: u64, length: Duration) -> Result<()> {
        let (chain_id, count) = (self.homes.genesis.chain_id, rate * length.as_secs());
        let signed = tokio::task::spawn_blocking(move || transfers(chain_id, count)).await??;
        let clients = (0..self.nodes.len()).map(|index| self.client(index)).collect::<Result<_>>()?;
        self.load = Some(Load::run(clients, self.history.clone(), signed, rate));
        Ok(())
    }

    /// The longest times without a block while nothing is wrong.
    pub async fn calm(&self) -> Result<Gaps> {
        let from = Instant::now();
        tokio::time::sleep(CALM).await;
        self.goes_on().await?;
        Ok(self.gaps(from, Instant::now()))
    }

    pub fn victim(&self) -> Result<&Node> {
        self.nodes[VICTIM].as_ref().context("the victim runs")
    }

    pub fn snapshot(&self) -> Result<Snapshot> {
        Ok(self.victim()?.snapshots().take())
    }

    /// The static actors of a node.
    pub fn actors(&self) -> Result<Vec<String>> {
        let children = self.snapshot()?.children;
        Ok(children.into_iter().filter(|child| child.parent.is_none()).map(|child| child.name).collect())
    }

    /// How long a proposal is waited for in the first round: what a round takes at most when nothing but its proposer is away.
    pub fn propose_timeout(&self) -> Duration {
        self.homes.genesis.consensus.timeouts.propose
    }

    pub fn client(&self, index: usize) -> Result<Client> {
        let (_, _, ports) = &self.homes.members[index];
        Client::new(&format!("http://127.0.0.1:{}", ports.rpc)).map_err(|failure| anyhow::anyhow!("{failure}"))
    }

    /// Waits until everybody has added some heights and every actor of the victim runs.
    pub async fn goes_on(&self) -> Result<()> {
        self.reach(self.history.highest() + MORE, GO_ON_LIMIT).await?;
        let snapshots = self.victim()?.snapshots();
        let all_run =
            async || snapshots.take().children.iter().all(|child| child.parent.is_some() || child.state == ChildState::Running).then_some(());
        eventually("every actor of the victim runs", GO_ON_LIMIT, all_run).await.with_context(|| self.state())
    }

    async fn reach(&self, height: u64, limit: Duration) -> Result<()> {
        let lowest = || (0..self.nodes.len()).map(|index| self.history.tip(index)).min().unwrap_or_default();
        let reached = eventually(&format!("height {height} at everybody"), limit, async || (height <= lowest()).then_some(())).await;
        reached.with_context(|| {
            let tips: Vec<_> = (0..self.nodes.len()).map(|index| self.history.tip(index)).collect();
            format!("tips {tips:?}; {}", self.state())
        })
    }

    /// The actors of the victim, in words.
    fn state(&self) -> String {
        self.snapshot().map(|snapshot| snapshot.children.into_iter().map(state).collect::<Vec<_>>().join("; ")).unwrap_or_default()
    }

    /// The longest times without a block.
    pub fn gaps(&self, from: Instant, until: Instant) -> Gaps {
        let gap = |index: usize| longest_gap(&self.history.moments(index, from), from, until);
        let others = (0..self.nodes.len()).filter(|index| *index != VICTIM).map(gap).max().unwrap_or_default();
        Gaps { others, victim: gap(VICTIM) }
    }

    /// As a service manager does when the process has ended.
    pub async fn restart_victim(&mut self, cause: &str) -> Result<()> {
        if let Some(node) = self.nodes[VICTIM].take() {
            // What a stuck actor leaves behind is what the restart has to cope with.
            let _ = node.stop(cause).await;
        }
        let node = launch(&self.homes, VICTIM, &self.settings).await?;
        self.seen.lock()[VICTIM] = node.seen().clone();
        self.nodes[VICTIM] = Some(node);
        Ok(())
    }

    /// Waits until the load is final, holds everything against what must be, and stops everybody.
    pub async fn end(self, report: &mut Report) -> Result<()> {
        if let Some(load) = self.load {
            check_load(&load.settle(SETTLE_LIMIT).await, report);
        }
        self.history.forks().into_iter().for_each(|fork| report.fail(fork));
        self.observer.contradictions().into_iter().for_each(|contradiction| report.fail(contradiction));
        report.figure("votes and proposals held against each other", self.observer.count() as f64, "");
        self.observer.stop().await;
        self.watcher.abort();
        for node in self.nodes.into_iter().flatten() {
            let receipt = node.stop("the campaign is over").await;
            if !receipt.lock_released || receipt.leases_left > 0 {
                report.fail(format!("{}: {} leases left, lock released: {}", receipt.node, receipt.leases_left, receipt.lock_released));
            }
        }
        Ok(())
    }
}

/// Panics that were asked for are noted and not written; all others are written as usual.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            supervision::note_panic(info);
            if info.payload_as_str() != Some(INJECTED) {
                usual(info);
            }
        }));
    });
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

fn state(child: supervision::ChildSnapshot) -> String {
    let exit = child.last_exit.unwrap_or_default();
    let is_well = child.state == ChildState::Running && !child.slow;
    if is_well { child.name } else { format!("{} {:?} busy {} ms with {:?}, {exit}", child.name, child.state, child.busy_ms, child.busy_with) }
}

fn peer(ports: &Ports) -> PeerAddress {
    PeerAddress { node: None, host: "127.0.0.1".to_owned(), port: ports.p2p }
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
