//! What must hold for the node to be ready.
//!
//! Most of it is seen in atomics at the moment of the question, so it holds while every actor is stuck. What has to be asked (listeners,
//! the pool) is asked all at once, each within a limit of its own, and the rest does not wait for it longer than that.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use api::{Criterion, Signing};
use opentelemetry::{KeyValue, metrics::Meter};
use parking_lot::Mutex;
use supervision::ChildState;
use tokio::{net::TcpStream, time::timeout};

use super::{Sources, health, health::SYNCED_WITHIN, pace::stale_after, word_of};

/// A listener of ours that does not answer within this long is not reachable.
const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// How long the pool may take to say that it is there. Less than the API waits for all criteria together.
const MEMPOOL_LIMIT: Duration = Duration::from_secs(1);
/// A clock this far off makes a node unfit, in milliseconds.
const SKEW_UNFIT_MS: i64 = 5_000;

/// What was asked last, for the metrics. Clones remember the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Readiness(Arc<Mutex<Vec<Criterion>>>);

impl Readiness {
    /// Every criterion, asked and seen now.
    pub async fn criteria(&self, sources: &Sources) -> Vec<Criterion> {
        let asked = asked(sources).await;
        self.0.lock().clone_from(&asked);
        asked.into_iter().chain(seen(sources)).collect()
    }

    /// Each criterion as a gauge of 0 or 1: what can be seen as it is when metrics are read, what must be asked as it was last.
    pub fn observe(&self, meter: &Meter, sources: &Sources) {
        let (asked, sources) = (self.0.clone(), sources.clone());
        meter
            .u64_observable_gauge("node_ready_criterion")
            .with_description("1 while this condition of readiness holds, as /readyz lists it")
            .with_callback(move |observer| {
                let asked = asked.lock().clone();
                for criterion in asked.into_iter().chain(seen(&sources)) {
                    observer.observe(criterion.holds.into(), &[KeyValue::new("criterion", criterion.name)]);
                }
            })
            .build();
    }
}

async fn asked(sources: &Sources) -> Vec<Criterion> {
    let listeners = sources.listeners.iter().map(|(name, address)| reachable(name, *address));
    let (mut criteria, mempool) = tokio::join!(futures_util::future::join_all(listeners), mempool(sources));
    criteria.push(mempool);
    criteria
}

async fn reachable(name: &str, address: SocketAddr) -> Criterion {
    let (holds, detail) = match timeout(CONNECT_LIMIT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => (true, format!("{address} answers")),
        Ok(Err(error)) => (false, format!("{address}: {error}")),
        Err(_) => (false, format!("{address}: no answer within {CONNECT_LIMIT:?}")),
    };
    Criterion { name: format!("listener_{name}"), holds, detail }
}

/// Not asked while it does not run: what waits in its mailbox would only make the answer late.
async fn mempool(sources: &Sources) -> Criterion {
    let state = health::actors(sources).child("mempool").map(|child| child.state);
    if let Some(state) = state.filter(|state| *state != ChildState::Running) {
        return criterion("mempool_answers", false, word_of(state));
    }
    match timeout(MEMPOOL_LIMIT, sources.mempool.counts()).await {
        Ok(Ok(counts)) => criterion("mempool_answers", true, format!("{} pending, {} queued", counts.pending, counts.queued)),
        Ok(Err(error)) => criterion("mempool_answers", false, error.to_string()),
        Err(_) => criterion("mempool_answers", false, format!("no answer within {MEMPOOL_LIMIT:?}")),
    }
}

fn criterion(name: &str, holds: bool, detail: String) -> Criterion {
    Criterion { name: name.to_owned(), holds, detail }
}

/// The criteria that need nobody's answer.
fn seen(sources: &Sources) -> Vec<Criterion> {
    let tip = sources.ledger.tip();
    let behind = sources.sync.behind(tip.clone().unwrap_or_default());
    let skew = sources.peers.clock_offset_ms().unwrap_or_default();
    let consensus = sources.consensus.seen();
    let has_quorum = consensus.power_needed <= consensus.power_online;
    let signs = matches!(consensus.signing, Signing::Enabled | Signing::None);
    let free = health::free_bytes(&sources.data_directory);
    let full = health::full_disk(&sources.room.waiting(), free);
    let has_room = criterion("disk_has_room", full.is_none(), full.unwrap_or_else(|| format!("{free} bytes are free")));
    let mut criteria =
        vec![criterion("storage_open", tip.is_ok(), tip.as_ref().map_or_else(ToString::to_string, |tip| format!("height {tip}"))), has_room];
    criteria.extend(running(&health::actors(sources)));
    criteria.extend([
        height(sources),
        criterion("synced", behind < SYNCED_WITHIN, format!("{behind} heights behind the best peer")),
        criterion("quorum_online", has_quorum, format!("power {} of {} needed", consensus.power_online, consensus.power_needed)),
        criterion("signing", signs, format!("{} {}", health::word(consensus.signing), consensus.why).trim().to_owned()),
        criterion("clock", skew.abs() < SKEW_UNFIT_MS, format!("{skew} ms from the peers' median")),
    ]);
    criteria
}

/// Consensus by itself, because a node whose consensus is dead must not look alive, and everybody that no other owns.
fn running(snapshot: &supervision::Snapshot) -> [Criterion; 2] {
    let consensus = snapshot.child("consensus");
    let consensus_runs = consensus.is_some_and(|child| child.state == ChildState::Running && !child.slow);
    let detail = consensus.map_or_else(
        || "not started".to_owned(),
        |child| match &child.busy_with {
            Some(message) if child.slow => format!("{}, {} ms in {message}", word_of(child.state), child.busy_ms),
            _ => word_of(child.state),
        },
    );
    let owners: Vec<_> = snapshot.children.iter().filter(|child| child.parent.is_none()).collect();
    let away: Vec<_> = owners.iter().filter(|child| child.state != ChildState::Running).collect();
    let up = format!("{} of {}", owners.len() - away.len(), owners.len());
    let names = away.iter().map(|child| format!("; {} is {}", child.name, word_of(child.state)));
    [
        criterion("consensus_running", consensus_runs, detail),
        criterion("actors_running", away.is_empty() && !owners.is_empty(), names.fold(up, |text, name| text + &name)),
    ]
}

/// From the decided heights, whoever is there to decide them.
fn height(sources: &Sources) -> Criterion {
    let (since, limit) = (health::since_block(sources), stale_after(&sources.genesis.consensus));
    let detail = format!("the last block {:.1} s ago, stale after {:.1} s", since.as_secs_f64(), limit.as_secs_f64());
    criterion("height_fresh", since <= limit, detail)
}
