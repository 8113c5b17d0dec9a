//! Load on a network: transactions that leave at their time, each followed until it is final.
//!
//! ```text
//!   prepare    chain, funds, token            once
//!   ahead      sign, on threads         -->   send, open loop or in a window   -->   nodes
//!                                                    |                                 |
//!                                                  tally   <--   follow: every new block
//!                                                    |
//!                                                  report, checked against nonces and receipts
//! ```
//!
//! Nothing here is particular to Axolotl: any node with Ethereum's JSON-RPC will do.
//!
//! At a rate, a request leaves when the clock says so, whether or not earlier ones are answered, and latency counts from then: a
//! network that stalls cannot hide it by slowing the load down.

mod accounts;
mod ahead;
mod chain;
mod errands;
mod errors;
mod fees;
mod following;
mod funding;
mod heads;
mod histogram;
mod plan;
mod prepare;
mod report;
mod sending;
mod signing;
mod tally;
pub mod token;

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

pub use self::{
    accounts::Accounts,
    chain::Chain,
    fees::GWEI,
    plan::{Kind, Plan, Rate},
    report::Report,
    signing::recipient,
    tally::Counts,
};
use self::{ahead::Ahead, following::follow, prepare::prepare, report::Checks, sending::send, signing::Recipe, tally::Tally};
use crate::exit::Failure;

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// How often the end looks whether all is final.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long the nodes may take to confirm the figures.
const CHECK_LIMIT: Duration = Duration::from_secs(5);

/// What is told while it runs.
#[derive(Debug)]
pub enum News<'a> {
    Note(&'a str),
    Progress(&'a Counts),
}

/// Runs `plan` until it is done or `stop` comes.
pub async fn run(
    chain: &Chain,
    accounts: &Accounts,
    plan: &Plan,
    stop: impl Future<Output = ()>,
    tell: &mut dyn FnMut(News<'_>),
) -> Result<Report, Failure> {
    let mut stop = pin!(stop);
    let mut say = |note: &str| tell(News::Note(note));
    let recipe = tokio::select! {
        recipe = prepare(chain, accounts, plan, &mut say) => recipe?,
        () = &mut stop => return Err(Failure::runtime("stopped before anything was sent").remedy("run it again")),
    };
    let (tally, nonces) = (Arc::new(Tally::new(plan.max_waiting())), recipe.nonces.clone());
    let is_interrupted = drive(chain, plan, recipe, &tally, stop, tell).await?;
    let counts = tally.counts();
    let checks = tokio::time::timeout(CHECK_LIMIT, check(chain, accounts, &nonces, &counts)).await.unwrap_or_default();
    let nodes = (0..chain.nodes()).map(|node| chain.client(node).authority().to_owned()).collect();
    Ok(Report::new(chain.id, nodes, plan, &counts, checks, is_interrupted))
}

/// Sends, follows and tells until all is settled; answers whether it was stopped before.
async fn drive(
    chain: &Chain,
    plan: &Plan,
    recipe: Recipe,
    tally: &Arc<Tally>,
    mut stop: Pin<&mut impl Future<Output = ()>>,
    tell: &mut dyn FnMut(News<'_>),
) -> Result<bool, Failure> {
    // Ends with this function.
    let mut follower = JoinSet::new();
    let next = chain.level(0).await? + 1;
    follower.spawn(follow(chain.clone(), tally.clone(), recipe.fees.clone(), next));
    let order = recipe.order;
    let ahead = Ahead::begin(recipe, plan.total()).await?;
    let mut work = pin!(async {
        let _under_way = send(chain, tally, plan, order, ahead).await;
        settle(tally, plan.settle).await;
    });
    let mut ticks = tokio::time::interval(TELL_EVERY);
    loop {
        tokio::select! {
            () = &mut work => return Ok(false),
            () = &mut stop => return Ok(true),
            _ = ticks.tick() => tell(News::Progress(&tally.counts())),
        }
    }
}

/// Waits until nothing waits any more, at most for `limit`.
async fn settle(tally: &Tally, limit: Duration) {
    let began = Instant::now();
    while 0 < tally.waiting() && began.elapsed() < limit {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Asks the chain in another way what became of it. A node that does not answer now does not undo what was measured.
async fn check(chain: &Chain, accounts: &Accounts, before: &[u64], counts: &Counts) -> Checks {
    let moved = async {
        chain.level(counts.blocks.last.unwrap_or_default()).await?;
        let after = chain.nonces(&accounts.addresses(), "latest").await?;
        Ok::<_, Failure>(after.iter().zip(before).map(|(after, before)| after.saturating_sub(*before)).sum())
    };
    let nonces_moved = moved.await.ok();
    match chain.failed(&counts.samples).await {
        Ok(receipts_failed) => Checks { nonces_moved, receipts_read: counts.samples.len(), receipts_failed },
        Err(_) => Checks { nonces_moved, ..Checks::default() },
    }
}
