//! The attacks. Each takes so long from when all that it sends is signed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use primitives::Address;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    attacker::{Attacker, Outcomes},
    bystander::TIP,
    wallet::{FEE_CAP, GWEI, Order, Wallet},
};
use crate::fuzz::{LOOPER, RECURSOR, RETURNER, REVERTER, contract_of};

/// Accounts of attacks that need only a few. The first one floods, and each other attack has its own.
pub const GANG: u32 = 33;
pub const LOOPING: std::ops::Range<usize> = 1..17;
pub const HOARDING: std::ops::Range<usize> = 17..33;
/// Transactions that each of them has ready.
const LOOPS: u64 = 40;
const HOARDS: u64 = 200;
/// Of the one account: transfers in order, transfers behind a gap, and of each other kind.
const VALID: u64 = 3_000;
const BEHIND_A_GAP: u64 = 1_000;
const OF_A_KIND: u64 = 200;
const FAR_AHEAD: u64 = 10_000;
/// Of each account in the crowd: one that can be executed, and so many behind a gap, more than a pool has room for.
const CROWD_GAPS: u64 = 7;
const BATCH: usize = 100;
const CONNECTIONS: usize = 8;
const CALLERS: usize = 64;
const TRANSFER_GAS: u64 = 21_000;
/// What most floods pay.
const FLOOD_TIP: u128 = GWEI;

/// Whom to attack.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub port: u16,
    pub chain_id: u64,
    /// Of a block.
    pub gas_limit: u64,
}

impl Target {
    fn transfer(&self, nonce: u64) -> Order {
        let Self { chain_id, .. } = *self;
        Order { chain_id, nonce, to: Address::repeat_byte(0xdd), gas: TRANSFER_GAS, fee_cap: FEE_CAP, tip: FLOOD_TIP }
    }
}

/// One account: more than anybody may have waiting, gaps, replacements that pay and that do not, what is known, what pays nothing.
pub async fn one_account(target: Target, gang: Arc<Vec<Wallet>>, length: Duration) -> Result<Outcomes> {
    let sign = move || -> Result<_> {
        let flooder = &gang[0];
        let many = |nonces: std::ops::Range<u64>, change: fn(Order) -> Order| -> Result<Vec<String>> {
            nonces.map(|nonce| Ok(flooder.sign(change(target.transfer(nonce)))?.1)).collect()
        };
        let gap = VALID + 10;
        let good = many(0..VALID, |order| order)?;
        let behind = many(gap..gap + BEHIND_A_GAP, |order| order)?;
        let paying = many(gap..gap + OF_A_KIND, |order| Order { fee_cap: order.fee_cap * 2, tip: order.tip * 2, ..order })?;
        let underpriced = many(gap..gap + OF_A_KIND, |order| Order { gas: order.gas + 1, ..order })?;
        let far = many(FAR_AHEAD..FAR_AHEAD + OF_A_KIND, |order| order)?;
        let free = many(gap + BEHIND_A_GAP..gap + BEHIND_A_GAP + OF_A_KIND, |order| Order { fee_cap: 1, ..order })?;
        let again = [behind.clone(), underpriced, far, paying.clone()].concat();
        Ok(([good, behind, paying, free].concat(), again))
    };
    let (once, again) = tokio::task::spawn_blocking(sign).await??;
    let until = Instant::now() + length;
    let mut outcomes = flood(target.port, once, until).await?;
    while Instant::now() < until {
        outcomes.add(flood(target.port, again.clone(), until).await?);
    }
    Ok(outcomes)
}

/// Signs what the crowd sends.
pub async fn sign_crowd(target: Target, crowd: Arc<Vec<Wallet>>) -> Result<Vec<String>> {
    let sign = move || {
        let nonces = std::iter::once(0).chain(2..2 + CROWD_GAPS);
        let orders = nonces.flat_map(|nonce| crowd.iter().map(move |wallet| (wallet, target.transfer(nonce))));
        orders.map(|(wallet, order)| Ok(wallet.sign(order)?.1)).collect::<Result<Vec<_>>>()
    };
    tokio::task::spawn_blocking(sign).await?
}

/// Many accounts, each with something to execute and a lot that waits for a nonce that never comes.
pub async fn many_accounts(target: Target, signed: Vec<String>, until: Instant) -> Result<Outcomes> {
    let mut outcomes = Outcomes::default();
    while Instant::now() < until {
        outcomes.add(flood(target.port, signed.clone(), until).await?);
    }
    Ok(outcomes)
}

/// Every block full of one loop that spends all its gas.
pub async fn loops(target: Target, gang: Arc<Vec<Wallet>>, length: Duration) -> Result<Outcomes> {
    let order = move |nonce| Order { to: contract_of(LOOPER), gas: target.gas_limit, ..target.transfer(nonce) };
    let signed = ready(gang, LOOPING, LOOPS, order).await?;
    let until = Instant::now() + length;
    let outcomes = flood(target.port, signed, until).await?;
    tokio::time::sleep_until(until.into()).await;
    Ok(outcomes)
}

/// Transfers that reserve all the gas of a block, use next to nothing, and pay more than the bystander.
pub async fn hoarders(target: Target, gang: Arc<Vec<Wallet>>, length: Duration) -> Result<Outcomes> {
    let order = move |nonce| Order { gas: target.gas_limit, tip: 2 * TIP, ..target.transfer(nonce) };
    let signed = ready(gang, HOARDING, HOARDS, order).await?;
    let until = Instant::now() + length;
    let outcomes = flood(target.port, signed, until).await?;
    tokio::time::sleep_until(until.into()).await;
    Ok(outcomes)
}

async fn ready(
    gang: Arc<Vec<Wallet>>,
    who: std::ops::Range<usize>,
    count: u64,
    order: impl Fn(u64) -> Order + Send + 'static,
) -> Result<Vec<String>> {
    let sign = move || {
        let pairs = (0..count).flat_map(|nonce| gang[who.clone()].iter().map(move |wallet| (wallet, nonce)));
        pairs.map(|(wallet, nonce)| Ok(wallet.sign(order(nonce))?.1)).collect()
    };
    tokio::task::spawn_blocking(sign).await?
}

/// Sends all of `signed` in their order, over a few connections, as fast as answers come.
async fn flood(port: u16, signed: Vec<String>, until: Instant) -> Result<Outcomes> {
    let mut shares: Vec<Vec<Vec<String>>> = vec![Vec::new(); CONNECTIONS];
    for (number, batch) in signed.chunks(BATCH).enumerate() {
        shares[number % CONNECTIONS].push(batch.to_vec());
    }
    let share = |batches: Vec<Vec<String>>| async move {
        let mut attacker = Attacker::of(port);
        for batch in batches {
            if until <= Instant::now() {
                break;
            }
            attacker.submit(&batch).await;
        }
        attacker.outcomes
    };
    gathered(shares.into_iter().map(share).collect()).await
}

/// Calls that never end, recurse as deep as they can, and answer megabytes.
pub async fn calls(target: Target, until: Instant) -> Result<Outcomes> {
    let calls: Arc<Vec<(&str, Value)>> = Arc::new(endless_calls());
    let caller = |number: usize| {
        let calls = calls.clone();
        async move {
            let mut attacker = Attacker::of(target.port);
            for (method, params) in calls.iter().cycle().skip(number) {
                if until <= Instant::now() {
                    break;
                }
                attacker.ask(method, params).await;
            }
            attacker.outcomes
        }
    };
    gathered((0..CALLERS).map(caller).collect()).await
}

fn endless_calls() -> Vec<(&'static str, Value)> {
    let call = |code: &str, bytes: u64| json!({ "to": contract_of(code), "data": format!("0x{bytes:064x}") });
    let (endless, deep, long, angry) = (call(LOOPER, 0), call(RECURSOR, 0), call(RETURNER, 4 << 20), call(REVERTER, 1 << 20));
    vec![
        ("eth_call", json!([endless, "latest"])),
        ("eth_estimateGas", json!([endless])),
        ("debug_traceCall", json!([endless, "latest", {}])),
        ("eth_createAccessList", json!([endless])),
        ("eth_call", json!([deep, "latest"])),
        ("eth_estimateGas", json!([deep])),
        ("debug_traceCall", json!([deep, "latest", { "tracer": "callTracer", "timeout": "1h" }])),
        ("eth_call", json!([long, "latest"])),
        ("debug_traceCall", json!([long, "latest", { "enableMemory": true, "enableReturnData": true }])),
        ("eth_call", json!([angry, "latest"])),
    ]
}

async fn gathered(mut attackers: JoinSet<Outcomes>) -> Result<Outcomes> {
    let mut outcomes = Outcomes::default();
    while let Some(ended) = attackers.join_next().await {
        outcomes.add(ended?);
    }
    Ok(outcomes)
}
