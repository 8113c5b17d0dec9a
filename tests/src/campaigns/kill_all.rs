//! SIGKILL of everybody at random moments under load: what was shown stays, and the chain resumes.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::Rng;

use super::{SETTLE_LIMIT, START_LIMIT, Settings, keeps, trial::Trial};
use crate::{
    network::Network,
    report::Report,
    statistics::{ms, quantile},
    wait::eventually,
};

/// Longest time between a resumed chain and the next kill, in milliseconds.
const LONGEST_LIFE_MS: u64 = 2_500;
/// Transfers are signed for so much time in a round, at most.
const ROUND_AT_MOST: Duration = Duration::from_secs(20);
/// Every so many rounds the kill comes before the chain has resumed.
const EARLY_EVERY: u32 = 4;
/// A process that starts is killed within this, in milliseconds, in such a round.
const EARLY_MS: u64 = 800;

/// What is special to this campaign.
#[derive(Clone, Copy, Debug)]
pub struct KillAll {
    pub rounds: u32,
    /// Transfers a second.
    pub rate: u64,
}

/// Kills all validators, so many times.
pub async fn kill_all(settings: &Settings, options: KillAll) -> Result<Report> {
    let mut report = Report::of("kill-all");
    let mut trial = Trial::start(settings, options.rate, ROUND_AT_MOST * options.rounds).await?;
    let (mut first, mut everybody) = (Vec::new(), Vec::new());
    for number in 0..options.rounds {
        let Trial { network, load, random, .. } = &mut trial;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..LONGEST_LIFE_MS))).await;
        network.kill_all();
        if number % EARLY_EVERY == EARLY_EVERY - 1 {
            network.start_all()?;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..EARLY_MS))).await;
            network.kill_all();
        }
        let acknowledged = load.acknowledged();
        match resume(network, &mut report).await {
            Ok((one, all)) => {
                first.push(one);
                everybody.push(all);
            }
            Err(error) => {
                report.fail(format!("round {number}: {error:#}"));
                break;
            }
        }
        let is_final = eventually("all that was acknowledged before the kill is final", SETTLE_LIMIT, async || {
            (load.not_final(&acknowledged) == 0).then_some(())
        });
        if let Err(error) = is_final.await {
            report.fail(format!("round {number}: {} of {}: {error:#}", load.not_final(&acknowledged), acknowledged.len()));
            break;
        }
    }
    report.figure("rounds", first.len() as f64, "");
    for (what, samples) in [("restart until the first new block", first), ("restart until a new block at everybody", everybody)] {
        report.figure(format!("{what}, median"), ms(quantile(&samples, 500)), "ms");
        report.figure(format!("{what}, longest"), ms(quantile(&samples, 1_000)), "ms");
    }
    trial.end(settings, &mut report).await?;
    Ok(report)
}

/// Starts everybody; answers how long the first, and the last, took to a new block.
async fn resume(network: &mut Network, report: &mut Report) -> Result<(Duration, Duration)> {
    let height = network.history.highest();
    let from = network.history.len();
    let restarted = Instant::now();
    network.start_all()?;
    network.reach(height + 1, START_LIMIT).await?;
    let new: Vec<_> = network.history.from(from).into_iter().filter(|commit| height < commit.height).collect();
    let one = new.iter().map(|commit| commit.at).min().unwrap_or(restarted);
    let first_of = |validator: usize| new.iter().find(|commit| commit.validator == validator).map(|commit| commit.at);
    let all = (0..network.validators.len()).filter_map(first_of).max().unwrap_or(restarted);
    // The last blocks before the kill are the ones in danger; all are looked at once more at the end.
    let endangered: Vec<_> = network.history.decided(height.saturating_sub(20)).into_iter().filter(|(at, _)| *at <= height).collect();
    for validator in &network.validators {
        keeps(validator, &endangered, report).await?;
    }
    Ok((one.duration_since(restarted), all.duration_since(restarted)))
}
