//! Four complete nodes in this process, busy with transfers, watched from outside, and the means to break one actor of them.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use node::{
    boot::{Node, Seen},
    client::Client,
};
use primitives::{B256, Genesis, Height, PeerAddress};
use supervision::{ChildSnapshot, ChildState, FaultInjection, FaultKind, Strike};
use tempfile::TempDir;
use tests::{Commit, History, Observer, transfers};
use tokio::task::JoinHandle;

use crate::testnet::{CHAIN_ID, eventually, fragile, secs};

/// The validator whose actors crash.
pub const VICTIM: usize = 3;
/// Those whose doors crash meanwhile, which harms no chain.
pub const DOORMEN: [usize; 2] = [1, 2];
/// Whoever is asked for the truth.
pub const WITNESS: usize = 0;
/// Accounts whose transfers are the load; the others belong to the facts.
const LOAD_ACCOUNTS: usize = 8;
/// Transfers a second, and of how many seconds they are signed in advance.
const RATE: u64 = 100;
const LOAD_SECS: u64 = 60;
/// How long a fault may take to strike, and what it struck to serve again. Doors look at themselves every five seconds.
const CRASH_LIMIT: Duration = secs(20);
/// How long everybody may take for some heights more.
const GO_ON_LIMIT: Duration = secs(20);
const MORE: u64 = 3;

pub struct Fleet {
    pub nodes: Vec<Node>,
    pub clients: Vec<Client>,
    pub rpc: Vec<SocketAddr>,
    pub p2p: Vec<SocketAddr>,
    pub genesis: std::sync::Arc<Genesis>,
    pub observer: Observer,
    pub history: History,
    load: tests::Load,
    watcher: JoinHandle<()>,
    _directory: TempDir,
}

impl Fleet {
    /// A chain under load, and an observer who hears everybody.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let net = fragile(directory.path());
        let genesis = net.nodes[0].genesis.clone();
        let rpc: Vec<_> = net.nodes.iter().map(|launch| launch.config.rpc.listen).collect();
        let p2p: Vec<_> = net.nodes.iter().map(|launch| launch.config.p2p.listen).collect();
        let clients: Vec<_> = rpc.iter().map(|address| Client::new(&format!("http://{address}")).unwrap()).collect();
        let mut nodes = Vec::new();
        for launch in net.nodes {
            nodes.push(Node::start(launch).await.unwrap());
        }
        for node in &nodes {
            node.ready().await.unwrap();
        }
        let peer = |address: &SocketAddr| PeerAddress { node: None, host: "127.0.0.1".to_owned(), port: address.port() };
        let observer = Observer::start(genesis.domain(), p2p.iter().map(peer).collect(), 1).await.unwrap();
        observer.hears(nodes.len(), secs(20)).await.unwrap();
        let history = History::default();
        let watcher = tokio::spawn(watch(nodes.iter().map(|node| node.seen().clone()).collect(), history.clone()));
        let signed = tokio::task::spawn_blocking(|| transfers(CHAIN_ID, RATE * LOAD_SECS)).await.unwrap().unwrap();
        let signed = signed.into_iter().filter(|transfer| transfer.sender < LOAD_ACCOUNTS).collect();
        let load = tests::Load::run(clients.clone(), history.clone(), signed, RATE);
        let fleet = Self { nodes, clients, rpc, p2p, genesis, observer, history, load, watcher, _directory: directory };
        // Who starts late observes for ten heights before it signs.
        eventually("everybody signs", secs(30), async || (0..4).all(|node| 10 < fleet.last_signed(node)).then_some(())).await;
        fleet
    }

    pub fn seen(&self, node: usize) -> &Seen {
        self.nodes[node].seen()
    }

    pub fn tip(&self, node: usize) -> u64 {
        self.history.tip(node)
    }

    /// The height at which `node` was seen to sign last.
    pub fn last_signed(&self, node: usize) -> u64 {
        self.seen(node).consensus.seen().last_signed.map_or(0, |(height, ..)| height.0)
    }

    pub fn child(&self, node: usize, name: &str) -> ChildSnapshot {
        self.nodes[node].snapshots().take().child(name).cloned().unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// The next `message` of `actor` will panic.
    pub fn arm(&self, node: usize, actor: &str, message: &str) {
        self.inject(node, actor, FaultKind::Panic, message);
    }

    pub fn inject(&self, node: usize, actor: &str, kind: FaultKind, message: &str) {
        let fault = FaultInjection { child: actor.to_owned(), kind, on: Strike::Named(message.to_owned()) };
        self.nodes[node].inject(fault).unwrap();
    }

    /// Lets `actor` panic with the next `message` in hand, and waits until it serves again.
    pub async fn crash(&self, node: usize, actor: &str, message: &str) {
        let before = self.child(node, actor).restarts;
        self.arm(node, actor, message);
        self.is_back(node, actor, message, before + 1).await
    }

    /// Waits until `actor` has been restarted so often, because of `message`, and serves again.
    pub async fn is_back(&self, node: usize, actor: &str, message: &str, restarts: u64) {
        eventually(&format!("{actor} comes back from {message}"), CRASH_LIMIT, async || {
            let child = self.child(node, actor);
            (restarts <= child.restarts && child.state == ChildState::Running).then_some(())
        })
        .await;
        let exit = self.child(node, actor).last_exit.unwrap_or_default();
        assert!(exit.starts_with(&format!("panic in {message}")), "{actor}: {exit}");
    }

    /// Everybody commits some heights more, the victim among them, and signs them.
    pub async fn goes_on(&self, after: &str) {
        let highest = self.history.highest() + MORE;
        eventually(&format!("all commit height {highest} after {after}"), GO_ON_LIMIT, async || {
            let is_there = |node: usize| highest <= self.tip(node) && highest <= self.last_signed(node);
            (0..self.nodes.len()).all(is_there).then_some(())
        })
        .await;
    }

    /// Who is connected to `node`, and the numbers of their sessions.
    pub fn sessions(&self, node: usize) -> Vec<actors::p2p::SessionKey> {
        self.seen(node).peers.list().iter().map(actors::p2p::Peer::key).collect()
    }

    /// Waits until the load is final, and sees that nothing was lost, forked or contradicted. Then stops everybody.
    pub async fn end(self) {
        let Self { nodes, observer, history, load, watcher, .. } = self;
        let report = load.settle(secs(30)).await;
        assert!(report.acknowledged > 0 && report.lost.is_empty() && report.refused.is_empty(), "{report:?}");
        assert_eq!(report.finalised, report.submitted);
        assert_eq!(history.forks(), [""; 0]);
        assert!(observer.count() > 100);
        assert_eq!(observer.contradictions(), [""; 0]);
        observer.stop().await;
        watcher.abort();
        for node in nodes {
            assert!(node.seen().ledger.evidence(1).unwrap().is_empty());
            assert_eq!(node.snapshots().take().count(ChildState::Failed), 0, "{}", node.name);
            let receipt = node.stop("the test is over").await;
            assert!(receipt.lock_released && receipt.leases_left == 0, "{receipt:?}");
        }
    }
}

/// Notes what each ledger commits, as soon as it can be read.
async fn watch(nodes: Vec<Seen>, history: History) {
    loop {
        for (validator, seen) in nodes.iter().enumerate() {
            for height in history.tip(validator) + 1..=seen.ledger.tip().unwrap_or_default().0 {
                let Some((hash, transactions)) = block(seen, Height(height)) else { break };
                history.note(Commit { validator, height, hash, transactions, at: Instant::now() });
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn block(seen: &Seen, height: Height) -> Option<(B256, u64)> {
    let hash = seen.ledger.header(height).ok()??.hash_slow();
    Some((hash, seen.ledger.receipts(height).ok()??.len() as u64))
}
