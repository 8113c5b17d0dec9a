//! A network at rest, for a while: it must stay exactly as it is.
//!
//! | what must hold                | seen in                                                                       |
//! |-------------------------------|-------------------------------------------------------------------------------|
//! | identical heights             | `eth_blockNumber` of all, at one moment: never further apart than one for longer than a moment |
//! | the same hashes               | what each said it committed, and each block asked of everybody in the end      |
//! | no signature failures         | `p2p_signature_failures_total` of each                                         |
//! | blocks                        | what each said it committed                                                    |
//! | stable                        | processes, restarts of actors, sessions that ended                             |
//! | nobody refused                | no "connection refused" among the errors of any log                            |

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rand::{SeedableRng, rngs::StdRng};
use tokio::task::JoinSet;

use super::{START_LIMIT, Settings};
use crate::{
    network::{Network, Plan},
    process::rss_mib,
    report::Report,
    validator::Validator,
    wait::eventually,
};

/// The usual pace.
const BLOCK_INTERVAL: Duration = Duration::from_secs(1);
const EMPTY_BLOCK_INTERVAL: Duration = Duration::from_secs(2);
/// Between two looks at everybody.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long heights may seem further apart than they are, because some answers take longer than others.
const LEVEL_LIMIT: Duration = Duration::from_secs(30);
/// How long everybody may take to have a session with everybody.
const MEET_LIMIT: Duration = Duration::from_secs(60);

/// What has not changed for so long counts as settled.
const SETTLE: Duration = Duration::from_secs(2);

/// What is special to this campaign.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    pub length: Duration,
    /// Blocks that everybody must add.
    pub blocks: u64,
}

/// What must not change while it lasts.
#[derive(Clone, Debug, PartialEq)]
struct State {
    restarts: u64,
    sessions: f64,
    sessions_ended: usize,
}

/// Lets the network be for so long, and looks.
pub async fn soak(settings: &Settings, options: Soak) -> Result<Report> {
    let mut report = Report::of("soak");
    let mut plan = settings.plan();
    if plan.block_interval.is_zero() && plan.empty_block_interval.is_zero() {
        plan = Plan { block_interval: BLOCK_INTERVAL, empty_block_interval: EMPTY_BLOCK_INTERVAL, ..plan };
    }
    let mut network = plan.make(&mut StdRng::seed_from_u64(settings.seed))?;
    network.start_all()?;
    network.reach(1, START_LIMIT).await?;
    let others = network.validators.len() - 1;
    eventually("everybody has a session with everybody", MEET_LIMIT, async || all_meet(&network, others).await.then_some(())).await?;
    let before = eventually("nothing changes any more", MEET_LIMIT, async || settled(&network).await).await?;
    let (from, began) = (network.history.highest(), Instant::now());
    let mut widest = 0;
    while began.elapsed() < options.length {
        tokio::time::sleep(LOOK_EVERY).await;
        match eventually("all heights within one", LEVEL_LIMIT, async || level(&network).await).await {
            Ok(apart) => widest = apart.max(widest),
            Err(error) => report.fail(format!("{error:#}")),
        }
        for validator in network.validators.iter_mut() {
            if let Some(status) = validator.ended_by_itself() {
                anyhow::bail!("{} ended by itself with {status}: {}", validator.name, validator.log_file().display());
            }
        }
    }
    let took = began.elapsed();
    network.reach(from + options.blocks, START_LIMIT).await?;
    judge(&network, &before, &mut report).await?;
    let blocks = network.history.highest() - from;
    report.figure("validators", network.validators.len() as f64, "");
    report.figure("blocks", blocks as f64, "");
    report.figure("seconds", took.as_secs_f64(), "s");
    report.figure("heights apart when everybody was asked, most", widest as f64, "");
    let memory = network.validators.iter().map(|validator| rss_mib(validator.pid())).fold(0.0, f64::max);
    report.figure("memory of a validator, largest", memory, "MiB");
    settings.finish(&mut network, &mut report);
    Ok(report)
}

async fn all_meet(network: &Network, others: usize) -> bool {
    for validator in &network.validators {
        if sessions(validator).await.ok() != Some(others as f64) {
            return false;
        }
    }
    true
}

/// What everybody has, once it stays as it is: of two links that were dialled at the same time, one goes again.
async fn settled(network: &Network) -> Option<Vec<State>> {
    let before = states(network).await.ok()?;
    tokio::time::sleep(SETTLE).await;
    states(network).await.ok().filter(|after| *after == before)
}

async fn sessions(validator: &Validator) -> Result<f64> {
    Ok(validator.metrics().await?.sum("p2p_sessions"))
}

async fn states(network: &Network) -> Result<Vec<State>> {
    let mut states = Vec::new();
    for validator in &network.validators {
        let health = validator.health().await.with_context(|| format!("{} answers", validator.name))?;
        states.push(State {
            restarts: health["actors"]["restarts_1h"].as_u64().context("health counts restarts")?,
            sessions: sessions(validator).await?,
            sessions_ended: validator.log().lines().filter(|line| line.contains("session ends")).count(),
        });
    }
    Ok(states)
}

/// How far apart the heights are, once that is one at most.
async fn level(network: &Network) -> Option<u64> {
    let mut asked = JoinSet::new();
    for validator in &network.validators {
        let client = validator.client.clone();
        asked.spawn(async move { client.height().await });
    }
    let heights: Vec<u64> = asked.join_all().await.into_iter().collect::<Result<_, _>>().ok()?;
    Some(heights.iter().max()? - heights.iter().min()?).filter(|apart| *apart <= 1)
}

async fn judge(network: &Network, before: &[State], report: &mut Report) -> Result<()> {
    network.history.forks().into_iter().for_each(|fork| report.fail(fork));
    for ((validator, before), after) in network.validators.iter().zip(before).zip(states(network).await?) {
        let name = &validator.name;
        if *before != after {
            report.fail(format!("{name} is not stable: {before:?}, then {after:?}"));
        }
        let failures = validator.metrics().await?.sum("p2p_signature_failures_total");
        if failures > 0.0 {
            report.fail(format!("{name} counts {failures} signatures that did not hold"));
        }
        let log = validator.log();
        let refused = |line: &&str| line.contains(" ERROR ") && line.to_ascii_lowercase().contains("connection refused");
        if let Some(line) = log.lines().find(refused) {
            report.fail(format!("{name} takes a refused connection for an error: {line}"));
        }
        for (height, hash) in network.history.decided(1).into_iter().filter(|(height, _)| *height <= network.history.tip(validator.index)) {
            if validator.hash(height).await? != Some(hash) {
                report.fail(format!("{name} does not have {hash} at height {height}"));
            }
        }
    }
    Ok(())
}
