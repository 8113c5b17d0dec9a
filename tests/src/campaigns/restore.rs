//! A validator that comes back from a copy of its whole directory, many heights old.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::{SeedableRng, rngs::StdRng};

use super::{START_LIMIT, Settings, check, observe};
use crate::{disk, report::Report, statistics::ms, wait::eventually};

/// Heights before the copy is taken.
const BEFORE: u64 = 20;
const BACK_LIMIT: Duration = Duration::from_secs(60);

/// Copies one home, lets the network go on for `heights`, and puts the copy back.
pub async fn restore(settings: &Settings, heights: u64) -> Result<Report> {
    let mut report = Report::of("restore");
    let mut network = settings.plan().make(&mut StdRng::seed_from_u64(settings.seed))?;
    network.start_all()?;
    let observer = observe(&network, settings.seed).await?;
    network.reach(BEFORE, START_LIMIT).await?;
    let victim = network.validators.len() - 1;
    let home = network.validators[victim].home.clone();
    let copy = home.with_extension("copy");
    // Killed, not stopped: what is copied is what a snapshot of a running machine holds.
    network.validators[victim].kill();
    disk::copy(&home, &copy)?;
    let copied_at = network.history.tip(victim);
    network.validators[victim].start()?;
    network.reach(copied_at + heights, START_LIMIT).await?;
    network.validators[victim].kill();
    let killed_at = network.history.tip(victim);
    std::fs::remove_dir_all(&home)?;
    std::fs::rename(&copy, &home)?;
    let (restarted, height, said) = (Instant::now(), network.history.highest(), network.validators[victim].log().len());
    network.validators[victim].start()?;
    let (validator, history) = (&network.validators[victim], &network.history);
    let address = validator.address;
    let signed = eventually("the restored validator signs again", BACK_LIMIT, async || observer.signed_above(&address, height, restarted)).await;
    match signed {
        Ok(at) => report.figure("restart until it signs", ms(at.saturating_duration_since(restarted)), "ms"),
        Err(error) => report.fail(format!("{error:#}: {:?}", validator.health().await)),
    }
    let back = eventually("the restored validator has new blocks", BACK_LIMIT, async || (height < history.tip(victim)).then_some(())).await;
    if let Err(error) = back {
        report.fail(format!("{error:#}: {:?}", validator.health().await));
    }
    let log = validator.log();
    let codes: Vec<_> = log[said.min(log.len())..].lines().filter(|line| line.contains("E-SIGN")).collect();
    for line in codes.iter().take(3) {
        report.note(format!("it said: {line}"));
    }
    if codes.is_empty() {
        report.note("it said nothing of a restored state");
    }
    report.figure("height of the copy", copied_at as f64, "");
    report.figure("height at which the copy was put back", killed_at as f64, "");
    check(&mut network, &observer, &mut report).await?;
    observer.stop().await;
    settings.finish(&mut network, &mut report);
    Ok(report)
}
