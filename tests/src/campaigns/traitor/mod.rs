//! A validator with a real key that does everything wrong, among honest ones.
//!
//! ```text
//!   links of the traitor -> Mind: who decided what -> whenever it is the proposer, the next Trick
//!                        -> every proposal: two votes in each step, votes for blocks and heights that do not exist
//!                        -> now and then: a flood
//! ```
//!
//! The honest ones go on, agree with each other, and keep the proof of what it did.

mod life;
mod mind;
mod tricks;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::Value;

use super::{START_LIMIT, Settings};
use crate::{
    network::{Network, Plan},
    report::{Goal, Report},
    statistics::{longest_gap, ms},
    validator::Validator,
    wait::eventually,
};
use life::Traitor;
use tricks::Trick;

const BLOCK_INTERVAL: Duration = Duration::from_millis(100);
/// The longest that a block may take, whatever the traitor does with its turn.
const GAP_GOAL: Duration = Duration::from_secs(10);
/// Blocks after the last trick.
const MORE_BLOCKS: u64 = 10;
const PLAY_LIMIT: Duration = Duration::from_secs(300);

/// What is special to this campaign.
#[derive(Clone, Copy, Debug)]
pub struct Treason {
    /// How often each trick is played.
    pub rounds: usize,
    /// No block for so long is a failure. The goal is less.
    pub gap: Duration,
}

/// The last validator is a traitor, all others are processes.
pub async fn traitor(settings: &Settings, options: Treason) -> Result<Report> {
    let mut report = Report::of("traitor");
    let mut plan = settings.plan();
    let pace = |asked: Duration| if asked.is_zero() { BLOCK_INTERVAL } else { asked };
    plan = Plan { block_interval: pace(plan.block_interval), empty_block_interval: pace(plan.empty_block_interval), ..plan };
    let mut network = plan.make(&mut StdRng::seed_from_u64(settings.seed))?;
    let one = network.validators.pop().context("a network has validators")?;
    network.start_all()?;
    network.reach(3, START_LIMIT).await?;
    let from = Instant::now();
    let traitor = Traitor::start(&network, one.index);
    let wanted = options.rounds * Trick::ALL.len();
    let played = eventually("every trick is played", PLAY_LIMIT, async || (wanted <= traitor.played().values().sum()).then_some(())).await;
    if let Err(error) = played {
        report.fail(format!("{error:#}: {:?}", traitor.played()));
    }
    network.reach(network.history.highest() + MORE_BLOCKS, START_LIMIT).await?;
    for (trick, count) in traitor.played() {
        report.figure(format!("{trick:?}"), count as f64, "");
    }
    report.figure("sessions of the traitor", traitor.sessions() as f64, "");
    let moments = network.history.moments(0, from);
    let gap = longest_gap(&moments, from, Instant::now());
    report.figure("blocks", moments.len() as f64, "");
    report.with_goal("longest time without a block", ms(gap), "ms", Goal::AtMost(ms(GAP_GOAL)));
    if options.gap < gap {
        report.fail(format!("no block for {gap:?}"));
    }
    for validator in &network.validators {
        keeps_evidence(validator, &one, &mut report).await;
    }
    traitor.stop();
    judge(&mut network, &mut report).await?;
    settings.finish(&mut network, &mut report);
    Ok(report)
}

/// It has proof against the traitor, and against nobody else.
async fn keeps_evidence(validator: &Validator, traitor: &Validator, report: &mut Report) {
    let kept = async || {
        let page: Value = serde_json::from_slice(&validator.client.get("/v1/evidence").await.ok()?.1).ok()?;
        page["evidence"].as_array().filter(|list| !list.is_empty()).cloned()
    };
    match eventually("evidence is kept", START_LIMIT, kept).await {
        Err(error) => report.fail(format!("{}: {error:#}", validator.name)),
        Ok(list) => {
            report.figure(format!("{}: pieces of evidence", validator.name), list.len() as f64, "");
            let name = traitor.address.to_string().to_lowercase();
            let other = list.iter().find(|piece| !piece.to_string().to_lowercase().contains(&name));
            if let Some(other) = other {
                report.fail(format!("{}: evidence against somebody honest: {other}", validator.name));
            }
        }
    }
}

/// The honest ones have the same blocks, and none of them broke.
async fn judge(network: &mut Network, report: &mut Report) -> Result<()> {
    network.history.forks().into_iter().for_each(|fork| report.fail(fork));
    for validator in network.validators.iter_mut() {
        if let Some(status) = validator.ended_by_itself() {
            report.fail(format!("{} ended by itself with {status}", validator.name));
        }
        if let Some(panic) = validator.log().lines().find(|line| line.contains("panicked")) {
            report.fail(format!("{} panicked: {panic}", validator.name));
        }
        let health = validator.health().await.unwrap_or_default();
        if health["actors"]["restarts_1h"] != 0 {
            report.fail(format!("{}: an actor was restarted: {health}", validator.name));
        }
    }
    Ok(())
}
