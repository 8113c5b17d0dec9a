//! Attacks that cost their author little: floods of transactions, blocks full of loops, calls without an end. Meanwhile a bystander
//! sends a transaction now and then and asks for the height, at the very validator that is attacked.
//!
//! ```text
//!   quiet | one account | many accounts | loops | hoarders | calls
//!           each for so long; blocks, bystander and memory are looked at all the time
//! ```
//!
//! It fails when a bystander is not served, and when an attack did not take place.

mod aim;
mod attacker;
mod attacks;
mod bystander;
mod wallet;

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use primitives::{Address, U256};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;

use super::{SETTLE_LIMIT, START_LIMIT, Settings, check, observe};
use crate::{
    fuzz::{CONTRACTS, contract},
    network::{Further, Network, Plan},
    process::rss_mib,
    report::{Goal, Report},
    statistics::{intervals, longest_gap, ms, quantile},
    wait::eventually,
};
use attacker::Outcomes;
use attacks::Target;
use bystander::{Bystander, Experience};
use wallet::Wallet;

const BLOCK_INTERVAL: Duration = Duration::from_millis(200);
/// The longest that any attack may keep the chain from its next block.
const GAP_LIMIT: Duration = Duration::from_secs(15);
/// Memory of a validator that is reached under no circumstances.
const MEMORY_LIMIT_MIB: f64 = 2_048.0;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What everybody who attacks has, in ether.
const RICHES: u64 = 1_000_000_000;

/// What is special to this campaign.
#[derive(Clone, Debug)]
pub struct Hostile {
    /// Of each attack.
    pub length: Duration,
    /// Senders of the flood from many accounts.
    pub accounts: u32,
    /// Only attacks whose name has this in it.
    pub only: Option<String>,
}

/// Runs one attack after the other on one network.
pub async fn hostile(settings: &Settings, options: &Hostile) -> Result<Report> {
    let wanted = aim::wanted(options.only.as_deref())?;
    let mut report = Report::of("hostile");
    let crowd = Arc::new(Wallet::many("crowd", options.accounts)?);
    let gang = Arc::new(Wallet::many("gang", attacks::GANG)?);
    let honest = Wallet::many("bystander", 1)?.remove(0);
    let rich: Vec<Address> = crowd.iter().chain(gang.iter()).chain([&honest]).map(Wallet::address).collect();
    let mut network = plan(settings, rich).make(&mut StdRng::seed_from_u64(settings.seed))?;
    network.start_all()?;
    network.reach(1, START_LIMIT).await?;
    let observer = observe(&network, settings.seed).await?;
    let target = Target { port: network.validators[0].ports.rpc, chain_id: network.genesis.chain_id, gas_limit: network.genesis.gas_limit };
    let mut bystander = Bystander::new(honest, target, network.validators[0].client.clone());
    let is_wanted = |name: &str| wanted.contains(&name);
    let until = || Instant::now() + options.length;

    watched(&network, "quiet", &mut bystander, &mut report, async {
        tokio::time::sleep(options.length).await;
        Ok(Outcomes::default())
    })
    .await?;
    if is_wanted("one account") {
        let attack = attacks::one_account(target, gang.clone(), options.length);
        watched(&network, "one account", &mut bystander, &mut report, attack).await?;
        took_place(&network, "one account", &gang[..1], &mut report).await;
    }
    if is_wanted("many accounts") {
        let signed = attacks::sign_crowd(target, crowd.clone()).await?;
        watched(&network, "many accounts", &mut bystander, &mut report, attacks::many_accounts(target, signed, until())).await?;
        took_place(&network, "many accounts", &crowd, &mut report).await;
    }
    if is_wanted("loops") {
        let attack = attacks::loops(target, gang.clone(), options.length);
        watched(&network, "loops", &mut bystander, &mut report, attack).await?;
        took_place(&network, "loops", &gang[attacks::LOOPING], &mut report).await;
    }
    if is_wanted("hoarders") {
        let attack = attacks::hoarders(target, gang.clone(), options.length);
        watched(&network, "hoarders", &mut bystander, &mut report, attack).await?;
        took_place(&network, "hoarders", &gang[attacks::HOARDING], &mut report).await;
    }
    if is_wanted("calls") {
        watched(&network, "calls", &mut bystander, &mut report, attacks::calls(target, until())).await?;
    }
    ends_well(&mut network, &bystander, &mut report).await?;
    check(&mut network, &observer, &mut report).await?;
    observer.stop().await;
    settings.finish(&mut network, &mut report);
    Ok(report)
}

fn plan(settings: &Settings, rich: Vec<Address>) -> Plan {
    let plan = settings.plan();
    let pace = |asked: Duration| if asked.is_zero() { BLOCK_INTERVAL } else { asked };
    let balance = U256::from(RICHES) * U256::from(10).pow(U256::from(18));
    let account = |address: Address| Further { address, balance, code: None };
    let code = |(place, code): (usize, &&str)| Further {
        address: contract(place),
        balance: U256::from(1),
        code: hex::decode(code.trim_start_matches("0x")).ok(),
    };
    let further = rich.into_iter().map(account).chain(CONTRACTS.iter().enumerate().map(code)).collect();
    Plan { block_interval: pace(plan.block_interval), empty_block_interval: pace(plan.empty_block_interval), further, ..plan }
}

/// Looks at everything while `attack` goes on.
async fn watched(
    network: &Network,
    name: &str,
    bystander: &mut Bystander,
    report: &mut Report,
    attack: impl Future<Output = Result<Outcomes>>,
) -> Result<()> {
    let from = Instant::now();
    let mut memory = 0.0_f64;
    let look = async {
        loop {
            memory = network.validators.iter().map(|validator| rss_mib(validator.pid())).fold(memory, f64::max);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let (outcomes, experience) = tokio::select! {
        never = look => never,
        both = bystander.lives_through(attack) => both?,
    };
    let until = Instant::now();
    let moments: Vec<_> = network.history.moments(0, from).into_iter().filter(|at| *at <= until).collect();
    show_blocks(name, &moments, from, until, report);
    show_experience(name, &experience, report);
    experience.failures(until.duration_since(from)).into_iter().for_each(|failure| report.fail(format!("{name}: {failure}")));
    report.figure(format!("{name}: memory of the largest validator"), memory, "MiB");
    for (outcome, count) in &outcomes.by_name {
        report.figure(format!("{name}: {outcome}"), *count as f64, "");
    }
    outcomes.wrong.iter().for_each(|wrong| report.fail(format!("{name}: {wrong}")));
    for aim in aim::aims(name).iter().filter(|aim| !aim.is_met(&outcomes)) {
        report.fail(format!("{name}: the attack did not take place: no outcome is {aim:?}, of {:?}", outcomes.by_name));
    }
    if MEMORY_LIMIT_MIB < memory {
        report.fail(format!("{name}: a validator took {memory:.0} MiB; the bound is {MEMORY_LIMIT_MIB} MiB"));
    }
    Ok(())
}

fn show_blocks(name: &str, moments: &[Instant], from: Instant, until: Instant, report: &mut Report) {
    let between = intervals(moments);
    report.figure(format!("{name}: between two blocks, p50"), ms(quantile(&between, 500)), "ms");
    report.with_goal(format!("{name}: between two blocks, p99"), ms(quantile(&between, 990)), "ms", Goal::AtMost(2_000.0));
    let gap = longest_gap(moments, from, until);
    if GAP_LIMIT < gap {
        report.fail(format!("{name}: no block for {gap:?}"));
    }
}

fn show_experience(name: &str, experience: &Experience, report: &mut Report) {
    let (finalities, heights) = (experience.waits_for_receipts(), experience.waits_for_heights());
    report.figure(format!("{name}: a bystander's transactions"), experience.finalities.len() as f64, "");
    report.figure(format!("{name}: submit to receipt, p50"), ms(quantile(&finalities, 500)), "ms");
    report.with_goal(format!("{name}: submit to receipt, longest"), ms(quantile(&finalities, 1_000)), "ms", Goal::AtMost(4_000.0));
    report.with_goal(format!("{name}: submit to receipt, later than {} s", bystander::WAIT.as_secs()), experience.late as f64, "", Goal::AtMost(0.0));
    report.figure(format!("{name}: eth_blockNumber, p50"), ms(quantile(&heights, 500)), "ms");
    report.with_goal(format!("{name}: eth_blockNumber, p99"), ms(quantile(&heights, 990)), "ms", Goal::AtMost(500.0));
    report.figure(format!("{name}: eth_blockNumber, not answered"), experience.unanswered.len() as f64, "");
}

/// Something that `attackers` sent is in a block: what a rule of the pool kept out, or let in for nothing, filled none.
async fn took_place(network: &Network, name: &str, attackers: &[Wallet], report: &mut Report) {
    let client = &network.validators[0].client;
    let mined = async || {
        for attacker in attackers {
            let nonce = client.call("eth_getTransactionCount", json!([attacker.address(), "latest"])).await.ok()?;
            if nonce != "0x0" {
                return Some(());
            }
        }
        None
    };
    if let Err(error) = eventually("a transaction of the attack is in a block", GAP_LIMIT, mined).await {
        report.fail(format!("{name}: the attack did not take place: {error:#}"));
    }
}

/// All that the bystander sent is final, and no actor was restarted.
async fn ends_well(network: &mut Network, bystander: &Bystander, report: &mut Report) -> Result<()> {
    let settled = eventually("the bystander's transactions are final", SETTLE_LIMIT, async || bystander.is_settled().await.then_some(())).await;
    if let Err(error) = settled {
        report.fail(format!("{error:#}"));
    }
    for validator in &network.validators {
        let health = validator.health().await.unwrap_or_default();
        if health["actors"]["restarts_1h"] != 0 {
            report.fail(format!("{}: an actor was restarted: {health}", validator.name));
        }
    }
    Ok(())
}
