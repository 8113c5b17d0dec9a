//! One validator whose disk fails: it fills up and is made room on, or its syncs return an error. The other three notice nothing.
//!
//! ```text
//!   full ---- parks: nothing signed, nothing accepted, reads go on ---- room ---- resumes by itself
//!   a sync fails ---- exit 74 ---- a service manager starts it again ---- what is on the disk is verified ---- it takes part
//! ```

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rand::Rng;
use serde_json::{Value, json};

use super::{Settings, trial::Trial};
use crate::{
    failing_sync::FailingSync,
    network::Network,
    process::cpu,
    report::{Goal, Report},
    small_disk::SmallDisk,
    statistics::{longest_gap, ms, quantile},
    transfer::far_ahead,
    validator::Validator,
    wait::eventually,
};

/// Of the victim's disk. Room enough for what the engine wants to have before it opens again.
const DISK_BYTES: u64 = 256 << 20;
/// How long the victim may take to notice, to end, and to be back.
const NOTICE_LIMIT: Duration = Duration::from_secs(30);
const END_LIMIT: Duration = Duration::from_secs(60);
const BACK_LIMIT: Duration = Duration::from_secs(60);
/// Over how long the healthy rate is measured.
const HEALTHY: Duration = Duration::from_secs(3);
/// Between two questions to the RPC of the victim.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// Lines that a parked validator may write in all; the log of one that says so at each attempt grows faster.
const MAX_LINES: usize = 30;
/// Transfers are signed for so much time in a round, at most.
const ROUND_AT_MOST: Duration = Duration::from_secs(60);
/// What a parked validator may use of one core.
const MAX_CORES: f64 = 0.5;
/// The code of a process whose disk failed.
const EXIT_DISK: i32 = 74;

/// What is special to this campaign.
#[derive(Clone, Debug)]
pub struct FailingDisk {
    pub rounds: u32,
    /// Transfers a second.
    pub rate: u64,
    /// How long the disk stays full.
    pub full: Duration,
    /// Which failures, of `full`, `fsync`, `fdatasync`.
    pub kinds: Vec<String>,
}

/// Who fails.
struct Victim {
    index: usize,
    /// A transfer that nobody has sent.
    unsent: String,
}

/// Fills the disk of one validator, and lets its syncs fail, so many times.
pub async fn disk(settings: &Settings, options: &FailingDisk) -> Result<Report> {
    let mut report = Report::of("disk");
    let rounds = options.rounds * options.kinds.len() as u32;
    let mut trial = Trial::start(settings, options.rate, (ROUND_AT_MOST + options.full) * rounds.max(1)).await?;
    let victim = Victim::choose(&mut trial).await?;
    for number in 1..=options.rounds {
        for kind in &options.kinds {
            let what = if options.rounds > 1 { format!("{kind}, round {number}") } else { kind.clone() };
            let outcome = match kind.as_str() {
                "full" => victim.fill(&mut trial, options.full, &what, &mut report).await,
                "fsync" | "fdatasync" => victim.fail_syncs(&mut trial, kind, &what, &mut report).await,
                other => anyhow::bail!("unknown failure {other}; known are full, fsync, fdatasync"),
            };
            if let Err(error) = outcome {
                report.fail(format!("{what}: {error:#}"));
                trial.network.keep();
            }
        }
    }
    trial.end(settings, &mut report).await?;
    Ok(report)
}

impl Victim {
    /// Moves a random validator to a small disk.
    async fn choose(trial: &mut Trial) -> Result<Self> {
        let index = trial.random.random_range(0..trial.network.validators.len());
        let chain_id = trial.network.genesis.chain_id;
        let unsent = far_ahead(chain_id)?.raw;
        let validator = &mut trial.network.validators[index];
        validator.stop().await?;
        validator.disk = Some(SmallDisk::under(&validator.home, DISK_BYTES)?);
        let started = Instant::now();
        trial.network.validators[index].start()?;
        let this = Self { index, unsent };
        this.signs_again(trial, started).await?;
        Ok(this)
    }

    fn of<'a>(&self, network: &'a mut Network) -> &'a mut Validator {
        &mut network.validators[self.index]
    }

    /// Waits until it has signed something above what anybody has committed by now.
    async fn signs_again(&self, trial: &Trial, since: Instant) -> Result<Instant> {
        let (validator, height) = (&trial.network.validators[self.index], trial.network.history.highest());
        let what = format!("{} signs again", validator.name);
        eventually(&what, BACK_LIMIT, async || trial.observer.signed_above(&validator.address, height, since)).await
    }

    /// Longest time without a block at any of the others.
    fn gap_at_others(&self, network: &Network, from: Instant, until: Instant) -> Duration {
        let others = (0..network.validators.len()).filter(|index| *index != self.index);
        others.map(|other| longest_gap(&network.history.moments(other, from), from, until)).max().unwrap_or_default()
    }

    async fn fill(&self, trial: &mut Trial, full: Duration, what: &str, report: &mut Report) -> Result<()> {
        tokio::time::sleep(HEALTHY).await;
        let survivor = (self.index + 1) % trial.network.validators.len();
        let filled = Instant::now();
        let healthy = trial.network.history.rate(survivor, filled - HEALTHY, filled);
        let validator = self.of(&mut trial.network);
        let restarts = restarts(&validator.health().await.context("health before")?);
        validator.disk.as_ref().context("a small disk")?.fill()?;
        let health = eventually("health says that the disk is full", NOTICE_LIMIT, async || validator.health().await.filter(is_full)).await?;
        report.figure(format!("{what}: until health says so"), ms(filled.elapsed()), "ms");
        report.note(format!("{what}: {}", health["reasons"]));
        self.stays_parked(trial, full, what, report).await?;

        let (emptied, height) = (Instant::now(), trial.network.history.highest());
        self.of(&mut trial.network).disk.as_ref().context("a small disk")?.make_room()?;
        let (history, index) = (trial.network.history.clone(), self.index);
        eventually("it commits again", BACK_LIMIT, async || (height <= history.tip(index)).then_some(())).await?;
        report.with_goal(format!("{what}: room until at the head"), ms(emptied.elapsed()), "ms", Goal::AtMost(5_000.0));
        let signed = self.signs_again(trial, emptied).await?;
        report.figure(format!("{what}: room until it signs"), ms(signed.duration_since(emptied)), "ms");
        let rate = trial.network.history.rate(survivor, filled, emptied);
        report.with_goal(format!("{what}: rate of the others meanwhile, of healthy"), rate / healthy.max(0.001), "", Goal::AtLeast(0.7));
        let gap = self.gap_at_others(&trial.network, filled, signed);
        report.figure(format!("{what}: longest gap at the others"), ms(gap), "ms");
        let validator = self.of(&mut trial.network);
        let well =
            eventually("health says that all is well", BACK_LIMIT, async || validator.health().await.filter(|health| health["status"] == "ok"))
                .await?;
        if self::restarts(&well) != restarts {
            report.fail(format!("{what}: restarts went from {restarts} to {}", self::restarts(&well)));
        }
        Ok(())
    }

    /// Watches it for as long as its disk is full.
    async fn stays_parked(&self, trial: &mut Trial, length: Duration, what: &str, report: &mut Report) -> Result<()> {
        let (parked, tip) = (Instant::now(), trial.network.history.tip(self.index));
        let (address, history) = (trial.network.validators[self.index].address, trial.network.history.clone());
        let validator = self.of(&mut trial.network);
        let (lines, before) = (validator.log().lines().count(), cpu(validator.pid()));
        let mut answers = Vec::new();
        while parked.elapsed() < length {
            let asked = Instant::now();
            if validator.block(tip).await?.is_none() {
                report.fail(format!("{what}: block {tip} cannot be read while the disk is full"));
            }
            answers.push(asked.elapsed());
            tokio::time::sleep(ASK_EVERY).await;
        }
        let cores = (cpu(validator.pid()) - before).as_secs_f64() / parked.elapsed().as_secs_f64();
        let lines = validator.log().lines().count() - lines;
        report.figure(format!("{what}: longest time to an answer of RPC"), ms(quantile(&answers, 1_000)), "ms");
        report.with_goal(format!("{what}: processor use while parked"), cores, "cores", Goal::AtMost(MAX_CORES));
        report.figure(format!("{what}: lines in the log while parked"), lines as f64, "");
        if MAX_LINES < lines {
            report.fail(format!("{what}: {lines} lines in {} s: it says the same at each attempt", length.as_secs()));
        }
        match validator.client.call("eth_sendRawTransaction", json!([self.unsent])).await {
            Err(refused) if refused.to_string().contains("the disk of this node is full") => report.note(format!("{what}: {refused}")),
            other => report.fail(format!("{what}: a transaction that cannot be written down was answered with {other:?}")),
        }
        if let Some(status) = validator.ended_by_itself() {
            report.fail(format!("{what}: it ended with {status}"));
        }
        if history.tip(self.index) != tip {
            report.fail(format!("{what}: committed {} on a full disk", history.tip(self.index)));
        }
        // Height tip + 1 was at hand when the disk filled up, and may be decided; nothing follows it.
        if trial.observer.signed_above(&address, tip + 1, parked).is_some() {
            report.fail(format!("{what}: it signed above {}, which is not committed", tip + 1));
        }
        Ok(())
    }

    async fn fail_syncs(&self, trial: &mut Trial, call: &str, what: &str, report: &mut Report) -> Result<()> {
        tokio::time::sleep(HEALTHY).await;
        let failed = Instant::now();
        let validator = self.of(&mut trial.network);
        let strace = FailingSync::of(validator.pid(), call).await?;
        let status = eventually("it ends", END_LIMIT, async || validator.ended_by_itself()).await?;
        drop(strace);
        report.with_goal(format!("{what}: failing sync until the end of the process"), ms(failed.elapsed()), "ms", Goal::AtMost(5_000.0));
        if status.code() != Some(EXIT_DISK) {
            report.fail(format!("{what}: it ended with {status}, not with {EXIT_DISK}"));
        }
        // It has ended; this reads the rest of its log.
        validator.kill();
        if let Some(line) = validator.log().lines().rev().find(|line| line.contains("this node must end")) {
            report.note(format!("{what}: {line}"));
        }
        let restarted = Instant::now();
        validator.start()?;
        let signed = self.signs_again(trial, restarted).await?;
        report.figure(format!("{what}: restart until it signs"), ms(signed.duration_since(restarted)), "ms");
        report.figure(format!("{what}: longest gap at the others"), ms(self.gap_at_others(&trial.network, failed, signed)), "ms");
        Ok(())
    }
}

fn is_full(health: &Value) -> bool {
    health["reasons"].to_string().contains("the disk is full")
}

fn restarts(health: &Value) -> u64 {
    health["actors"]["restarts_1h"].as_u64().unwrap_or_default()
}
