//! How the node is, from views and atomics: it answers while everything else is stuck.

use std::{collections::BTreeMap, time::Duration};

use api::{
    ActorsHealth, BlobsHealth, BlockchainHealth, ChainHealth, ClockHealth, ConsensusHealth, Health, LastSigned, MempoolHealth, P2pHealth, Signing,
    StorageHealth, SyncHealth, UnixSeconds,
};
use primitives::{B256, Header, Height};
use supervision::{ChildState, Snapshot};

use super::{
    Sources,
    judge::{Measured, checks},
    pace::stale_after,
    restarts::Restarts,
};
use crate::{consensus::Seen, mempool::Counts};

/// How long the pool may take to count.
const COUNT_LIMIT: Duration = Duration::from_millis(200);
/// Heights behind the best peer that still count as synced.
pub(super) const SYNCED_WITHIN: u64 = 3;

/// The body of `GET /health`.
pub(super) async fn health(sources: &Sources, restarts: &Restarts) -> Health {
    let counts = tokio::time::timeout(COUNT_LIMIT, sources.mempool.counts()).await.ok().and_then(Result::ok);
    let (snapshot, seen) = (actors(sources), sources.consensus.seen());
    let chain = chain(sources, &seen, counts.unwrap_or_default());
    let clock = ClockHealth { skew_ms: sources.peers.clock_offset_ms().unwrap_or_default() };
    let free_bytes = free_bytes(&sources.data_directory);
    let storage = StorageHealth { lock: if sources.ledger.is_open() { "held" } else { "released" }.to_owned(), free_bytes };
    let mut actors = count(&snapshot);
    actors.restarts_1h = restarts.within_an_hour(actors.restarts_1h, sources.clock.monotonic());
    let checks = checks(&Measured {
        chain: &chain,
        clock: &clock,
        actors: &actors,
        storage: &storage,
        consensus: snapshot.child("consensus").map(|child| child.state),
        since_block: since_block(sources),
        stale_after: stale_after(&sources.genesis.consensus),
        pool_answered: counts.is_some(),
        why: &seen.why,
        full_disk: full_disk(&sources.room.waiting(), free_bytes),
    });
    let (status, reasons) = api::sum_up(&checks);
    let chains = BTreeMap::from([(sources.chain_name.clone(), chain.clone())]);
    Health { status, reasons, checks, chain, clock, storage, actors, chains }
}

/// Since the last block was committed, or since this process began.
pub(super) fn since_block(sources: &Sources) -> Duration {
    sources.clock.monotonic().saturating_sub(sources.heads.moved())
}

fn chain(sources: &Sources, seen: &Seen, counts: Counts) -> ChainHealth {
    let (header, hash) = sources.ledger.head().map_or_else(
        // While the database is closed its last height is still known.
        |_| (Header { number: sources.heads.heights().borrow().0, ..Header::default() }, B256::ZERO),
        |head| (head.header, head.hash),
    );
    let tip = Height(header.number);
    let behind = sources.sync.behind(tip);
    let peers = sources.peers.list().len() as u64;
    ChainHealth {
        blockchain: BlockchainHealth {
            height: tip,
            latest_block_hash: hash,
            latest_block_time: UnixSeconds(header.timestamp),
            chain_id: sources.genesis.chain_id,
        },
        consensus: consensus(sources, seen),
        sync: SyncHealth { state: if behind < SYNCED_WITHIN { "synced" } else { "syncing" }.to_owned(), behind },
        p2p: P2pHealth { listening: sources.door.is_listening(), self_dial_ok: sources.door.is_self_dial_ok(), peers },
        mempool: MempoolHealth { pending: counts.pending as u64, queued: counts.queued as u64 },
        blobs: BlobsHealth { undecided: 0 },
    }
}

fn consensus(sources: &Sources, seen: &Seen) -> ConsensusHealth {
    let pace = sources.genesis.consensus.empty_block_interval.as_secs();
    ConsensusHealth {
        height: seen.height,
        round: seen.round,
        step: seen.step.to_owned(),
        validator: seen.is_validator,
        signing: seen.signing,
        last_signed: seen.last_signed.as_ref().map(|(height, round, step)| LastSigned { height: *height, round: *round, step: (*step).to_owned() }),
        stalled_seconds: since_block(sources).as_secs().saturating_sub(pace),
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
pub(super) fn full_disk(waiting: &[&str], free_bytes: u64) -> Option<String> {
    let what = waiting.join(" and ");
    (!waiting.is_empty())
        .then(|| format!("the disk is full: {what} cannot be written, {free_bytes} bytes are free; writing resumes by itself when there is room"))
}

/// As `/health.consensus.signing` says it.
pub(super) fn word(signing: Signing) -> &'static str {
    match signing {
        Signing::Enabled => "enabled",
        Signing::SyncOnly => "sync-only",
        Signing::Observing => "observing",
        Signing::Refused => "refused",
        Signing::Halted => "halted",
        Signing::None => "none",
    }
}

/// The tree as it is; empty until it runs.
pub(super) fn actors(sources: &Sources) -> Snapshot {
    let snapshots = sources.snapshots.load();
    snapshots.as_ref().map_or_else(|| Snapshot { name: sources.chain_name.clone(), children: Vec::new() }, |snapshots| snapshots.take())
}

/// Bytes that are free for us on the disk of `directory`; 0 when it cannot be told.
pub(super) fn free_bytes(directory: &std::path::Path) -> u64 {
    rustix::fs::statvfs(directory).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}
