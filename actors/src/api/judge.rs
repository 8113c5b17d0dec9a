//! What the measurements of `/health` say of the node.

use std::time::Duration;

use api::{ActorsHealth, ChainHealth, Check, ClockHealth, ComponentType, ConsensusHealth, Signing, Status, StorageHealth};
use serde_json::json;
use supervision::ChildState;

/// A clock this far off is worth a warning, in milliseconds.
const SKEW_WARNING_MS: i64 = 500;
/// Seconds without a block, beyond the pace, from which on a node is degraded.
const STALL_DEGRADED_SECONDS: u64 = 5;

/// Everything that was measured.
pub(super) struct Measured<'a> {
    pub chain: &'a ChainHealth,
    pub clock: &'a ClockHealth,
    pub actors: &'a ActorsHealth,
    pub storage: &'a StorageHealth,
    /// None before the tree runs.
    pub consensus: Option<ChildState>,
    /// Since the last block, and from when on that is too long.
    pub since_block: Duration,
    pub stale_after: Duration,
    /// Whether the pool said what it holds.
    pub pool_answered: bool,
    /// Why our key does not sign.
    pub why: &'a str,
    /// What waits for room on the disk; none when nothing does.
    pub full_disk: Option<String>,
}

/// One check for each measurement. The order is that of the reasons.
pub(super) fn checks(measured: &Measured<'_>) -> Vec<Check> {
    let Measured { chain, clock, actors, storage, .. } = measured;
    let mut checks = self::actors(actors);
    checks.extend([consensus(measured), stall(measured), power(&chain.consensus), signing(measured)]);
    let is_behind = chain.sync.state != "synced";
    let is_skewed = SKEW_WARNING_MS <= clock.skew_ms.abs();
    checks.extend([
        part("sync:behind", json!(chain.sync.behind), "blocks").degraded_if(is_behind, || format!("{} heights behind", chain.sync.behind)),
        part("mempool:pending", json!(chain.mempool.pending), "transactions")
            .degraded_if(!measured.pool_answered, || "the mempool does not say what it holds".to_owned()),
        part("blockchain:height", json!(chain.blockchain.height), "blocks"),
        part("p2p:peers", json!(chain.p2p.peers), "peers"),
        Check { kind: ComponentType::Datastore, unit: None, ..part("storage:lock", json!(storage.lock), "") },
        Check { kind: ComponentType::System, ..part("storage:free", json!(storage.free_bytes), "B") }
            .down_if(measured.full_disk.is_some(), || measured.full_disk.clone().unwrap_or_default()),
        Check { kind: ComponentType::System, ..part("clock:skew", json!(clock.skew_ms), "ms") }
            .degraded_if(is_skewed, || format!("the clock differs from the peers' by {} ms", clock.skew_ms)),
    ]);
    checks
}

fn actors(actors: &ActorsHealth) -> Vec<Check> {
    let failed = || format!("{} actors have failed for good", actors.failed);
    vec![
        part("actors:failed", json!(actors.failed), "actors").down_if(actors.failed > 0, failed),
        part("actors:restarting", json!(actors.restarting), "actors")
            .degraded_if(actors.restarting > 0, || format!("{} of {} actors do not run", actors.restarting, actors.total)),
    ]
}

/// One that restarts is back in a moment, and `actors:restarting` says so; one that waits, is suspended or over decides nothing.
fn consensus(measured: &Measured<'_>) -> Check {
    let state = measured.consensus.map_or_else(|| "none".to_owned(), super::word_of);
    let is_dead = matches!(
        measured.consensus,
        Some(ChildState::Waiting | ChildState::Suspended | ChildState::Stopping | ChildState::Stopped | ChildState::Failed)
    );
    Check { unit: None, ..part("consensus:state", json!(state), "") }.down_if(is_dead, || format!("consensus is {state}"))
}

fn stall(measured: &Measured<'_>) -> Check {
    let seconds = measured.chain.consensus.stalled_seconds;
    let reason = || format!("no block for {seconds} s beyond the pace");
    part("consensus:stalled", json!(seconds), "s")
        .degraded_if(STALL_DEGRADED_SECONDS <= seconds, reason)
        .down_if(measured.stale_after < measured.since_block, reason)
}

fn power(consensus: &ConsensusHealth) -> Check {
    let reason = || format!("voting power {} is online, {} is needed", consensus.power_online, consensus.power_needed);
    part("consensus:power_online", json!(consensus.power_online), "power").degraded_if(consensus.power_online < consensus.power_needed, reason)
}

fn signing(measured: &Measured<'_>) -> Check {
    let signing = measured.chain.consensus.signing;
    let reason = || format!("signing is {}: {}", super::health::word(signing), measured.why);
    let is_as_it_should = matches!(signing, Signing::Enabled | Signing::None);
    Check { unit: None, ..part("consensus:signing", json!(signing), "") }
        .degraded_if(!is_as_it_should, reason)
        .down_if(signing == Signing::Halted, reason)
}

/// A check of a part of this node that is well so far.
fn part(name: &'static str, value: serde_json::Value, unit: &'static str) -> Check {
    Check { name, kind: ComponentType::Component, value, unit: Some(unit), status: Status::Ok, reason: String::new() }
}

trait Judged {
    fn degraded_if(self, is_so: bool, reason: impl FnOnce() -> String) -> Self;
    fn down_if(self, is_so: bool, reason: impl FnOnce() -> String) -> Self;
}

impl Judged for Check {
    fn degraded_if(self, is_so: bool, reason: impl FnOnce() -> String) -> Self {
        if is_so { Self { status: Status::Degraded, reason: reason(), ..self } } else { self }
    }

    fn down_if(self, is_so: bool, reason: impl FnOnce() -> String) -> Self {
        if is_so { Self { status: Status::Down, reason: reason(), ..self } } else { self }
    }
}
