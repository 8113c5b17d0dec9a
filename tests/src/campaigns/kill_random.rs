//! SIGKILL of one validator at random moments, its starts included, in a loop as fast as it comes back.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::Rng;

use super::{SETTLE_LIMIT, START_LIMIT, Settings, keeps, trial::Trial};
use crate::{
    report::Report,
    statistics::{ms, quantile},
    wait::eventually,
};

/// Longest time between a new block and the next kill, in milliseconds.
const LONGEST_LIFE_MS: u64 = 300;
/// Every so many rounds the process is killed once more while it starts.
const EARLY_EVERY: u32 = 3;
/// Within this, in milliseconds.
const EARLY_MS: u64 = 400;
/// Transfers are signed for so much time in a round, at most.
const ROUND_AT_MOST: Duration = Duration::from_secs(4);
/// What no start after a SIGKILL may say: it damages neither database nor sign state.
const NEVER_SAID: [&str; 3] = ["set aside", "E-SIGN", "panicked"];

/// What is special to this campaign.
#[derive(Clone, Copy, Debug)]
pub struct KillRandom {
    pub rounds: u32,
    /// Transfers a second.
    pub rate: u64,
}

/// Kills the last validator, so many times; with `--validators 1` there is nobody to hide behind.
pub async fn kill_random(settings: &Settings, options: KillRandom) -> Result<Report> {
    let mut report = Report::of("kill-random");
    let mut trial = Trial::start(settings, options.rate, ROUND_AT_MOST * options.rounds).await?;
    let (mut back, mut kills) = (Vec::new(), 0);
    for number in 0..options.rounds {
        let is_early = number % EARLY_EVERY == EARLY_EVERY - 1;
        match round(&mut trial, is_early, &mut report).await {
            Ok(took) => back.push(took),
            Err(error) => {
                report.fail(format!("round {number}: {error:#}"));
                break;
            }
        }
        kills += 1 + u32::from(is_early);
        if !report.failures().is_empty() {
            break;
        }
    }
    report.figure("rounds", back.len() as f64, "");
    report.figure("kills", f64::from(kills), "");
    report.figure("restart until its next block, median", ms(quantile(&back, 500)), "ms");
    report.figure("restart until its next block, longest", ms(quantile(&back, 1_000)), "ms");
    trial.end(settings, &mut report).await?;
    Ok(report)
}

/// One kill, two when it `is_early`; answers how long the validator then took to a new block.
async fn round(trial: &mut Trial, is_early: bool, report: &mut Report) -> Result<Duration> {
    let Trial { network, load, random, .. } = trial;
    let victim = network.validators.len() - 1;
    tokio::time::sleep(Duration::from_millis(random.random_range(0..LONGEST_LIFE_MS))).await;
    let acknowledged = load.acknowledged();
    network.validators[victim].kill();
    let said = network.validators[victim].log().len();
    network.validators[victim].start()?;
    if is_early {
        tokio::time::sleep(Duration::from_millis(random.random_range(0..EARLY_MS))).await;
        network.validators[victim].kill();
        network.validators[victim].start()?;
    }
    // A life however short may have committed something.
    let (height, started) = (network.history.tip(victim), Instant::now());
    network.reach(height + 1, START_LIMIT).await?;
    let took = started.elapsed();
    let (validator, history) = (&network.validators[victim], &network.history);
    let log = validator.log();
    for line in log[said..].lines().filter(|line| NEVER_SAID.iter().any(|never| line.contains(never))) {
        report.fail(format!("after a kill at height {height}: {line}"));
    }
    // The last blocks before the kill are the ones in danger; all are looked at once more at the end.
    let endangered: Vec<_> = history.decided(height.saturating_sub(5)).into_iter().filter(|(at, _)| *at <= height).collect();
    keeps(validator, &endangered, report).await?;
    let is_final = eventually("all that was acknowledged before the kill is final", SETTLE_LIMIT, async || {
        load.ask().await;
        (load.not_final(&acknowledged) == 0).then_some(())
    });
    is_final.await?;
    Ok(took)
}
