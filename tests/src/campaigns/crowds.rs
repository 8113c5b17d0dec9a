//! Crashes at once: what a restart must cope with when it is not alone.
//!
//! | crowd      | what crashes                                                        |
//! |------------|---------------------------------------------------------------------|
//! | `pairs`    | each two actors of one validator, both at once                      |
//! | `all`      | all actors of one validator at once                                 |
//! | `listener` | the P2P listener, as often as it comes back                         |
//! | `sessions` | one session after the other, ten a second                           |

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{
    Settings,
    group::Group,
    strike::{BY, kill, stable},
};
use crate::{
    report::{Goal, Report},
    statistics::{ms, quantile},
    table::Table,
};

/// Transfers are signed for so much time with a pair.
const PAIR_AT_MOST: Duration = Duration::from_secs(20);
/// Times that all actors crash.
const TIMES_ALL: usize = 5;
/// Between two crashes of the listener.
const LISTENER_EVERY: Duration = Duration::from_secs(1);
/// Between two crashes of sessions.
const SESSION_EVERY: Duration = Duration::from_millis(100);
/// How long the chain is watched after a crowd, at least.
const WATCHED: Duration = Duration::from_millis(1_000);
const LISTENER: &str = "p2p.listener";
const GOSSIP: &str = "p2p.gossip";
const COLUMNS: [&str; 6] = ["times", "crashes", "all healed, median", "all healed, worst", "gap at the others, worst", "gap at itself, worst"];

/// Who crashes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Crowd {
    Pairs,
    All,
    Listener,
    Sessions,
}

impl Crowd {
    pub const EACH: [Self; 4] = [Self::Pairs, Self::All, Self::Listener, Self::Sessions];
}

impl fmt::Display for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pairs => "pairs",
            Self::All => "all",
            Self::Listener => "listener",
            Self::Sessions => "sessions",
        })
    }
}

/// What is special to this campaign.
#[derive(Clone, Debug)]
pub struct Crowds {
    pub crowds: Vec<Crowd>,
    /// Transfers a second.
    pub rate: u64,
    /// How many pairs, chosen by the seed; none: each.
    pub pairs: Option<usize>,
    /// How long the listener crashes, and how long the sessions do.
    pub length: Duration,
}

/// What one crowd showed.
#[derive(Clone, Copy, Debug)]
struct Shown {
    crashes: usize,
    /// Until the last actor was itself again.
    healed: Duration,
    others: Duration,
    victim: Duration,
}

/// Lets all crowds crash in one validator, all validators in this process.
pub async fn crowds(settings: &Settings, options: &Crowds) -> Result<Report> {
    let mut report = Report::of("crowds");
    let mut random = StdRng::seed_from_u64(settings.seed);
    let mut group = Group::start(settings).await?;
    let actors = group.actors()?;
    let pairs = pairs(&actors, options.pairs, &mut random);
    let length = 2 * options.length + PAIR_AT_MOST * (pairs.len() + TIMES_ALL) as u32;
    group.carry(options.rate, length).await?;
    let mut table = Table::new("crashes at once, ms", &["crowd"], &COLUMNS);
    let mut worst = Duration::ZERO;
    for crowd in &options.crowds {
        let shown = match crowd {
            Crowd::Pairs => each(&mut group, &pairs, &mut report).await?,
            Crowd::All => each(&mut group, &vec![actors.clone(); TIMES_ALL], &mut report).await?,
            Crowd::Listener => vec![lasting(&mut group, options.length, LISTENER_EVERY, |_| Some(LISTENER.to_owned()), &mut report).await?],
            Crowd::Sessions => {
                let session = |group: &Group| sessions(group).and_then(|all| all.get(random.random_range(0..all.len())).cloned());
                vec![lasting(&mut group, options.length, SESSION_EVERY, session, &mut report).await?]
            }
        };
        worst = shown.iter().map(|shown| shown.others).chain([worst]).max().unwrap_or_default();
        table.row([crowd.to_string()], row(&shown));
    }
    report.table_of(table);
    let limit = ms(group.propose_timeout());
    report.with_goal("gap at the others, worst (goal: the propose timeout)", ms(worst), "ms", Goal::AtMost(limit));
    group.end(&mut report).await?;
    Ok(report)
}

/// Each two of `actors`, or `count` of these.
fn pairs(actors: &[String], count: Option<usize>, random: &mut StdRng) -> Vec<Vec<String>> {
    let second = |(index, first): (usize, &String)| actors[index + 1..].iter().map(|second| vec![first.clone(), second.clone()]).collect::<Vec<_>>();
    let mut pairs: Vec<_> = actors.iter().enumerate().flat_map(second).collect();
    pairs.shuffle(random);
    pairs.truncate(count.unwrap_or(usize::MAX));
    pairs
}

fn sessions(group: &Group) -> Option<Vec<String>> {
    let children = group.snapshot().ok()?.children;
    let sessions: Vec<_> = children.into_iter().filter(|child| child.parent.as_deref() == Some(GOSSIP)).map(|child| child.name).collect();
    (!sessions.is_empty()).then_some(sessions)
}

/// One crowd after the other.
async fn each(group: &mut Group, crowds: &[Vec<String>], report: &mut Report) -> Result<Vec<Shown>> {
    let mut shown = Vec::new();
    for crowd in crowds {
        let names: Vec<&str> = crowd.iter().map(String::as_str).collect();
        match at_once(group, &names).await {
            Ok(one) => shown.push(one),
            Err(error) => {
                report.fail(format!("{}: {error:#}", names.join(", ")));
                mend(group).await?;
            }
        }
    }
    Ok(shown)
}

async fn at_once(group: &mut Group, actors: &[&str]) -> Result<Shown> {
    let node = group.victim()?;
    stable(node, actors).await?;
    let healed = tokio::select! {
        healed = kill(node, actors) => healed?,
        end = node.ended() => bail!("the validator ended: {}", end.reason),
    };
    tokio::time::sleep(WATCHED).await;
    group.goes_on().await?;
    let from = healed.iter().map(|healed| healed.struck).min().context("somebody was struck")?;
    let gaps = group.gaps(from, Instant::now());
    let slowest = healed.iter().map(|healed| healed.served).max().unwrap_or_default();
    let crashes = healed.iter().map(|healed| healed.exits as usize).sum();
    Ok(Shown { crashes, healed: slowest, others: gaps.others, victim: gaps.victim })
}

/// A crash of whom `choose` says after each `period`, for so long.
async fn lasting(
    group: &mut Group,
    length: Duration,
    period: Duration,
    mut choose: impl FnMut(&Group) -> Option<String>,
    report: &mut Report,
) -> Result<Shown> {
    let from = Instant::now();
    let mut crashes = 0;
    while from.elapsed() < length {
        tokio::time::sleep(period).await;
        let Some(child) = choose(group) else { continue };
        let node = group.victim()?;
        // It may be down just now, or have ended since it was chosen.
        crashes += usize::from(node.controls().kill(&child, BY).await.is_ok());
        if let Ok(end) = tokio::time::timeout(Duration::ZERO, node.ended()).await {
            report.fail(format!("the validator ended: {}", end.reason));
            mend(group).await?;
            break;
        }
    }
    let over = Instant::now();
    group.goes_on().await?;
    let gaps = group.gaps(from, Instant::now());
    Ok(Shown { crashes, healed: over.elapsed(), others: gaps.others, victim: gaps.victim })
}

/// Starts the validator again if it has ended.
async fn mend(group: &mut Group) -> Result<()> {
    if tokio::time::timeout(Duration::ZERO, group.victim()?.ended()).await.is_ok() {
        group.restart_victim("the validator ended").await?;
    }
    group.goes_on().await
}

fn row(shown: &[Shown]) -> [f64; COLUMNS.len()] {
    let of = |per_mille: usize, pick: fn(&Shown) -> Duration| ms(quantile(&shown.iter().map(pick).collect::<Vec<_>>(), per_mille));
    [
        shown.len() as f64,
        shown.iter().map(|shown| shown.crashes).sum::<usize>() as f64,
        of(500, |shown| shown.healed),
        of(1_000, |shown| shown.healed),
        of(1_000, |shown| shown.others),
        of(1_000, |shown| shown.victim),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_two_actors_meet_once() {
        let actors: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let mut all = pairs(&actors, None, &mut StdRng::seed_from_u64(1));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 6);
        assert!(all.iter().all(|pair| pair[0] != pair[1]));
        assert_eq!(pairs(&actors, Some(2), &mut StdRng::seed_from_u64(1)).len(), 2);
    }
}
