//! Transfers at a steady rate, each followed until it is final.
//!
//! ```text
//!   sign all ... | submit to a validator -> acknowledged (it must never be lost from here on)
//!                | some validator commits the block that has it -> final
//! ```

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use node::client::{Client, ClientError};
use parking_lot::Mutex;
use primitives::B256;
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{
    history::{Commit, History},
    network::Network,
    statistics::{ms, quantile},
    transfer::{Transfer, transfers},
    wait::eventually,
};

/// Submissions without an answer at a time.
const MAX_IN_FLIGHT: usize = 512;
/// After a refused connection, before another validator is tried.
const RETRY_AFTER: Duration = Duration::from_millis(20);
/// After a validator said that it knows the transfer, before it is sent again.
const KNOWN_AFTER: Duration = Duration::from_millis(200);
/// How often the history is read for new blocks.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A load that runs.
pub struct Load {
    shared: Arc<Shared>,
    /// None once it was waited for.
    submitter: Option<JoinHandle<()>>,
    watcher: JoinHandle<()>,
    begun: Instant,
}

struct Shared {
    clients: Vec<Client>,
    history: History,
    sent: Mutex<HashMap<B256, Sent>>,
    refused: Mutex<Vec<String>>,
    is_over: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    submitted: Instant,
    is_acknowledged: bool,
    finalised: Option<Instant>,
}

/// What became of a load.
#[derive(Clone, Debug)]
pub struct LoadReport {
    pub submitted: usize,
    pub acknowledged: usize,
    pub finalised: usize,
    /// Acknowledged and not final in time.
    pub lost: Vec<B256>,
    /// Refusals with a reason, the first few.
    pub refused: Vec<String>,
    /// From the first submission to the last finality.
    pub took: Duration,
    latencies: Vec<Duration>,
}

impl Load {
    /// Signs `count` transfers of a fresh chain, then submits `rate` of them a second.
    pub async fn start(network: &Network, rate: u64, count: u64) -> Result<Self> {
        let chain_id = network.genesis.chain_id;
        let signed = tokio::task::spawn_blocking(move || transfers(chain_id, count)).await??;
        let clients = network.validators.iter().map(|validator| validator.client.clone()).collect();
        Ok(Self::run(clients, network.history.clone(), signed, rate))
    }

    /// Submits `signed` to the nodes behind `clients`, whose commits are in `history`.
    pub fn run(clients: Vec<Client>, history: History, signed: Vec<Transfer>, rate: u64) -> Self {
        let (sent, refused, is_over) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        let shared = Arc::new(Shared { clients, history, sent, refused, is_over });
        let submitter = Some(tokio::spawn(submit_all(shared.clone(), signed, rate)));
        let watcher = tokio::spawn(watch(shared.clone()));
        Self { shared, submitter, watcher, begun: Instant::now() }
    }

    /// How many are acknowledged and not final.
    pub fn pending(&self) -> usize {
        self.shared.sent.lock().values().filter(|sent| sent.is_acknowledged && sent.finalised.is_none()).count()
    }

    /// Those acknowledged so far.
    pub fn acknowledged(&self) -> HashSet<B256> {
        self.shared.sent.lock().iter().filter(|(_, sent)| sent.is_acknowledged).map(|(hash, _)| *hash).collect()
    }

    /// How many of `hashes` are not final.
    pub fn not_final(&self, hashes: &HashSet<B256>) -> usize {
        let sent = self.shared.sent.lock();
        hashes.iter().filter(|hash| sent.get(*hash).is_none_or(|sent| sent.finalised.is_none())).count()
    }

    /// Asks for the receipt of each that is acknowledged and not known to be final: whoever was killed may have committed it and
    /// not come to say so.
    pub async fn ask(&self) {
        for hash in self.acknowledged() {
            if self.not_final(&HashSet::from([hash])) > 0 {
                self.shared.ask(hash).await;
            }
        }
    }

    /// Waits until everything signed was submitted.
    pub async fn all_submitted(&mut self) -> Result<()> {
        if let Some(submitter) = self.submitter.take() {
            submitter.await?;
        }
        Ok(())
    }

    /// Begins no new submission, and waits until what was acknowledged is final, at most for `limit`.
    pub async fn settle(mut self, limit: Duration) -> LoadReport {
        self.shared.is_over.store(true, Relaxed);
        // Whoever has not submitted all by then, or panicked, shows in the count.
        let _ = tokio::time::timeout(limit, self.all_submitted()).await;
        // What is not final in time is reported as lost.
        let _ = eventually("all is final", limit, async || self.shared.sent.lock().values().all(is_settled).then_some(())).await;
        self.ask().await;
        self.watcher.abort();
        let sent = self.shared.sent.lock();
        let last = sent.values().filter_map(|sent| sent.finalised).max().unwrap_or(self.begun);
        LoadReport {
            submitted: sent.len(),
            acknowledged: sent.values().filter(|sent| sent.is_acknowledged).count(),
            finalised: sent.values().filter(|sent| sent.finalised.is_some()).count(),
            lost: sent.iter().filter(|(_, sent)| !is_settled(sent)).map(|(hash, _)| *hash).collect(),
            refused: self.shared.refused.lock().clone(),
            took: last.duration_since(self.begun),
            latencies: sent.values().filter_map(|sent| Some(sent.finalised?.saturating_duration_since(sent.submitted))).collect(),
        }
    }
}

impl LoadReport {
    /// Time from submission until the first validator has committed it, in milliseconds.
    pub fn latency_ms(&self, per_mille: usize) -> f64 {
        ms(quantile(&self.latencies, per_mille))
    }
}

fn is_settled(sent: &Sent) -> bool {
    sent.finalised.is_some() || !sent.is_acknowledged
}

async fn submit_all(shared: Arc<Shared>, signed: Vec<Transfer>, rate: u64) {
    let begun = Instant::now();
    let room = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    for (number, transfer) in signed.into_iter().enumerate() {
        let due = begun + Duration::from_secs_f64(number as f64 / rate.max(1) as f64);
        tokio::time::sleep_until(due.into()).await;
        let Ok(seat) = room.clone().acquire_owned().await else { return };
        if shared.is_over.load(Relaxed) {
            break;
        }
        let shared = shared.clone();
        tokio::spawn(async move {
            shared.submit(transfer).await;
            drop(seat);
        });
    }
    // All seats are free when nobody is under way any more.
    let _ = room.acquire_many(MAX_IN_FLIGHT as u32).await;
}

impl Shared {
    /// Tries one validator after the other until one of them has it.
    async fn submit(&self, transfer: Transfer) {
        let submitted = Instant::now();
        self.sent.lock().insert(transfer.hash, Sent { submitted, is_acknowledged: false, finalised: None });
        for attempt in 0.. {
            let client = &self.clients[(transfer.sender + attempt) % self.clients.len()];
            match client.call("eth_sendRawTransaction", json!([transfer.raw])).await {
                Ok(_) => return self.acknowledge(transfer.hash),
                Err(ClientError::Refused { message, .. }) if attempt > 0 && message.contains("nonce too low") => return,
                // An earlier attempt arrived somewhere, and nobody said that it is on disk: it may still be lost, and is sent until it is final.
                Err(ClientError::Refused { message, .. }) if attempt > 0 && message.contains("already known") => {
                    if self.is_final(transfer.hash) {
                        return;
                    }
                    tokio::time::sleep(KNOWN_AFTER).await
                }
                Err(ClientError::Refused { message, .. }) if !is_passing(&message) => return self.refuse(message),
                Err(_) => tokio::time::sleep(RETRY_AFTER).await,
            }
        }
    }

    fn acknowledge(&self, hash: B256) {
        if let Some(sent) = self.sent.lock().get_mut(&hash) {
            sent.is_acknowledged = true;
        }
    }

    /// Asks everybody once.
    async fn ask(&self, hash: B256) {
        for client in &self.clients {
            let receipt = client.call("eth_getTransactionReceipt", json!([hash])).await;
            if receipt.is_ok_and(|receipt| !receipt.is_null()) {
                return self.finalised(hash, Instant::now());
            }
        }
    }

    fn finalised(&self, hash: B256, at: Instant) {
        if let Some(sent) = self.sent.lock().get_mut(&hash) {
            sent.finalised.get_or_insert(at);
        }
    }

    fn is_final(&self, hash: B256) -> bool {
        self.sent.lock().get(&hash).is_some_and(|sent| sent.finalised.is_some())
    }

    fn refuse(&self, message: String) {
        let mut refused = self.refused.lock();
        if refused.len() < 5 {
            refused.push(message);
        }
    }

    async fn finalise(&self, commit: &Commit) {
        let parameters = json!([format!("{:#x}", commit.height), false]);
        // Whoever committed it may be gone; any other has it soon.
        for attempt in 0.. {
            let client = &self.clients[(commit.validator + attempt) % self.clients.len()];
            if let Ok(block) = client.call("eth_getBlockByNumber", parameters.clone()).await
                && let Some(transactions) = block["transactions"].as_array()
            {
                let hashes = transactions.iter().filter_map(|hash| hash.as_str()?.parse::<B256>().ok());
                return hashes.for_each(|hash| self.finalised(hash, commit.at));
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}

/// A node that restarts something says so and is asked again.
fn is_passing(message: &str) -> bool {
    ["restarting", "crashed", "deadline", "unavailable", "stopped", "time limit", "not answer", "is full"]
        .iter()
        .any(|word| message.to_lowercase().contains(word))
}

/// Reads each block with transactions once.
async fn watch(shared: Arc<Shared>) {
    let (mut next, mut known) = (0, HashSet::new());
    loop {
        for commit in shared.history.from(next) {
            next += 1;
            if known.insert(commit.height) && commit.transactions > 0 {
                shared.finalise(&commit).await;
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
