//! How fast a fresh node follows a chain over the network, against the time that its own execution takes of that.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rand::{SeedableRng, rngs::StdRng};

use super::{SETTLE_LIMIT, START_LIMIT, Settings, check_load};
use crate::{
    load::Load,
    network::Plan,
    process::cpu,
    report::{Goal, Report},
    wait::eventually,
};

const BLOCK_INTERVAL: Duration = Duration::from_millis(250);
const CATCH_UP_LIMIT: Duration = Duration::from_secs(300);

/// What is special to this campaign.
#[derive(Clone, Copy, Debug)]
pub struct CatchUp {
    /// How long the others make blocks alone.
    pub length: Duration,
    /// Transfers a second meanwhile.
    pub rate: u64,
}

/// All validators but the last make blocks under load; then the last one starts with nothing but the genesis.
pub async fn catch_up(settings: &Settings, options: CatchUp) -> Result<Report> {
    let mut report = Report::of("catch-up");
    let mut plan = settings.plan();
    let pace = |asked: Duration| if asked.is_zero() { BLOCK_INTERVAL } else { asked };
    plan = Plan { block_interval: pace(plan.block_interval), empty_block_interval: pace(plan.empty_block_interval), ..plan };
    let mut network = plan.make(&mut StdRng::seed_from_u64(settings.seed))?;
    let mut fresh = network.validators.pop().context("a network has validators")?;
    network.start_all()?;
    network.reach(1, START_LIMIT).await?;
    let mut load = Load::start(&network, options.rate, options.rate * options.length.as_secs()).await?;
    load.all_submitted().await?;
    let load = load.settle(SETTLE_LIMIT).await;
    check_load(&load, &mut report);
    let target = network.history.highest();
    fresh.start()?;
    let begun = |history: &crate::History, index: usize| (0 < history.tip(index)).then(Instant::now);
    let from = eventually("the first block is fetched", START_LIMIT, async || begun(&network.history, fresh.index)).await?;
    let (height, used) = (network.history.tip(fresh.index), cpu(fresh.pid()));
    let there = async || (target <= network.history.tip(fresh.index)).then_some(());
    eventually("the fresh node is where the others were", CATCH_UP_LIMIT, there).await?;
    let (took, used) = (from.elapsed(), cpu(fresh.pid()).saturating_sub(used));
    let blocks = target.saturating_sub(height) as f64;
    let metrics = fresh.metrics().await?;
    let executing = metrics.sum("execution_commit_seconds_sum") / metrics.sum("execution_commit_seconds_count").max(1.0) * blocks;
    report.figure("blocks", blocks, "");
    report.figure("transfers in a block", load.finalised as f64 / target.max(1) as f64, "");
    report.figure("followed over the network", blocks / took.as_secs_f64(), "blocks/s");
    report.figure("execution and commit alone would take", blocks / executing.max(f64::EPSILON), "blocks/s");
    report.with_goal("part of the time that is execution and commit", 100.0 * executing / took.as_secs_f64(), "%", Goal::AtLeast(50.0));
    report.figure("CPU for a block", used.as_secs_f64() * 1_000.0 / blocks.max(1.0), "ms");
    network.validators.push(fresh);
    network.history.forks().into_iter().for_each(|fork| report.fail(fork));
    settings.finish(&mut network, &mut report);
    Ok(report)
}
