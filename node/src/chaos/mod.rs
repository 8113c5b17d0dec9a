//! Chaos: random faults in the actors of a running network, while what must always hold is checked all along.
//!
//! ```text
//!   plan      seed, duration, network  -->  what fails when, where and how
//!   schedule  each strike at its moment, over the admin listener       -->  striking: until the actor serves again
//!   watching  every block, every /readyz, every piece of evidence      -->  record: agreement, truth
//!   load      transfers                                                -->  each acknowledged one must become final
//!   closing   all ready, the same state, the same receipts
//!                                   |
//!                               invariants  -->  report
//! ```
//!
//! Everything is seen over what anybody may ask a node, and everything is done over what its operator may do to it. The rules are plain
//! values: [`plan`], [`agreement`], [`truth`], [`invariants`].

pub mod agreement;
mod closing;
pub mod healing;
pub mod invariants;
pub mod kind;
pub mod localnet;
pub mod plan;
mod record;
mod report;
mod schedule;
mod striking;
pub mod target;
mod tree_clock;
pub mod truth;
mod watching;

use std::{
    cell::{Cell, RefCell},
    pin::pin,
    time::{Duration, Instant},
};

use primitives::genesis::ConsensusParameters;
use tokio::{sync::watch, time::timeout};

use self::{
    closing::close,
    invariants::{Findings, Transactions, judge},
    record::{Record, Seen},
    schedule::{Done, carry_out},
    striking::{End, Outcome},
    watching::watch as watch_all,
};
pub use self::{
    healing::{Healed, Healing},
    kind::Kind,
    localnet::Localnet,
    plan::{Plan, Rules},
    report::{FaultLine, Report},
    target::Target,
    tree_clock::TreeClock,
};
use crate::{
    exit::Failure,
    figures::statistics::ms,
    load::{self, Accounts, Chain, News, Rate},
};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// A little longer than a strike, to see the chain go on after it.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How long faults that were not met may take to be taken back.
const CLEAR_LIMIT: Duration = Duration::from_secs(10);
/// How long everybody may take to be ready after a run that was stopped.
const STOPPED_LIMIT: Duration = Duration::from_secs(10);
const LOAD_IN_FLIGHT: usize = 64;

/// What accompanies the faults.
#[derive(Debug)]
pub struct Settings {
    /// Transfers a second; none without.
    pub rate: Option<f64>,
    pub accounts: Accounts,
    /// How long everything may take to be well and final in the end.
    pub settle: Duration,
    /// More may be struck than the others can do without.
    pub is_unbounded: bool,
}

/// What is told while it runs.
#[derive(Debug)]
pub enum Told<'a> {
    Note(&'a str),
    /// A fault that has come to an end.
    Fault(&'a FaultLine),
    /// How it is going.
    Progress {
        elapsed: Duration,
        height: u64,
        struck: usize,
        planned: usize,
        submitted: u64,
        finalised: u64,
    },
}

/// Carries out `plan` on `target`, until it is over or `stop` comes.
pub async fn run(
    target: &Target,
    plan: &Plan,
    settings: &Settings,
    stop: impl Future<Output = ()>,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Report, Failure> {
    let urls: Vec<String> = target.nodes.iter().map(|node| node.rpc.clone()).collect();
    let chain = Chain::reach(&urls).await?;
    let next = chain.level(0).await? + 1;
    let record = Record::new(target.nodes.len(), actors::api::stale_after(&target.genesis.consensus));
    let watchers = watch_all(target, &record, next);
    let begun = Instant::now();
    let mut done = Vec::new();
    let driven = Drive { target, plan, settings, chain: &chain, begun, record: &record }.run(&mut done, stop, tell).await;
    let _ = timeout(CLEAR_LIMIT, target.clear()).await;
    let (transactions, is_interrupted) = driven?;
    let limit = if is_interrupted { settings.settle.min(STOPPED_LIMIT) } else { settings.settle };
    let closing = close(target, &record, limit).await;
    drop(watchers);
    let found = Findings { closing, transactions, is_interrupted, ..findings(target, &record.seen(), &done, settings.is_unbounded) };
    let faults = fault_lines(target, &found.seen, &done, begun);
    Ok(Report {
        seed: plan.seed,
        duration_ms: plan.duration_ms,
        chain_id: chain.id,
        nodes: target.nodes.iter().map(|node| node.name.clone()).collect(),
        interrupted: is_interrupted,
        planned: plan.strikes.len(),
        struck: done.len(),
        not_begun: plan.strikes.len() - done.len(),
        times: report::times(&faults),
        faults,
        gap_worst_ms: ms(found.gap),
        gap_limit_ms: found.gap_limit.map(ms),
        transactions,
        invariants: judge(&found),
        left_out: plan.left_out.clone(),
    })
}

/// One run, while it goes on.
struct Drive<'a> {
    target: &'a Target,
    plan: &'a Plan,
    settings: &'a Settings,
    chain: &'a Chain,
    begun: Instant,
    record: &'a Record,
}

impl Drive<'_> {
    /// Strikes and sends until both are over, or `stop` comes; answers what became of the transactions, and whether it was stopped.
    async fn run(
        &self,
        done: &mut Vec<Done>,
        stop: impl Future<Output = ()>,
        tell: &mut dyn FnMut(Told<'_>),
    ) -> Result<(Option<Transactions>, bool), Failure> {
        let tell = RefCell::new(tell);
        let (struck, counts) = (Cell::new(0), Cell::new((0, 0)));
        let (halt, halted) = watch::channel(false);
        let (load, loaded) = watch::channel(self.settings.rate.is_none());
        let mut stop = pin!(stop);
        let mut sending = pin!(self.send(halted, |news| match news {
            News::Note(note) => tell.borrow_mut()(Told::Note(note)),
            News::Progress(found) => {
                load.send_replace(true);
                counts.set((found.submitted, found.finalised));
            }
        }));
        let mut striking = pin!(async {
            told(loaded).await;
            let say = |done: &Done| {
                struck.set(struck.get() + 1);
                report::lines(done, self.begun, Duration::ZERO).iter().for_each(|line| tell.borrow_mut()(Told::Fault(line)));
            };
            carry_out(self.target, self.plan, self.settings.is_unbounded, done, say).await;
        });
        let (mut sent, mut is_over, mut is_stopped) = (None, false, false);
        let mut ticks = tokio::time::interval(TELL_EVERY);
        loop {
            tokio::select! {
                result = &mut sending, if sent.is_none() => sent = Some(result?),
                () = &mut striking, if !is_over => is_over = true,
                () = &mut stop, if !is_stopped => {
                    (is_over, is_stopped) = (true, true);
                    halt.send_replace(true);
                }
                _ = ticks.tick() => {
                    let (submitted, finalised) = counts.get();
                    let (elapsed, height, planned) = (self.begun.elapsed(), self.record.height(), self.plan.strikes.len());
                    tell.borrow_mut()(Told::Progress { elapsed, height, struck: struck.get(), planned, submitted, finalised });
                }
            }
            if let Some(sent) = sent.filter(|_| is_over) {
                return Ok((sent, is_stopped));
            }
        }
    }

    /// The load of the run; none if there is to be none.
    async fn send(&self, halted: watch::Receiver<bool>, mut tell: impl FnMut(News<'_>)) -> Result<Option<Transactions>, Failure> {
        let Some(rate) = self.settings.rate else { return Ok(None) };
        let plan = load::Plan {
            rate: Rate::PerSecond(rate),
            duration: Duration::from_millis(self.plan.duration_ms),
            kind: load::Kind::Transfer,
            accounts: self.settings.accounts.senders.len(),
            recipients: None,
            batch: 1,
            in_flight: LOAD_IN_FLIGHT,
            window: LOAD_IN_FLIGHT,
            settle: self.settings.settle,
            fee_cap: None,
        };
        let report = load::run(self.chain, &self.settings.accounts, &plan, told(halted), &mut tell).await?;
        let load::Report { submitted, accepted, finalised, refused, .. } = report;
        Ok(Some(Transactions { submitted, acknowledged: accepted, finalised, refused }))
    }
}

/// Waits until it is told; for ever when nobody is left who could.
async fn told(mut word: watch::Receiver<bool>) {
    if word.wait_for(|is_said| *is_said).await.is_err() {
        std::future::pending().await
    }
}

/// What was done, and what was seen meanwhile.
fn findings(target: &Target, seen: &Seen, done: &[Done], is_unbounded: bool) -> Findings {
    let gap = done.iter().map(|one| gap_of(target, seen, done, one)).max().unwrap_or_default();
    let gap_limit = (!is_unbounded).then(|| gap_limit(&target.genesis.consensus));
    Findings { seen: seen.clone(), gap, gap_limit, strikes: done.len(), lost: done.iter().flat_map(lost).collect(), ..Findings::default() }
}

fn lost(done: &Done) -> Vec<String> {
    let name = &done.strike.name;
    let lost = |Outcome { fault, end }: &Outcome| match end {
        End::Lost { limit, state, .. } => {
            Some(format!("{name}: {} after a {} is not back after {} ms: {state}", fault.actor, fault.kind, limit.as_millis()))
        }
        End::Absent(why) => Some(format!("{name} was away before it was struck: {why}")),
        End::Healed { .. } | End::Missed(_) => None,
    };
    done.outcomes.iter().filter_map(lost).collect()
}

fn fault_lines(target: &Target, seen: &Seen, done: &[Done], begun: Instant) -> Vec<FaultLine> {
    done.iter().flat_map(|one| report::lines(one, begun, gap_of(target, seen, done, one))).collect()
}

/// The longest time without a block at any validator that was not struck while this one was.
fn gap_of(target: &Target, seen: &Seen, done: &[Done], one: &Done) -> Duration {
    let (from, until) = (one.from, one.until + AFTERMATH);
    let is_struck = |node: usize| done.iter().any(|other| other.strike.validator == node && other.from <= until && from <= other.until);
    let others = (0..target.nodes.len()).filter(|node| 0 < target.nodes[*node].subject.power && !is_struck(*node));
    seen.gap(others, from, until.min(Instant::now())).unwrap_or_default()
}

/// The pace of an idle chain, and one round that fails at all its timeouts.
fn gap_limit(parameters: &ConsensusParameters) -> Duration {
    let timeouts = &parameters.timeouts;
    parameters.empty_block_interval + timeouts.propose + timeouts.prevote + timeouts.precommit
}
