//! How fast empty heights are, and what they cost.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::{SeedableRng, rngs::StdRng};

use super::{START_LIMIT, Settings};
use crate::{
    network::{Network, Plan},
    process::rss_mib,
    report::{Goal, Report},
    statistics::{intervals, ms, quantile},
};

/// Before measuring starts.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long the idle network runs before its memory is read.
const IDLE: Duration = Duration::from_secs(8);
/// The usual pace.
const BLOCK_INTERVAL: Duration = Duration::from_secs(1);
const EMPTY_BLOCK_INTERVAL: Duration = Duration::from_secs(2);

/// Validators in processes of their own, empty blocks, for so long; then a network at the usual pace, for its memory.
pub async fn heights(settings: &Settings, length: Duration) -> Result<Report> {
    let mut report = Report::of("heights");
    let mut random = StdRng::seed_from_u64(settings.seed);
    let mut network = settings.plan().make(&mut random)?;
    let cold = start(&mut network).await?;
    report.with_goal("cold start until every validator has height 1", ms(cold), "ms", Goal::AtMost(1_000.0));
    tokio::time::sleep(WARM_UP).await;
    measure(&network, length, &mut report).await?;
    network.history.forks().into_iter().for_each(|fork| report.fail(fork));
    settings.finish(&mut network, &mut report);
    drop(network);
    let idle = Plan { block_interval: BLOCK_INTERVAL, empty_block_interval: EMPTY_BLOCK_INTERVAL, ..settings.plan() };
    let mut network = idle.make(&mut random)?;
    start(&mut network).await?;
    tokio::time::sleep(IDLE).await;
    report.with_goal("memory of a validator, idle at the usual pace", memory(&network), "MiB", Goal::AtMost(64.0));
    Ok(report)
}

/// From the first spawn until everybody has committed height 1.
async fn start(network: &mut Network) -> Result<Duration> {
    let begun = Instant::now();
    network.start_all()?;
    network.reach(1, START_LIMIT).await?;
    let first = |validator: usize| network.history.moments(validator, begun).first().copied();
    let last = (0..network.validators.len()).filter_map(first).max().unwrap_or(begun);
    Ok(last.duration_since(begun))
}

async fn measure(network: &Network, length: Duration, report: &mut Report) -> Result<()> {
    let before = network.validators[0].metrics().await?;
    let (from, used, height) = (Instant::now(), network.used().await?, network.history.tip(0));
    tokio::time::sleep(length).await;
    let (until, now) = (Instant::now(), network.used().await?);
    let cpu = now.cpu.saturating_sub(used.cpu);
    let heights = network.history.tip(0) - height;
    let for_one = |total: f64| total / heights.max(1) as f64;
    let after = network.validators[0].metrics().await?;
    let moments: Vec<_> = network.history.moments(0, from).into_iter().filter(|at| *at < until).collect();
    let between = intervals(&moments);
    report.with_goal("heights", heights as f64 / until.duration_since(from).as_secs_f64(), "/s", Goal::AtLeast(190.0));
    report.with_goal("between two blocks at validator 0, p50", ms(quantile(&between, 500)), "ms", Goal::AtMost(5.5));
    report.with_goal("between two blocks at validator 0, p99", ms(quantile(&between, 990)), "ms", Goal::AtMost(10.0));
    report.figure("between two blocks at validator 0, longest", ms(quantile(&between, 1_000)), "ms");
    report.figure("CPU for one height, all validators", for_one(ms(cpu)), "ms");
    report.figure("sent between all validators for one height", for_one(now.sent - used.sent), "B");
    if let (Some(now), Some(before)) = (now.written, used.written) {
        report.figure("written to the disk for one height", for_one((now - before) as f64), "B");
    }
    report.figure("CPU of all validators", cpu.as_secs_f64() / until.duration_since(from).as_secs_f64(), "cores");
    report.figure("memory of a validator after the run", memory(network), "MiB");
    for (what, name) in [("database commit", "storage_commit_seconds"), ("block commit", "execution_commit_seconds")] {
        let total = |metrics: &crate::validator::Metrics, part: &str| metrics.sum(&format!("{name}_{part}"));
        let (count, sum) = (total(&after, "count") - total(&before, "count"), total(&after, "sum") - total(&before, "sum"));
        if count > 0.0 {
            report.figure(format!("{what} at validator 0, mean"), sum * 1_000.0 / count, "ms");
        }
    }
    let rounds = after.sum("consensus_rounds_total") - before.sum("consensus_rounds_total");
    report.figure("rounds for one height at validator 0", for_one(rounds), "");
    let slowest = (0..network.validators.len()).map(|validator| network.history.tip(validator)).min().unwrap_or_default();
    report.figure("heights between first and last validator at the end", network.history.highest().saturating_sub(slowest) as f64, "");
    Ok(())
}

/// The largest of all validators.
fn memory(network: &Network) -> f64 {
    network.validators.iter().map(|validator| rss_mib(validator.pid())).fold(0.0, f64::max)
}
