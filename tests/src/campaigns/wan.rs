//! Validators half a world apart: how fast heights are, and how many the first proposer decides.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::{SeedableRng, rngs::StdRng};

use super::{START_LIMIT, Settings, check, observe};
use crate::{
    fabric::{Carrier, Fabric, Weather},
    report::{Goal, Report},
    statistics::{intervals, ms, quantile},
};

/// Before measuring starts.
const WARM_UP: Duration = Duration::from_secs(3);
/// The part of the heights that the first round should decide.
const FIRST_ROUND_GOAL: f64 = 95.0;

/// What is special to this campaign.
#[derive(Clone, Copy, Debug)]
pub struct Wan {
    pub length: Duration,
    /// None: the best that this machine has.
    pub carrier: Option<Carrier>,
    /// In each direction between any two.
    pub weather: Weather,
}

/// Lets them decide for so long.
pub async fn wan(settings: &Settings, options: Wan) -> Result<Report> {
    let mut report = Report::of("wan");
    let mut network = settings.plan().make(&mut StdRng::seed_from_u64(settings.seed))?;
    let fabric = Fabric::between(&mut network, options.carrier.unwrap_or_else(Carrier::best), settings.seed).await?;
    report.note(format!("carried as {:?}, {:?}", fabric.carrier(), options.weather));
    fabric.usual(options.weather);
    network.start_all()?;
    network.reach(1, START_LIMIT).await?;
    let observer = observe(&network, settings.seed).await?;
    observer.hears(network.validators.len(), START_LIMIT).await?;
    tokio::time::sleep(WARM_UP).await;
    let (from, height) = (Instant::now(), network.history.tip(0));
    tokio::time::sleep(options.length).await;
    let (took, until) = (from.elapsed(), network.history.tip(0));
    let between = intervals(&network.history.moments(0, from));
    report.figure("heights", (until - height) as f64 / took.as_secs_f64(), "/s");
    for (part, per_mille) in [("p50", 500), ("p99", 990), ("longest", 1_000)] {
        report.figure(format!("between two blocks at validator 0, {part}"), ms(quantile(&between, per_mille)), "ms");
    }
    let rounds: Vec<u32> =
        network.validators[0].log().lines().filter_map(decided).filter(|(at, _)| height < *at && *at <= until).map(|(_, round)| round).collect();
    let first = rounds.iter().filter(|round| **round == 0).count();
    let percent = 100.0 * first as f64 / rounds.len().max(1) as f64;
    report.with_goal("heights decided in round 0", percent, "%", Goal::AtLeast(FIRST_ROUND_GOAL));
    report.figure("highest round that decided", rounds.iter().copied().max().unwrap_or_default().into(), "");
    let ended = network.validators[0].log().lines().filter(|line| line.contains("session ends")).count();
    report.figure("sessions of validator 0 that ended", ended as f64, "");
    // What is asked in the end is not about the weather.
    fabric.usual(Weather::default());
    check(&mut network, &observer, &mut report).await?;
    observer.stop().await;
    settings.finish(&mut network, &mut report);
    Ok(report)
}

/// Height and round, if this line of a log reports a commit.
fn decided(line: &str) -> Option<(u64, u32)> {
    let fields = line.split_once(": block committed ")?.1;
    let field = |name: &str| fields.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    Some((field("height")?.parse().ok()?, field("round")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_names_its_round() {
        assert_eq!(decided("x INFO  y: block committed gas=0 hash=0x1 height=12 round=3 txs=3"), Some((12, 3)));
        assert_eq!(decided("x INFO  y: api listens height=12"), None);
    }
}
