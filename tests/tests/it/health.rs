//! Health that tells the truth: who asks a node whose consensus is dead, whose height is stale, whose pool hangs or whose storage is down
//! learns it from the first answer, and liveness stays green.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use node::{
    boot::Node,
    client::Client,
    config::Override,
    localnet::{Request, prepare},
    ports::PortOffset,
};
use primitives::Height;
use serde_json::Value;
use supervision::{ChildState, Event, EventKind, FaultInjection, FaultKind, Strike};

use crate::testnet::{eventually, secs};

const PACE: Duration = Duration::from_millis(50);
/// The pace and two rounds that fail at all their timeouts, as the node reckons for a development network.
const STALE_AFTER: Duration = Duration::from_millis(50 + 5_000 + 6_500);
/// How long a page about the node may take, whatever is stuck.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// What needs storage.
const DEPENDENTS: [&str; 5] = ["mempool", "proposals", "execution", "sync", "evidence"];
/// Crashes in a row, so that the pauses before the next start add up to more than half a second.
const CRASHES: usize = 4;

struct Asked {
    node: Node,
    api: Client,
    metrics: Client,
}

async fn start(validators: usize, directory: &Path) -> Vec<Asked> {
    let chaos = Override { path: "chaos.enabled".into(), value: "true".into(), flag: "--set chaos.enabled=true".into() };
    let net = prepare(&Request {
        directory: directory.join("net"),
        validators: Some(validators),
        block_interval: Some(PACE),
        empty_block_interval: Some(PACE),
        port_offset: Some(PortOffset::Any),
        fresh_start: false,
        environment: Vec::new(),
        flags: vec![chaos],
    })
    .unwrap();
    let mut nodes = Vec::new();
    for launch in net.nodes {
        let client = |address| Client::new(&format!("http://{address}")).unwrap();
        let (api, metrics) = (client(launch.config.rpc.listen), client(launch.config.metrics.listen));
        nodes.push(Asked { node: Node::start(launch).await.unwrap(), api, metrics });
    }
    for node in &nodes {
        node.node.ready().await.unwrap();
        eventually("a node that is ready", secs(30), async || (node.get("/readyz").await.0 == 200 && Height(5) < node.tip()).then_some(())).await;
    }
    nodes
}

impl Asked {
    fn tip(&self) -> Height {
        self.node.seen().ledger.tip().unwrap_or_default()
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let asked = Instant::now();
        let (status, body) = self.api.get(path).await.unwrap();
        assert!(asked.elapsed() < ANSWER_LIMIT + secs(1), "{path} took {:?}", asked.elapsed());
        (status.as_u16(), String::from_utf8_lossy(&body).into_owned())
    }

    fn inject(&self, child: &str, kind: FaultKind, on: Strike) {
        self.node.inject(FaultInjection { child: child.to_owned(), kind, on }).unwrap();
    }

    async fn gauge(&self, criterion: &str) -> Option<String> {
        let (_, text) = self.metrics.get("/metrics").await.unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = text.lines().find(|line| line.starts_with("node_ready_criterion{") && line.contains(&format!("\"{criterion}\"")))?;
        line.rsplit(' ').next().map(str::to_owned)
    }

    async fn is_alive(&self) {
        assert_eq!(self.get("/livez").await, (200, "ok\n".to_owned()));
    }
}

async fn stop(nodes: Vec<Asked>) {
    for node in nodes {
        let receipt = node.node.stop("the test is over").await;
        assert!(receipt.lock_released && receipt.leases_left == 0, "{receipt:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn health_tells_the_truth_within_one_probe_when_consensus_is_dead_or_the_height_is_stale_and_liveness_stays_green() {
    let directory = tempfile::tempdir().unwrap();
    let nodes = start(2, directory.path()).await;
    let [other, victim] = &nodes[..] else { panic!("two were asked for") };
    assert_eq!(other.gauge("consensus_running").await.as_deref(), Some("1"));

    victim.inject("consensus", FaultKind::Panic, Strike::Probability { per_mille: 1_000, seed: 1 });
    let is_dead =
        || victim.node.snapshots().take().child("consensus").is_some_and(|child| child.state == ChildState::Restarting && 300 < child.backoff_ms);
    eventually("dead consensus", secs(20), async || is_dead().then_some(())).await;
    let (status, ready) = victim.get("/readyz").await;
    assert!(status == 503 && ready.contains("[-] consensus_running: restarting\n"), "{ready}");
    assert!(ready.contains("[-] actors_running: ") && ready.contains("; consensus is restarting"), "{ready}");
    victim.is_alive().await;

    // Consensus of the other runs and waits: its own height tells.
    let (mut at, mut moved) = (other.tip(), Instant::now());
    let stale = loop {
        let (status, ready) = other.get("/readyz?verbose").await;
        if at < other.tip() {
            (at, moved) = (other.tip(), Instant::now());
        }
        let waited = moved.elapsed();
        assert!(waited < STALE_AFTER + secs(2), "{ready}");
        if ready.contains("[-] height_fresh") {
            assert_eq!(status, 503, "{ready}");
            break ready;
        }
        assert!(waited < STALE_AFTER + Duration::from_millis(500), "stale for {waited:?}: {ready}");
    };
    assert!(STALE_AFTER - secs(1) < moved.elapsed(), "{:?}: {stale}", moved.elapsed());
    assert!(stale.contains("[+] consensus_running: running") && stale.contains("stale after 11.6 s"), "{stale}");
    assert_eq!(other.gauge("height_fresh").await.as_deref(), Some("0"));
    let (status, health) = other.get("/health").await;
    assert!(status == 503 && health.contains("no block for"), "{health}");
    other.is_alive().await;
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn readiness_answers_in_time_while_an_actor_that_it_asks_hangs() {
    let directory = tempfile::tempdir().unwrap();
    let nodes = start(1, directory.path()).await;
    nodes[0].inject("mempool", FaultKind::Hang { ms: None }, Strike::NextMessage);
    let hangs = async || {
        let (status, ready) = nodes[0].get("/readyz?verbose").await;
        (status == 503 && ready.contains("[-] mempool_answers: ")).then_some(ready)
    };
    let ready = eventually("a pool that hangs", secs(10), hangs).await;
    assert!(ready.contains("[+] storage_open") && ready.contains("[+] listener_p2p"), "{ready}");
    nodes[0].is_alive().await;
    eventually("a pool that is back", secs(60), async || (nodes[0].get("/readyz").await.0 == 200).then_some(())).await;
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn while_storage_is_down_reads_are_answered_with_503_and_everybody_comes_back_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let nodes = start(1, directory.path()).await;
    let node = &nodes[0];
    let mut events = node.node.events().after(node.node.events().latest());
    for _ in 0..CRASHES {
        node.inject("storage", FaultKind::Panic, Strike::NextMessage);
    }
    let restarts = || node.node.snapshots().take().child("storage").map_or(0, |storage| storage.restarts) as usize;
    let (mut refused, mut not_ready) = (Vec::new(), Vec::new());
    while restarts() < CRASHES || node.get("/readyz").await.0 != 200 {
        let (status, page) = node.get("/v1/blocks/latest").await;
        assert!(status == 200 || status == 503, "{status}: {page}");
        if status == 503 {
            refused.push(serde_json::from_str::<Value>(&page).unwrap());
            not_ready.push(node.get("/readyz").await.1);
            node.is_alive().await;
        }
    }
    // At the moment of the crash itself the tree does not know of it yet.
    let names_it = |page: &Value| page["error"]["message"].as_str().is_some_and(|text| text.contains("storage is restarting; down: storage "));
    assert!(refused.iter().all(|page| page["error"]["code"] == "unavailable") && refused.iter().any(names_it), "{refused:?}");
    assert!(not_ready.iter().any(|ready| ready.contains("[-] storage_open: ")), "{not_ready:?}");
    let all: Vec<Event> = std::iter::from_fn(|| events.try_next()).collect();
    let quickest = in_order(&all);
    assert!(quickest <= 5, "dependents knew after {quickest} ms at best");
    stop(nodes).await;
}

/// Holds the events against the rules of *needs*; the shortest time in milliseconds from the first dependent that was told of an end of
/// storage to the last. They hear of it when it begins to end, which may be long before it has let go of the database.
fn in_order(events: &[Event]) -> u64 {
    let (mut is_up, mut quickest) = (true, u64::MAX);
    let mut up = BTreeSet::from(DEPENDENTS);
    let mut told: Vec<&Event> = Vec::new();
    for event in events {
        match (event.child.as_str(), &event.kind) {
            ("storage", EventKind::Exited { .. }) => is_up = false,
            ("storage", EventKind::Starting) => {
                assert!(up.is_empty(), "{up:?} were not told: {events:?}");
                if let (Some(first), Some(last)) = (told.first(), told.last()) {
                    quickest = quickest.min(last.at_ms - first.at_ms);
                }
                told.clear();
            }
            ("storage", EventKind::Ready) => is_up = true,
            (name, kind) if is_down(kind) && up.remove(name) => told.push(event),
            (name, EventKind::Ready | EventKind::Resumed) if DEPENDENTS.contains(&name) => {
                assert!(is_up, "{name} came back before storage: {events:?}");
                up.extend(DEPENDENTS.iter().find(|dependent| **dependent == name));
            }
            _ => {}
        }
    }
    assert_eq!(up.len(), DEPENDENTS.len(), "not everybody came back: {events:?}");
    quickest
}

fn is_down(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Suspended { .. } | EventKind::Leaving | EventKind::Exited { .. })
}
