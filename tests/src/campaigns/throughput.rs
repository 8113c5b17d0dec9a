//! How many simple transfers a second become final, and how fast.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::{SeedableRng, rngs::StdRng};

use super::{SETTLE_LIMIT, START_LIMIT, Settings, check_load};
use crate::{load::Load, process::rss_mib, report::Report};

/// `rate` transfers a second for so long, spread over all validators.
pub async fn throughput(settings: &Settings, rate: u64, length: Duration) -> Result<Report> {
    let mut report = Report::of("load");
    let mut network = settings.plan().make(&mut StdRng::seed_from_u64(settings.seed))?;
    network.start_all()?;
    network.reach(1, START_LIMIT).await?;
    let (from, height) = (Instant::now(), network.history.tip(0));
    let mut load = Load::start(&network, rate, rate * length.as_secs()).await?;
    load.all_submitted().await?;
    let heights = (network.history.tip(0) - height) as f64 / from.elapsed().as_secs_f64();
    let load = load.settle(SETTLE_LIMIT).await;
    check_load(&load, &mut report);
    let final_rate = load.finalised as f64 / load.took.as_secs_f64().max(0.001);
    report.figure("transfers final", final_rate, "/s");
    report.figure("heights while submitting", heights, "/s");
    report.figure("submission until final, p50", load.latency_ms(500), "ms");
    report.figure("submission until final, p99", load.latency_ms(990), "ms");
    let memory = network.validators.iter().map(|validator| rss_mib(validator.pid())).fold(0.0, f64::max);
    report.figure("memory of a validator after the run", memory, "MiB");
    network.history.forks().into_iter().for_each(|fork| report.fail(fork));
    settings.finish(&mut network, &mut report);
    Ok(report)
}
