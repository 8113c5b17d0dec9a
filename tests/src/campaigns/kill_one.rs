//! SIGKILL of one validator under load: what the others notice, and how it comes back.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::Rng;

use super::{Settings, trial::Trial};
use crate::{
    network::Network,
    report::{Goal, Report},
    statistics::{longest_gap, ms, quantile},
    wait::eventually,
};

/// How long a restarted validator may take before the campaign gives up.
const BACK_LIMIT: Duration = Duration::from_secs(60);
/// Heights behind the others that still count as being at the head.
const AT_THE_HEAD: u64 = 2;
/// Over how long the healthy rate is measured.
const HEALTHY: Duration = Duration::from_secs(2);
/// Transfers are signed for so much time in a round, at most.
const ROUND_AT_MOST: Duration = Duration::from_secs(30);

/// What is special to this campaign.
#[derive(Clone, Copy, Debug)]
pub struct KillOne {
    pub rounds: u32,
    /// Transfers a second.
    pub rate: u64,
    /// How long the victim stays away.
    pub away: Duration,
}

/// What one round showed.
struct Round {
    healthy: f64,
    /// At the survivors, from the kill until the restart.
    gap: Duration,
    /// Rate of each second without the victim, as a part of the healthy rate.
    seconds: Vec<f64>,
    /// At the survivors, while the victim comes back.
    gap_of_return: Duration,
    at_head: Duration,
    signing: Duration,
}

/// Kills a random validator at a random moment, so many times.
pub async fn kill_one(settings: &Settings, options: KillOne) -> Result<Report> {
    let mut report = Report::of("kill-one");
    let mut trial = Trial::start(settings, options.rate, ROUND_AT_MOST * options.rounds).await?;
    let mut rounds = Vec::new();
    for number in 0..options.rounds {
        match round(&mut trial, options.away).await {
            Ok(round) => rounds.push(round),
            Err(error) => {
                report.fail(format!("round {number}: {error:#}"));
                break;
            }
        }
    }
    show(&rounds, &mut report);
    trial.end(settings, &mut report).await?;
    Ok(report)
}

async fn round(Trial { network, observer, random, .. }: &mut Trial, away: Duration) -> Result<Round> {
    let victim = random.random_range(0..network.validators.len());
    tokio::time::sleep(HEALTHY + Duration::from_millis(random.random_range(0..1_000))).await;
    let survivor = (victim + 1) % network.validators.len();
    let killed = Instant::now();
    let healthy = network.history.rate(survivor, killed - HEALTHY, killed);
    network.validators[victim].kill();
    tokio::time::sleep(away).await;
    let height = network.history.highest();
    let restarted = Instant::now();
    network.validators[victim].start()?;
    let at_head = at_head(network, victim, restarted).await?;
    let address = network.validators[victim].address;
    let name = network.validators[victim].name.clone();
    let signed = eventually(&format!("{name} signs again"), BACK_LIMIT, async || observer.signed_above(&address, height, restarted)).await?;
    let back = Instant::now();
    let others = || (0..network.validators.len()).filter(move |index| *index != victim);
    let gap = |from: Instant, until: Instant| {
        let gaps = others().map(|other| longest_gap(&network.history.moments(other, from), from, until));
        gaps.max().unwrap_or_default()
    };
    let seconds = (0..away.as_secs() as u32).map(|second| {
        let from = killed + Duration::from_secs(second.into());
        network.history.rate(survivor, from, from + Duration::from_secs(1)) / healthy.max(0.001)
    });
    Ok(Round {
        healthy,
        gap: gap(killed, restarted),
        seconds: seconds.collect(),
        gap_of_return: gap(restarted, back),
        at_head,
        signing: signed.saturating_duration_since(restarted),
    })
}

/// How long after `since` the victim had a block that was at most [`AT_THE_HEAD`] behind the highest of that moment.
async fn at_head(network: &mut Network, victim: usize, since: Instant) -> Result<Duration> {
    let (history, mut next, mut highest) = (network.history.clone(), 0, 0);
    let what = format!("{} is at the head again", network.validators[victim].name);
    let reached = eventually(&what, BACK_LIMIT, async || {
        for commit in history.from(next) {
            next += 1;
            highest = highest.max(commit.height);
            if since <= commit.at && commit.validator == victim && highest <= commit.height + AT_THE_HEAD {
                return Some(commit.at.duration_since(since));
            }
        }
        None
    });
    let reached = reached.await;
    if reached.is_err() {
        network.keep();
    }
    reached
}

fn show(rounds: &[Round], report: &mut Report) {
    let all = |pick: fn(&Round) -> Duration| rounds.iter().map(pick).collect::<Vec<_>>();
    let mut both = |what: &str, samples: &[Duration], goal: Option<f64>| {
        report.figure(format!("{what}, median"), ms(quantile(samples, 500)), "ms");
        match goal {
            Some(goal) => report.with_goal(format!("{what}, longest"), ms(quantile(samples, 1_000)), "ms", Goal::AtMost(goal)),
            None => report.figure(format!("{what}, longest"), ms(quantile(samples, 1_000)), "ms"),
        }
    };
    both("gap at the others after the kill", &all(|round| round.gap), Some(300.0));
    both("gap at the others while it comes back", &all(|round| round.gap_of_return), None);
    both("restart until at the head", &all(|round| round.at_head), Some(2_000.0));
    both("restart until it signs", &all(|round| round.signing), None);
    report.figure("healthy rate, median", median(rounds.iter().map(|round| round.healthy)), "/s");
    for second in 0..rounds.first().map_or(0, |round| round.seconds.len()) {
        let rates = rounds.iter().filter_map(|round| round.seconds.get(second).copied());
        report.with_goal(format!("rate in second {} without it, median of healthy", second + 1), median(rates), "", Goal::AtLeast(0.7));
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
