//! The campaigns, each a function from its settings to a report.

mod adversarial;
mod answers;
mod catch_up;
mod costs;
mod crowds;
mod disk;
mod fuzz_rpc;
mod fuzz_wire;
mod group;
mod heights;
mod hostile;
mod kill_all;
mod kill_one;
mod kill_random;
mod leaks;
mod partitions;
mod restore;
mod soak;
mod strike;
mod sweep;
mod throughput;
mod traitor;
mod trial;
mod wan;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use node::chaos::{healing, kind};
use primitives::PeerAddress;

use crate::{
    load::LoadReport,
    network::{Network, Plan},
    observer::Observer,
    report::Report,
    validator::Validator,
};

pub use adversarial::{Adversarial, adversarial};
pub use catch_up::{CatchUp, catch_up};
pub use costs::{Costs, costs};
pub use crowds::{Crowd, Crowds, crowds};
pub use disk::{FailingDisk, disk};
pub use fuzz_rpc::{FuzzRpc, fuzz_rpc};
pub use fuzz_wire::fuzz_wire;
pub use heights::heights;
pub use hostile::{Hostile, hostile};
pub use kill_all::{KillAll, kill_all};
pub use kill_one::{KillOne, kill_one};
pub use kill_random::{KillRandom, kill_random};
pub use kind::Kind;
pub use leaks::leaks;
pub use partitions::{Cut, Partitions, partitions};
pub use restore::restore;
pub use soak::{Soak, soak};
pub use sweep::{Sweep, sweep};
pub use throughput::throughput;
pub use traitor::{Treason, traitor};
pub use wan::{Wan, wan};

/// How long a network may take to its first block, or a restarted one to its next.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long all that was acknowledged may take to be final after a campaign.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);

/// What all campaigns take.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The binary that runs a validator.
    pub program: PathBuf,
    pub validators: usize,
    pub seed: u64,
    pub block_interval: Duration,
    pub empty_block_interval: Duration,
    /// `KEY=VALUE` of the configuration, for all validators.
    pub settings: Vec<String>,
    /// Keep homes and logs.
    pub keep: bool,
}

impl Settings {
    fn plan(&self) -> Plan {
        let Self { program, validators, block_interval, empty_block_interval, settings, .. } = self.clone();
        Plan { program, validators, block_interval, empty_block_interval, gas_limit: None, settings, further: Vec::new() }
    }

    /// Says where homes and logs are, if they are kept.
    fn finish(&self, network: &mut Network, report: &mut Report) {
        if self.keep || !report.failures().is_empty() {
            report.note(format!("homes and logs are kept in {}", network.keep().display()));
        }
    }
}

/// An observer of all validators of `network`.
async fn observe(network: &Network, seed: u64) -> Result<Observer> {
    Observer::start(network.genesis.domain(), network.validators.iter().map(peer).collect(), seed).await
}

fn peer(validator: &Validator) -> PeerAddress {
    PeerAddress { node: None, host: "127.0.0.1".to_owned(), port: validator.ports.p2p }
}

/// Everything that must hold at the end of a campaign with processes.
async fn check(network: &mut Network, observer: &Observer, report: &mut Report) -> Result<()> {
    network.history.forks().into_iter().for_each(|fork| report.fail(fork));
    observer.contradictions().into_iter().for_each(|contradiction| report.fail(contradiction));
    // What is asked of everybody is what everybody has had time for.
    let decided = network.history.decided(1);
    let highest = decided.last().map_or(0, |(height, _)| *height);
    if let Err(error) = network.reach(highest, START_LIMIT).await {
        report.fail(format!("{error:#}"));
    }
    for validator in network.validators.iter_mut() {
        if let Some(status) = validator.ended_by_itself() {
            report.fail(format!("{} ended by itself with {status}", validator.name));
            continue;
        }
        let evidence = validator.metrics().await?.sum("consensus_evidence_total");
        if evidence > 0.0 {
            report.fail(format!("{} holds {evidence} pieces of evidence", validator.name));
        }
        if let Some(panic) = validator.log().lines().find(|line| line.contains("panicked")) {
            report.fail(format!("{} panicked: {panic}", validator.name));
        }
        keeps(validator, &decided, report).await?;
    }
    report.figure("blocks held against each other", decided.len() as f64, "");
    report.figure("votes and proposals held against each other", observer.count() as f64, "");
    Ok(())
}

/// `validator` still has each of these blocks.
async fn keeps(validator: &Validator, decided: &[(u64, primitives::B256)], report: &mut Report) -> Result<()> {
    for (height, hash) in decided {
        match validator.hash(*height).await? {
            Some(now) if now == *hash => {}
            now => report.fail(format!("{} has {now:?} at height {height}, where {hash} was committed", validator.name)),
        }
    }
    Ok(())
}

fn check_load(load: &LoadReport, report: &mut Report) {
    report.figure("transfers submitted", load.submitted as f64, "");
    report.figure("transfers acknowledged", load.acknowledged as f64, "");
    report.figure("transfers final", load.finalised as f64, "");
    for refusal in &load.refused {
        report.note(format!("a transfer was refused: {refusal}"));
    }
    if !load.lost.is_empty() {
        report.fail(format!("{} acknowledged transfers are not final, among them {}", load.lost.len(), load.lost[0]));
    }
}
