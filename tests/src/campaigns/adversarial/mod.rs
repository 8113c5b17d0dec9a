//! One hostile peer after the other turns against one validator of a live network.
//!
//! ```text
//!   quiet | attack, and what it did | attack, and what it did | ...
//!           chain      no block later than so much after what is usual
//!           victim     memory grows no further than so much, and comes back
//!           attacker   cut, counted in a metric and named in a log line
//!           honest     every session between validators is still the same one
//! ```

mod attack;
mod before;
mod frames;
mod words;

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use node::development;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::Value;

use super::{START_LIMIT, Settings, check, observe};
use crate::{
    network::{Network, Plan},
    process::rss_mib,
    report::{Goal, Report},
    statistics::{longest_gap, ms},
    stranger::Target,
    validator::Validator,
    wait::eventually,
};
use attack::{ATTACKS, Attack, Trace};

const BLOCK_INTERVAL: Duration = Duration::from_millis(200);
/// Whom they all attack.
const VICTIM: usize = 0;
/// How long the network is looked at before anybody attacks.
const QUIET: Duration = Duration::from_secs(4);
/// Within which an attack must be over.
const ATTACK_LIMIT: Duration = Duration::from_secs(120);
/// How long counters and logs may take to tell of it.
const TOLD_LIMIT: Duration = Duration::from_secs(30);
/// How much later than usual a block may come.
const GAP_GOAL: Duration = Duration::from_secs(2);
/// How much one attack may add to the victim's memory, in MiB.
const GROWTH_LIMIT_MIB: f64 = 64.0;
/// How much may stay, in MiB: the database's cache, which has 16 MiB, may have filled, and the chain goes on meanwhile.
const STAYS_MIB: f64 = 40.0;
/// How long more than that may stay.
const RETURN_LIMIT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is special to this campaign.
#[derive(Clone, Debug)]
pub struct Adversarial {
    /// Only these; all when it is empty.
    pub attacks: Vec<String>,
    /// How much later than usual a block may come before it counts as a failure. The goal is less.
    pub gap: Duration,
    /// Whether to wait until memory is back.
    pub returns: bool,
}

/// Sessions between validators: by node id, from where to where.
type Sessions = BTreeMap<String, String>;

/// Runs the attacks, one after the other.
pub async fn adversarial(settings: &Settings, options: &Adversarial) -> Result<Report> {
    let wanted = wanted(&options.attacks)?;
    let mut report = Report::of("adversarial");
    let mut network = plan(settings).make(&mut StdRng::seed_from_u64(settings.seed))?;
    network.start_all()?;
    network.reach(5, START_LIMIT).await?;
    let observer = observe(&network, settings.seed).await?;
    let honest = settled(&network).await?;
    let from = Instant::now();
    tokio::time::sleep(QUIET).await;
    let usual = gap(&network, from);
    report.figure("quiet: longest time without a block", ms(usual), "ms");
    for (number, attack) in wanted.into_iter().enumerate() {
        let victim = &network.validators[VICTIM];
        let target = Target {
            port: victim.ports.p2p,
            domain: network.genesis.domain(),
            validators: network.genesis.validators.clone(),
            node: development::node_key(VICTIM as u32).public_key(),
            from: Ipv4Addr::new(127, 0, 1, 1 + number as u8),
        };
        watched(&network, attack, target, usual, options, &mut report).await.with_context(|| attack.name)?;
        let now = sessions(victim).await?;
        if now != honest {
            report.fail(format!("{}: sessions between validators were {honest:?} and are {now:?}", attack.name));
        }
    }
    check(&mut network, &observer, &mut report).await?;
    observer.stop().await;
    settings.finish(&mut network, &mut report);
    Ok(report)
}

fn wanted(names: &[String]) -> Result<Vec<Attack>> {
    if names.is_empty() {
        return Ok(ATTACKS.to_vec());
    }
    let known = || ATTACKS.iter().map(|attack| attack.name).collect::<Vec<_>>().join(", ");
    let find =
        |name: &String| ATTACKS.iter().find(|attack| attack.name == name).copied().with_context(|| format!("no attack is {name}, of {}", known()));
    names.iter().map(find).collect()
}

fn plan(settings: &Settings) -> Plan {
    let mut plan = settings.plan();
    let pace = |asked: Duration| if asked.is_zero() { BLOCK_INTERVAL } else { asked };
    // Whoever is refused at the door is named at this level: at any other a crowd of strangers would fill the disk.
    plan.settings.push("telemetry.log_level=info,actors::p2p=debug".to_owned());
    Plan { block_interval: pace(plan.block_interval), empty_block_interval: pace(plan.empty_block_interval), ..plan }
}

/// The sessions of the victim with all other validators, once there are all.
async fn settled(network: &Network) -> Result<Sessions> {
    let victim = &network.validators[VICTIM];
    let others = network.validators.len() - 1;
    let all = async || sessions(victim).await.ok().filter(|sessions| sessions.len() == others);
    eventually("the victim has a session with every validator", START_LIMIT, all).await?;
    // Two that dialled each other at once may still be settling which session stays.
    tokio::time::sleep(Duration::from_secs(1)).await;
    sessions(victim).await
}

async fn sessions(victim: &Validator) -> Result<Sessions> {
    let (_, body) = victim.client.get("/v1/peers").await?;
    let peers: Value = serde_json::from_slice(&body)?;
    let peers = peers.as_array().or_else(|| peers["peers"].as_array()).context("a list of peers")?;
    let text = |peer: &Value, key: &str| peer[key].as_str().unwrap_or_default().to_owned();
    Ok(peers.iter().filter(|peer| !peer["validator"].is_null()).map(|peer| (text(peer, "id"), text(peer, "address"))).collect())
}

/// The longest that any validator stood still since.
fn gap(network: &Network, since: Instant) -> Duration {
    let of = |validator: &Validator| longest_gap(&network.history.moments(validator.index, since), since, Instant::now());
    network.validators.iter().map(of).max().unwrap_or_default()
}

async fn watched(network: &Network, attack: Attack, target: Target, usual: Duration, options: &Adversarial, report: &mut Report) -> Result<()> {
    let (name, victim) = (attack.name, &network.validators[VICTIM]);
    let counted = attack.counted.of(&victim.metrics().await?);
    let (logged, before, from) = (victim.log().len(), rss_mib(victim.pid()), Instant::now());
    let mut peak = before;
    let look = async {
        loop {
            peak = rss_mib(victim.pid()).max(peak);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let outcome = tokio::select! {
        never = look => never,
        outcome = tokio::time::timeout(ATTACK_LIMIT, (attack.run)(target)) => outcome,
    };
    match outcome {
        Ok(Ok(Trace(named))) => is_told(victim, attack, counted, (&named, logged), report).await,
        Ok(Err(error)) => report.fail(format!("{name}: {error:#}")),
        Err(_) => report.fail(format!("{name}: not over within {ATTACK_LIMIT:?}")),
    }
    let took = from.elapsed();
    goes_on(network, name, report).await;
    let gap = gap(network, from);
    report.figure(format!("{name}: took"), took.as_secs_f64(), "s");
    report.with_goal(format!("{name}: longest time without a block"), ms(gap), "ms", Goal::AtMost(ms(usual + GAP_GOAL)));
    if usual + options.gap < gap {
        report.fail(format!("{name}: no block for {gap:?}, where {usual:?} is usual"));
    }
    report.with_goal(format!("{name}: memory"), peak - before, "MiB", Goal::AtMost(GROWTH_LIMIT_MIB));
    if GROWTH_LIMIT_MIB < peak - before {
        report.fail(format!("{name}: the victim's memory grew from {before:.0} to {peak:.0} MiB"));
    }
    if options.returns {
        returns(victim, name, before, report).await;
    }
    is_well(victim, name, report).await;
    Ok(())
}

/// Every validator has another block.
async fn goes_on(network: &Network, name: &str, report: &mut Report) {
    let next = network.history.highest() + 1;
    let is_there = async || network.validators.iter().all(|validator| next <= network.history.tip(validator.index)).then_some(());
    if let Err(error) = eventually("another block", START_LIMIT, is_there).await {
        report.fail(format!("{name}: {error:#}"));
    }
}

/// The attacker is counted and named.
async fn is_told(victim: &Validator, attack: Attack, before: f64, named: (&str, usize), report: &mut Report) {
    let (name, counted) = (attack.name, attack.counted);
    let counts = async || victim.metrics().await.ok().filter(|metrics| before < counted.of(metrics)).map(drop);
    if eventually("the attack is counted", TOLD_LIMIT, counts).await.is_err() {
        report.fail(format!("{name}: {counted:?} is still {before}"));
    }
    let (text, from) = named;
    let names = async || victim.log().get(from..).filter(|log| log.to_lowercase().contains(&text.to_lowercase())).map(drop);
    if eventually("the attacker is named", TOLD_LIMIT, names).await.is_err() {
        report.fail(format!("{name}: no line of the log has {text:?}"));
    }
}

async fn returns(victim: &Validator, name: &str, before: f64, report: &mut Report) {
    let is_back = async || (rss_mib(victim.pid()) <= before + STAYS_MIB).then_some(());
    if eventually("the victim's memory is back", RETURN_LIMIT, is_back).await.is_err() {
        report.fail(format!("{name}: the victim's memory was {before:.0} MiB and is {:.0} MiB after {RETURN_LIMIT:?}", rss_mib(victim.pid())));
    }
}

/// No actor was restarted, the door is open, and nobody thinks that it lags.
async fn is_well(victim: &Validator, name: &str, report: &mut Report) {
    let is_well = |health: &Value| health["actors"]["restarts_1h"] == 0 && health["status"] == "ok";
    let looks = async || victim.health().await.filter(is_well).map(drop);
    if eventually("the victim is well", TOLD_LIMIT, looks).await.is_err() {
        report.fail(format!("{name}: the victim is unwell: {}", victim.health().await.unwrap_or_default()));
    }
}
