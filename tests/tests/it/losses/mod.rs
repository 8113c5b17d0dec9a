//! What each actor loses in a crash and where it comes back from: each line of the tables in `actors/src/*/mod.rs`, under load.
//!
//! One network for all facts. The actors of one validator crash one after the other, with the message in hand that matters
//! most to them; nobody else may notice, and that validator must go on as if nothing had been.

mod fleet;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use node::{
    client::{Client, ClientError},
    network::Member,
};
use primitives::{B256, Height};
use serde_json::json;
use supervision::{ChildState, FaultKind};

use self::fleet::{DOORMEN, Fleet, VICTIM, WITNESS};
use crate::testnet::{Socket, Transfer, eventually, secs};

/// An account that the load leaves alone.
const PAYER: u32 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn what_a_crash_loses_comes_back_from_where_the_table_of_each_actor_says() {
    let fleet = Fleet::start().await;
    let started = Instant::now();
    let facts = async {
        told("mempool", mempool(&fleet)).await;
        told("proposals", proposals(&fleet)).await;
        told("execution", execution(&fleet)).await;
        told("sessions", sessions(&fleet)).await;
        told("gossip", gossip(&fleet)).await;
        told("consensus", consensus(&fleet)).await;
        told("signer", signer(&fleet)).await;
        told("sync", sync(&fleet)).await;
        told("storage", storage(&fleet)).await;
    };
    tokio::join!(facts, told("api", api(&fleet)), told("listener", listener(&fleet)));
    println!("all facts: {:?}", started.elapsed());
    fleet.end().await;
}

async fn told(what: &str, fact: impl Future<Output = ()>) {
    let started = Instant::now();
    fact.await;
    println!("{what}: {:?}", started.elapsed());
}

/// Asks a node for one transaction again and again, and remembers whether it ever said that there is none.
struct Asker {
    is_unknown: Arc<AtomicBool>,
    asking: tokio::task::JoinHandle<()>,
}

impl Asker {
    fn of(client: Client, hash: B256) -> Self {
        let is_unknown = Arc::<AtomicBool>::default();
        let noted = is_unknown.clone();
        let asking = tokio::spawn(async move {
            loop {
                let answer = client.call("eth_getTransactionByHash", json!([hash])).await;
                noted.fetch_or(answer.is_ok_and(|found| found.is_null()), Relaxed);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        Self { is_unknown, asking }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

async fn submit(fleet: &Fleet, node: usize, nonce: u64) -> Result<B256, ClientError> {
    let (hash, raw) = Transfer::new(PAYER, nonce).sign();
    fleet.clients[node].call("eth_sendRawTransaction", json!([raw])).await.map(|_| hash)
}

/// What was acknowledged is read back from storage; who was not answered is told so, and may send again.
async fn mempool(fleet: &Fleet) {
    // It waits for the one before it, so it is in the pool all the time.
    let waiting = submit(fleet, VICTIM, 1).await.unwrap();
    let asker = Asker::of(fleet.clients[VICTIM].clone(), waiting);
    for message in ["Submit", "Written", "Best", "Committed"] {
        fleet.crash(VICTIM, "mempool", message).await;
        let counted = fleet.clients[VICTIM].call("eth_getTransactionByHash", json!([waiting])).await.unwrap();
        assert!(counted["blockHash"].is_null() && !counted.is_null(), "after {message}: {counted}");
    }
    fleet.arm(VICTIM, "mempool", "Submit");
    let refused = eventually("a submission meets the crash", secs(10), async || submit(fleet, VICTIM, 0).await.err()).await;
    assert!(refused.to_string().contains("crashed"), "{refused}");
    eventually("the same is taken", secs(10), async || submit(fleet, VICTIM, 0).await.ok()).await;
    eventually("it is final", secs(10), async || {
        let receipt = fleet.clients[WITNESS].call("eth_getTransactionReceipt", json!([waiting])).await.ok()?;
        (!receipt.is_null()).then_some(())
    })
    .await;
    assert!(!asker.is_unknown.load(Relaxed), "an acknowledged transaction was said to be unknown");
    fleet.goes_on("mempool").await;
}

/// Blocks on their way are asked for again, and those of our own are handed out again: nobody has to go to another round.
async fn proposals(fleet: &Fleet) {
    for message in ["Accept", "Start", "Part", "Keep", "Stream"] {
        let from = fleet.tip(VICTIM);
        fleet.crash(VICTIM, "proposals", message).await;
        fleet.goes_on(message).await;
        let rounds = rounds(fleet, from);
        assert_eq!(rounds, vec![0; rounds.len()], "after {message}");
    }
}

/// In which rounds the blocks above `from` were decided.
fn rounds(fleet: &Fleet, from: u64) -> Vec<u32> {
    let ledger = &fleet.seen(WITNESS).ledger;
    (from + 1..=fleet.tip(WITNESS)).map(|height| ledger.certificate(Height(height)).unwrap().unwrap().round.0).collect()
}

/// Overlays are executed again, and to the same state roots; a block in the making is made again within its round.
async fn execution(fleet: &Fleet) {
    for message in ["Commit", "Judge", "Build"] {
        let from = fleet.tip(VICTIM);
        fleet.crash(VICTIM, "execution", message).await;
        fleet.goes_on(message).await;
        let (ours, theirs) = (&fleet.seen(VICTIM).ledger, &fleet.seen(WITNESS).ledger);
        for height in (from + 1..=fleet.tip(VICTIM).min(fleet.tip(WITNESS))).map(Height) {
            let root = |ledger: &actors::ledger::Ledger| ledger.header(height).unwrap().unwrap().state_root;
            assert_eq!(root(ours), root(theirs), "height {height}");
        }
        let rounds = rounds(fleet, from);
        assert_eq!(rounds, vec![0; rounds.len()], "after {message}");
    }
}

/// The link of a session is dialled again; everybody else's stay.
async fn sessions(fleet: &Fleet) {
    fleet.crash(VICTIM, "p2p.dialer", "Tick").await;
    let before = fleet.sessions(VICTIM);
    fleet.crash(VICTIM, "p2p.dialer", "Tick").await;
    assert_eq!(fleet.sessions(VICTIM), before, "sessions outlive the dialer");
    let lost = before[0];
    fleet.arm(VICTIM, &format!("p2p.gossip.session/{lost}"), "Tick");
    eventually("a new session with the same peer", secs(10), async || {
        fleet.sessions(VICTIM).iter().any(|key| key.node == lost.node && lost.number < key.number).then_some(())
    })
    .await;
    assert!(before[1..].iter().all(|key| fleet.sessions(VICTIM).contains(key)), "{before:?}");
    fleet.goes_on("session").await;
}

/// All links at once, while one more opens.
async fn gossip(fleet: &Fleet) {
    let before = fleet.sessions(VICTIM);
    let restarts = fleet.child(VICTIM, "p2p.gossip").restarts;
    fleet.arm(VICTIM, "p2p.gossip", "Open");
    fleet.arm(VICTIM, &format!("p2p.gossip.session/{}", before[0]), "Tick");
    fleet.is_back(VICTIM, "p2p.gossip", "Open", restarts + 1).await;
    eventually("new sessions with all", secs(10), async || {
        let now = fleet.sessions(VICTIM);
        before.iter().all(|old| now.iter().any(|new| new.node == old.node && old.number < new.number)).then_some(())
    })
    .await;
    fleet.goes_on("gossip").await;
}

/// Nothing of it is needed: the journal is fed to the next life, and the observer hears no second word.
async fn consensus(fleet: &Fleet) {
    for message in ["proposal", "precommit", "Released", "Committed", "JournalOpened"] {
        fleet.crash(VICTIM, "consensus", message).await;
        fleet.goes_on(message).await;
    }
}

/// What was appended and did not leave is derived again by a fresh consensus.
async fn signer(fleet: &Fleet) {
    for message in ["Release", "Open", "Release"] {
        let consensus = fleet.child(VICTIM, "consensus").incarnation;
        fleet.crash(VICTIM, "signer", message).await;
        eventually("consensus comes after it", secs(10), async || {
            let child = fleet.child(VICTIM, "consensus");
            (consensus < child.incarnation && child.state == ChildState::Running).then_some(())
        })
        .await;
        fleet.goes_on(message).await;
    }
}

/// A validator that fell behind fetches what it lacks, though the requests under way are lost again and again.
async fn sync(fleet: &Fleet) {
    let restarts = fleet.child(VICTIM, "sync").restarts;
    for _ in 0..3 {
        fleet.arm(VICTIM, "sync", "Chunk");
    }
    fleet.inject(VICTIM, "consensus", FaultKind::Delay { ms: 2_000 }, "prevote");
    fleet.is_back(VICTIM, "sync", "Chunk", restarts + 3).await;
    fleet.goes_on("sync").await;
}

/// Reads fail while the database is closed and never show something older; the batch in hand is written whole or not at all.
async fn storage(fleet: &Fleet) {
    let (ledger, is_over) = (fleet.seen(VICTIM).ledger.clone(), Arc::<AtomicBool>::default());
    let over = is_over.clone();
    let reader = tokio::task::spawn_blocking(move || {
        let (mut tip, mut closed) = (Height(0), 0);
        while !over.load(Relaxed) {
            match ledger.tip() {
                Ok(now) => {
                    assert!(tip <= now, "the ledger rolled back from {tip} to {now}");
                    tip = now;
                }
                Err(error) => {
                    assert!(error.to_string().contains("closed"), "{error}");
                    closed += 1;
                }
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        closed
    });
    let from = fleet.tip(VICTIM);
    let needing = ["mempool", "proposals", "execution", "sync", "evidence"];
    for _ in 0..2 {
        let lives = needing.map(|name| fleet.child(VICTIM, name).incarnation);
        fleet.crash(VICTIM, "storage", "Commit").await;
        fleet.goes_on("storage").await;
        for (name, life) in needing.iter().zip(lives) {
            eventually(&format!("{name} starts on what was opened"), secs(10), async || {
                let child = fleet.child(VICTIM, name);
                (life < child.incarnation && child.state == ChildState::Running).then_some(())
            })
            .await;
        }
    }
    is_over.store(true, Relaxed);
    assert!(reader.await.unwrap() > 0, "reads went on while the database was closed");
    let ledger = &fleet.seen(VICTIM).ledger;
    for height in (from..=fleet.tip(VICTIM)).map(Height) {
        let is_whole =
            ledger.body(height).unwrap().is_some() && ledger.certificate(height).unwrap().is_some() && ledger.receipts(height).unwrap().is_some();
        assert!(is_whole, "height {height}");
    }
}

/// Open connections end, and what they were for is gone and says so; the port stays.
async fn api(fleet: &Fleet) {
    let node = DOORMEN[0];
    let port = fleet.rpc[node].port();
    let mut socket = Socket::open(port).await;
    let heads = socket.subscribe(json!(["newHeads"])).await;
    socket.told(&heads).await;
    let filter = fleet.clients[node].call("eth_newBlockFilter", json!([])).await.unwrap();
    fleet.crash(node, "api", "Look").await;
    socket.ended().await;
    let mut socket = Socket::open(port).await;
    let heads = socket.subscribe(json!(["newHeads"])).await;
    socket.told(&heads).await;
    let gone = fleet.clients[node].call("eth_getFilterChanges", json!([filter])).await.unwrap_err();
    assert!(gone.to_string().contains("filter not found"), "{gone}");
}

/// Handshakes under way, at most; the port and all sessions stay.
async fn listener(fleet: &Fleet) {
    let node = DOORMEN[1];
    let link = || fleet.sessions(node).into_iter().find(|key| key.node == Member::development(WITNESS).node_id());
    let before = link();
    fleet.crash(node, "p2p.listener", "Probe").await;
    assert_eq!((link(), before.is_some()), (before, true), "sessions outlive the listener");
    let peer = primitives::PeerAddress { node: None, host: "127.0.0.1".to_owned(), port: fleet.p2p[node].port() };
    let newcomer = tests::Observer::start(fleet.genesis.domain(), vec![peer], 2).await.unwrap();
    newcomer.hears(1, secs(10)).await.unwrap();
    newcomer.stop().await;
}
