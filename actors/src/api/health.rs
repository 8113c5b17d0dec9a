//! How the node is, from views and atomics: it answers while everything else is stuck.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use api::{
    ActorsHealth, BlobsHealth, BlockchainHealth, ChainHealth, ClockHealth, ConsensusHealth, Criterion, Direction, Health, LastSigned, MempoolHealth,
    P2pHealth, PeerStatus, Signing, Status, StorageHealth, SyncHealth, UnixSeconds,
};
use primitives::{B256, Header, Height};
use supervision::{ChildState, Snapshot};
use wire::Role;

use super::{Sources, restarts::Restarts};
use crate::consensus::Seen;

/// A listener of ours that does not answer within this long is not reachable.
const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// How long the pool may take to count.
const COUNT_LIMIT: Duration = Duration::from_millis(200);
/// A clock this far off is worth a warning, and one further off makes a node unfit, in milliseconds.
const SKEW_WARNING_MS: i64 = 500;
const SKEW_UNFIT_MS: i64 = 5_000;
/// Heights behind the best peer that still count as synced.
const SYNCED_WITHIN: u64 = 3;
/// Seconds without a block, beyond the pace, from which on a node is degraded, and down.
const STALL_DEGRADED_SECONDS: u64 = 5;
const STALL_DOWN_SECONDS: u64 = 60;

/// The body of `GET /health`.
pub(super) async fn health(sources: &Sources, restarts: &Restarts) -> Health {
    let (chain, actors) = (chain(sources).await, actors(sources));
    let clock = ClockHealth { skew_ms: sources.peers.clock_offset_ms().unwrap_or_default() };
    let free_bytes = free_bytes(&sources.data_directory);
    let storage = StorageHealth { lock: if sources.ledger.is_open() { "held" } else { "released" }.to_owned(), free_bytes };
    let mut actors = count(&actors);
    actors.restarts_1h = restarts.within_an_hour(actors.restarts_1h, sources.clock.monotonic());
    let full = full_disk(&sources.room.waiting(), free_bytes);
    let (status, reasons) = judge(&chain, &clock, &actors, &sources.consensus.seen(), full);
    let chains = BTreeMap::from([(sources.chain_name.clone(), chain.clone())]);
    Health { status, reasons, chain, clock, storage, actors, chains }
}

async fn chain(sources: &Sources) -> ChainHealth {
    let (header, hash) = sources.ledger.head().map_or_else(|_| (Header::default(), B256::ZERO), |head| (head.header, head.hash));
    let tip = Height(header.number);
    let behind = sources.sync.behind(tip);
    let counts = tokio::time::timeout(COUNT_LIMIT, sources.mempool.counts()).await.ok().and_then(Result::ok).unwrap_or_default();
    let peers = sources.peers.list().len() as u64;
    ChainHealth {
        blockchain: BlockchainHealth {
            height: tip,
            latest_block_hash: hash,
            latest_block_time: UnixSeconds(header.timestamp),
            chain_id: sources.genesis.chain_id,
        },
        consensus: consensus(sources, &sources.consensus.seen()),
        sync: SyncHealth { state: if behind < SYNCED_WITHIN { "synced" } else { "syncing" }.to_owned(), behind },
        p2p: P2pHealth { listening: sources.door.is_listening(), self_dial_ok: sources.door.is_self_dial_ok(), peers },
        mempool: MempoolHealth { pending: counts.pending as u64, queued: counts.queued as u64 },
        blobs: BlobsHealth { undecided: 0 },
    }
}

fn consensus(sources: &Sources, seen: &Seen) -> ConsensusHealth {
    let pace = sources.genesis.consensus.empty_block_interval.as_secs();
    let since_decided = sources.clock.unix_ms().saturating_sub(seen.moved_unix_ms) / 1_000;
    ConsensusHealth {
        height: seen.height,
        round: seen.round,
        step: seen.step.to_owned(),
        validator: seen.is_validator,
        signing: seen.signing,
        last_signed: seen.last_signed.as_ref().map(|(height, round, step)| LastSigned { height: *height, round: *round, step: (*step).to_owned() }),
        stalled_seconds: since_decided.saturating_sub(pace),
        power_online: seen.power_online,
        power_needed: seen.power_needed,
    }
}

fn count(snapshot: &Snapshot) -> ActorsHealth {
    let running = snapshot.count(ChildState::Running) as u64;
    let restarting = [ChildState::Restarting, ChildState::Starting, ChildState::Suspended].map(|state| snapshot.count(state) as u64).iter().sum();
    ActorsHealth {
        total: snapshot.children.len() as u64,
        running,
        restarting,
        failed: snapshot.count(ChildState::Failed) as u64,
        restarts_1h: snapshot.children.iter().map(|child| child.restarts).sum(),
    }
}

/// What waits for room on the disk; none when nothing does.
fn full_disk(waiting: &[&str], free_bytes: u64) -> Option<String> {
    let what = waiting.join(" and ");
    (!waiting.is_empty())
        .then(|| format!("the disk is full: {what} cannot be written, {free_bytes} bytes are free; writing resumes by itself when there is room"))
}

/// One word, and why it is not a better one.
fn judge(chain: &ChainHealth, clock: &ClockHealth, actors: &ActorsHealth, seen: &Seen, full: Option<String>) -> (Status, Vec<String>) {
    let (mut down, mut degraded) = (Vec::from_iter(full), Vec::new());
    let consensus = &chain.consensus;
    if actors.failed > 0 {
        down.push(format!("{} actors have failed for good", actors.failed));
    }
    if actors.restarting > 0 {
        degraded.push(format!("{} actors are restarting", actors.restarting));
    }
    if consensus.stalled_seconds >= STALL_DOWN_SECONDS {
        down.push(format!("no block for {} s beyond the pace", consensus.stalled_seconds));
    } else if consensus.stalled_seconds >= STALL_DEGRADED_SECONDS {
        degraded.push(format!("no block for {} s beyond the pace", consensus.stalled_seconds));
    }
    if consensus.power_online < consensus.power_needed {
        degraded.push(format!("voting power {} is online, {} is needed", consensus.power_online, consensus.power_needed));
    }
    match consensus.signing {
        Signing::Enabled | Signing::None => {}
        Signing::Halted => down.push(format!("signing is halted: {}", seen.why)),
        other => degraded.push(format!("signing is {}: {}", word(other), seen.why)),
    }
    if chain.sync.state != "synced" {
        degraded.push(format!("{} heights behind", chain.sync.behind));
    }
    if clock.skew_ms.abs() >= SKEW_WARNING_MS {
        degraded.push(format!("the clock differs from the peers' by {} ms", clock.skew_ms));
    }
    let status = match (down.is_empty(), degraded.is_empty()) {
        (false, _) => Status::Down,
        (true, false) => Status::Degraded,
        (true, true) => Status::Ok,
    };
    down.extend(degraded);
    (status, down)
}

/// What must hold for the node to be ready.
pub(super) async fn readiness(sources: &Sources) -> Vec<Criterion> {
    let criterion = |name: &str, holds: bool, detail: String| Criterion { name: name.to_owned(), holds, detail };
    let mut criteria = Vec::new();
    for (name, address) in &sources.listeners {
        criteria.push(reachable(name, *address).await);
    }
    let tip = sources.ledger.tip();
    criteria.push(criterion("storage_open", tip.is_ok(), tip.as_ref().map_or_else(ToString::to_string, |tip| format!("height {tip}"))));
    let full = full_disk(&sources.room.waiting(), free_bytes(&sources.data_directory));
    criteria.push(criterion(
        "disk_has_room",
        full.is_none(),
        full.unwrap_or_else(|| format!("{} bytes are free", free_bytes(&sources.data_directory))),
    ));
    let behind = sources.sync.behind(tip.unwrap_or_default());
    criteria.push(criterion("synced", behind < SYNCED_WITHIN, format!("{behind} heights behind the best peer")));
    let seen = sources.consensus.seen();
    let has_quorum = seen.power_needed <= seen.power_online;
    criteria.push(criterion("quorum_online", has_quorum, format!("power {} of {} needed", seen.power_online, seen.power_needed)));
    let signs = matches!(seen.signing, Signing::Enabled | Signing::None);
    criteria.push(criterion("signing", signs, format!("{} {}", word(seen.signing), seen.why).trim().to_owned()));
    let actors = actors(sources);
    let up = actors.count(ChildState::Running);
    criteria.push(criterion("actors_running", up == actors.children.len(), format!("{up} of {}", actors.children.len())));
    let skew = sources.peers.clock_offset_ms().unwrap_or_default();
    criteria.push(criterion("clock", skew.abs() < SKEW_UNFIT_MS, format!("{skew} ms from the peers' median")));
    criteria
}

/// As `/health.consensus.signing` says it.
fn word(signing: Signing) -> &'static str {
    match signing {
        Signing::Enabled => "enabled",
        Signing::SyncOnly => "sync-only",
        Signing::Observing => "observing",
        Signing::Refused => "refused",
        Signing::Halted => "halted",
        Signing::None => "none",
    }
}

async fn reachable(name: &str, address: SocketAddr) -> Criterion {
    let connected = tokio::time::timeout(CONNECT_LIMIT, tokio::net::TcpStream::connect(address)).await;
    let (holds, detail) = match connected {
        Ok(Ok(_)) => (true, format!("{address} answers")),
        Ok(Err(error)) => (false, format!("{address}: {error}")),
        Err(_) => (false, format!("{address}: no answer within {CONNECT_LIMIT:?}")),
    };
    Criterion { name: format!("listener_{name}"), holds, detail }
}

/// The tree as it is; empty until it runs.
pub(super) fn actors(sources: &Sources) -> Snapshot {
    let snapshots = sources.snapshots.load();
    snapshots.as_ref().map_or_else(|| Snapshot { name: sources.chain_name.clone(), children: Vec::new() }, |snapshots| snapshots.take())
}

/// Everybody who is connected.
pub(super) fn peers(sources: &Sources) -> Vec<PeerStatus> {
    let now = sources.clock.monotonic();
    let status = |peer: crate::p2p::Peer| PeerStatus {
        id: peer.node().to_string(),
        address: peer.remote().map(|address| address.to_string()).unwrap_or_default(),
        direction: if peer.role() == Role::Dialler { Direction::Outbound } else { Direction::Inbound },
        validator: peer.validator(),
        height: sources.sync.tip_of(&peer.node()),
        rtt_ms: peer.round_trip().map(|round_trip| round_trip.as_millis() as u64),
        connected_seconds: now.saturating_sub(peer.since()).as_secs(),
        score: 0,
    };
    sources.peers.list().into_iter().map(status).collect()
}

/// Bytes that are free for us on the disk of `directory`; 0 when it cannot be told.
fn free_bytes(directory: &std::path::Path) -> u64 {
    rustix::fs::statvfs(directory).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}
