//! Validators that do not reach each other for a while: who goes on, who stands still, and how fast all agree afterwards.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::ValueEnum;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::{START_LIMIT, Settings, check, observe};
use crate::{
    fabric::{Carrier, Fabric},
    history::{Commit, History},
    network::Network,
    report::{Goal, Report},
    statistics::{ms, quantile},
    table::Table,
    wait::eventually,
};

/// What was decided before a cut may be committed after it for so long.
const GRACE: Duration = Duration::from_secs(2);
/// Heights that may be decided even later by what had arrived before the cut, where a process was given no time.
const MAX_LATE: u64 = 2;
/// How long a network may take to agree again before the campaign gives up.
const HEAL_LIMIT: Duration = Duration::from_secs(60);
/// How long it should take at most.
const HEAL_GOAL: Duration = Duration::from_secs(5);
/// Between a network that agrees and the next cut, and at random up to as much again.
const CALM: Duration = Duration::from_secs(1);
/// Heights that everybody adds to what was the highest when the cut was over.
const MORE: u64 = 2;
/// Milliseconds that a flapping network stays as it is.
const FLAPS: std::ops::Range<u64> = 200..1_500;
/// Milliseconds between two links that are reset.
const RESETS: std::ops::Range<u64> = 100..600;

/// Who does not hear whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Cut {
    /// Two and two: nobody goes on
    Halves,
    /// Three and one: three go on
    One,
    /// One does not hear another, who hears it
    OneWay,
    /// One is heard by all and hears nobody
    Deaf,
    /// Two and two, at one moment and not at the next
    Flapping,
    /// Everybody is alone
    All,
    /// One link after the other is reset, all the time; streams only
    Resets,
}

impl Cut {
    pub const EACH: [Self; 7] = [Self::Halves, Self::One, Self::OneWay, Self::Deaf, Self::Flapping, Self::All, Self::Resets];

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Of validators in this order, those that can still decide. None where that changes all the time.
    fn able(self, order: &[usize]) -> Option<&[usize]> {
        let quorum = order.len() * 2 / 3 + 1;
        let able = match self {
            Self::Halves | Self::All => 0,
            Self::One | Self::Deaf => order.len() - 1,
            Self::OneWay => order.len() - 2,
            Self::Resets => order.len(),
            Self::Flapping => return None,
        };
        // Of two that do not both hear each other, each still has a quorum with the others; who of them keeps up is left open.
        let decides = if self == Self::OneWay { order.len() - 1 } else { able };
        Some(if quorum <= decides { &order[..able] } else { &[] })
    }

    /// Those that decide nothing while it lasts.
    fn unable(self, order: &[usize]) -> &[usize] {
        match self {
            Self::Halves | Self::All => order,
            Self::One | Self::Deaf => &order[order.len() - 1..],
            Self::OneWay | Self::Flapping | Self::Resets => &[],
        }
    }

    /// Lets it be so for `length`.
    async fn make(self, fabric: &Fabric, order: &[usize], length: Duration, random: &mut StdRng) {
        let last = order.len() - 1;
        match self {
            Self::Halves => fabric.part(&[&order[..order.len() / 2], &order[order.len() / 2..]]),
            Self::One => fabric.part(&[&order[..last], &order[last..]]),
            Self::OneWay => fabric.block(order[last - 1], order[last]),
            Self::Deaf => order[..last].iter().for_each(|other| fabric.block(*other, order[last])),
            Self::All => fabric.part(&order.chunks(1).collect::<Vec<_>>()),
            Self::Flapping => return flap(fabric, order, length, random).await,
            Self::Resets => return reset(fabric, order, length, random).await,
        }
        tokio::time::sleep(length).await;
    }
}

async fn flap(fabric: &Fabric, order: &[usize], length: Duration, random: &mut StdRng) {
    let until = Instant::now() + length;
    while Instant::now() < until {
        fabric.part(&[&order[..order.len() / 2], &order[order.len() / 2..]]);
        tokio::time::sleep(Duration::from_millis(random.random_range(FLAPS))).await;
        fabric.heal();
        tokio::time::sleep(Duration::from_millis(random.random_range(FLAPS))).await;
    }
}

async fn reset(fabric: &Fabric, order: &[usize], length: Duration, random: &mut StdRng) {
    let until = Instant::now() + length;
    while Instant::now() < until {
        let pair = random.random_range(0..order.len());
        fabric.reset(order[pair], order[(pair + random.random_range(1..order.len())) % order.len()]);
        tokio::time::sleep(Duration::from_millis(random.random_range(RESETS))).await;
    }
}

/// What is special to this campaign.
#[derive(Clone, Debug)]
pub struct Partitions {
    pub cuts: Vec<Cut>,
    pub rounds: u32,
    /// None: the best that this machine has.
    pub carrier: Option<Carrier>,
    /// Of each cut.
    pub length: Duration,
}

/// What one cut showed.
struct Round {
    cut: Cut,
    /// Heights that those who could decide added while it lasted.
    meanwhile: u64,
    /// From its end until somebody committed the next block.
    next_block: Duration,
    /// Until everybody had more than anybody had at its end.
    agreement: Duration,
}

/// Cuts the network in each of these ways, in turn.
pub async fn partitions(settings: &Settings, options: &Partitions) -> Result<Report> {
    let mut report = Report::of("partitions");
    let mut random = StdRng::seed_from_u64(settings.seed);
    let mut network = settings.plan().make(&mut random)?;
    let carrier = options.carrier.unwrap_or_else(Carrier::best);
    let fabric = Fabric::between(&mut network, carrier, settings.seed).await?;
    report.note(format!("carried as {carrier:?}"));
    network.start_all()?;
    network.reach(1, START_LIMIT).await?;
    let observer = observe(&network, settings.seed).await?;
    observer.hears(network.validators.len(), START_LIMIT).await?;
    // Packets know no streams.
    let cuts: Vec<_> = options.cuts.iter().copied().filter(|cut| *cut != Cut::Resets || carrier == Carrier::Proxies).collect();
    let mut rounds = Vec::new();
    for (number, cut) in (0..options.rounds).flat_map(|number| cuts.iter().map(move |cut| (number, *cut))) {
        match round(cut, &mut network, &fabric, options.length, &mut random, &mut report).await {
            Ok(round) => rounds.push(round),
            Err(error) => {
                report.fail(format!("{}, round {number}: {error:#}", cut.name()));
                break;
            }
        }
    }
    show(&cuts, &rounds, &mut report);
    check(&mut network, &observer, &mut report).await?;
    for validator in &network.validators {
        let failures = validator.metrics().await?.sum("p2p_signature_failures_total");
        if failures > 0.0 {
            report.fail(format!("{} counts {failures} signatures that did not hold", validator.name));
        }
    }
    observer.stop().await;
    settings.finish(&mut network, &mut report);
    Ok(report)
}

async fn round(cut: Cut, network: &mut Network, fabric: &Fabric, length: Duration, random: &mut StdRng, report: &mut Report) -> Result<Round> {
    tokio::time::sleep(CALM + CALM.mul_f64(random.random())).await;
    let mut order: Vec<_> = (0..network.validators.len()).collect();
    order.shuffle(random);
    let begun = Instant::now();
    cut.make(fabric, &order, length, random).await;
    for validator in cut.able(&order).unwrap_or_default() {
        // Whoever never goes on is told of below.
        let _ = first(&network.history, 0, |commit| begun <= commit.at && commit.validator == *validator).await;
    }
    let (ended, highest, commits) = (Instant::now(), network.history.highest(), network.history.len());
    fabric.heal();
    let meanwhile = judge(cut, &order, &network.history, begun..ended, report);
    // Whoever goes on does so; what counts is the next block of those who could not.
    let waiting = if cut.unable(&order).is_empty() { &order[..] } else { cut.unable(&order) };
    let next = first(&network.history, commits, |commit| ended <= commit.at && waiting.contains(&commit.validator)).await;
    // This also says in what state everybody is, if there was none.
    network.reach(highest + MORE, HEAL_LIMIT).await?;
    let reached =
        |validator: usize| network.history.from(commits).into_iter().find(|commit| commit.validator == validator && highest + MORE <= commit.height);
    let last = order.iter().filter_map(|validator| reached(*validator)).map(|commit| commit.at).max().unwrap_or(ended);
    Ok(Round { cut, meanwhile, next_block: next?.duration_since(ended), agreement: last.duration_since(ended) })
}

/// Who decided something while the cut lasted, and who must not have. The heights that those added who could.
fn judge(cut: Cut, order: &[usize], history: &History, cut_for: Range<Instant>, report: &mut Report) -> u64 {
    let decided = |validator: usize, from: Instant| history.moments(validator, from).iter().filter(|at| **at < cut_for.end).count() as u64;
    for late in cut.unable(order).iter().filter(|validator| MAX_LATE < decided(**validator, cut_for.start + GRACE)) {
        report.fail(format!("{}: validator {late} decided without a quorum", cut.name()));
    }
    let able = cut.able(order).unwrap_or_default();
    let meanwhile = able.iter().map(|validator| decided(*validator, cut_for.start)).min().unwrap_or_default();
    if !able.is_empty() && meanwhile == 0 {
        report.fail(format!("{}: validators {able:?} are a quorum and did not go on", cut.name()));
    }
    meanwhile
}

/// When the first such commit was made, from number `index` on.
async fn first(history: &History, index: usize, is_it: impl Fn(&Commit) -> bool) -> Result<Instant> {
    let find = async || history.from(index).into_iter().find(&is_it);
    Ok(eventually("a block", HEAL_LIMIT, find).await?.at)
}

fn show(cuts: &[Cut], rounds: &[Round], report: &mut Report) {
    let columns = ["rounds", "heights meanwhile", "next block, median", "longest", "agreement, median", "longest "];
    let mut table = Table::new("after the end of each cut, ms", &["cut"], &columns);
    for cut in cuts {
        let of: Vec<_> = rounds.iter().filter(|round| round.cut == *cut).collect();
        let (next, agreement): (Vec<_>, Vec<_>) = of.iter().map(|round| (round.next_block, round.agreement)).unzip();
        let fewest = of.iter().map(|round| round.meanwhile).min().unwrap_or_default();
        let at = |samples: &[Duration], per_mille: usize| ms(quantile(samples, per_mille));
        let times = [at(&next, 500), at(&next, 1_000), at(&agreement, 500), at(&agreement, 1_000)];
        table.row([cut.name()], [&[of.len() as f64, fewest as f64][..], &times].concat());
    }
    report.table_of(table);
    let longest = rounds.iter().map(|round| round.agreement).max().unwrap_or_default();
    report.with_goal("from the end of a cut until all agree on more, longest", ms(longest), "ms", Goal::AtMost(ms(HEAL_GOAL)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_decide_follows_from_who_hears_whom() {
        let order = [3, 1, 0, 2];
        assert_eq!((Cut::Halves.able(&order), Cut::Halves.unable(&order)), (Some(&[][..]), &order[..]));
        assert_eq!((Cut::One.able(&order), Cut::One.unable(&order)), (Some(&[3, 1, 0][..]), &[2][..]));
        assert_eq!((Cut::OneWay.able(&order), Cut::OneWay.unable(&order)), (Some(&[3, 1][..]), &[][..]));
        assert_eq!(Cut::Flapping.able(&order), None);
    }
}
