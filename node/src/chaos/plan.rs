//! What fails when, where and how: a plain value, the same for the same seed.
//!
//! ```text
//!   0 s            1.3 s                     2.0 s                       7.4 s
//!   |-- load only --| panic: v2 mempool  -->  | hang: v0 consensus   -->   | kill, error: v3 storage, api
//! ```
//!
//! The moments are offsets; a run that is late lets them happen later, in the same order. Two rules keep a run within what the product
//! promises: no more voting power is struck at a time than the others can do without, and an actor is struck again only when it has
//! been up for long enough to count as stable, so that faults do not spend the budget of restarts that is meant for real ones.

use std::{collections::BTreeMap, fmt, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde::Serialize;
use supervision::{Backoff, Budget};

use super::Kind;

/// Nothing fails before.
const LEAD_MS: u64 = 1_000;
/// Between the beginnings of two strikes, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 200..1_200;
/// One strike in so many takes two actors of a validator at once.
const ONE_IN_PAIRS: u32 = 5;
/// An actor that was struck is left alone until it counts as stable again, and a little longer.
const REST_MARGIN_MS: u64 = 5_000;
/// Of the restarts that its budget allows, an actor is left so many.
const RESTARTS_LEFT: u32 = 4;

/// A node that may be struck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub name: String,
    /// Of the voting power; none for one that only follows.
    pub power: u64,
    pub actors: Vec<Actor>,
}

/// An actor of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Actor {
    pub name: String,
    /// Stuck, it ends the process.
    pub is_exclusive: bool,
}

/// What a plan is made from, beside the network.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub seed: u64,
    pub duration: Duration,
    /// Somebody starts a process again that has ended.
    pub is_supervised: bool,
    /// More may be struck than the others can do without.
    pub is_unbounded: bool,
}

/// The whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    pub seed: u64,
    pub duration_ms: u64,
    pub strikes: Vec<Strike>,
    /// What is not done, and why.
    pub left_out: Vec<String>,
}

/// What happens to one validator at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Strike {
    pub at_ms: u64,
    /// Its place in the network.
    pub validator: usize,
    pub name: String,
    /// One, or two at once.
    pub faults: Vec<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub actor: String,
    pub kind: Kind,
}

impl Plan {
    /// Plans what happens to `subjects`.
    pub fn make(subjects: &[Subject], rules: &Rules) -> Self {
        let duration_ms = rules.duration.as_millis() as u64;
        let (mut random, mut course) = (StdRng::seed_from_u64(rules.seed), Course::default());
        let mut strikes = Vec::new();
        let mut at_ms = LEAD_MS;
        while at_ms < duration_ms {
            course.away.retain(|(_, until)| at_ms < *until);
            let away: Vec<usize> = course.away.iter().map(|(validator, _)| *validator).collect();
            let open: Vec<usize> = (0..subjects.len()).filter(|validator| may_be_struck(subjects, &away, *validator, rules.is_unbounded)).collect();
            if let Some(validator) = open.choose(&mut random).copied() {
                let faults = course.faults(&mut random, at_ms, validator, &subjects[validator], rules.is_supervised);
                if !faults.is_empty() {
                    strikes.push(Strike { at_ms, validator, name: subjects[validator].name.clone(), faults });
                }
            }
            at_ms += random.random_range(PAUSE_MS);
        }
        Self { seed: rules.seed, duration_ms, strikes, left_out: left_out(subjects, rules) }
    }
}

/// Whether this one may be struck while those `away` are not back: nobody twice, and the others can decide without them.
pub fn may_be_struck(subjects: &[Subject], away: &[usize], validator: usize, is_unbounded: bool) -> bool {
    let total: u64 = subjects.iter().map(|subject| subject.power).sum();
    let down: u64 = away.iter().chain([&validator]).map(|index| subjects[*index].power).sum();
    !away.contains(&validator) && (is_unbounded || subjects[validator].power == 0 || down <= total.saturating_sub(1) / 3)
}

/// What has been planned so far.
#[derive(Default)]
struct Course {
    /// Who is expected to be struck, and until when.
    away: Vec<(usize, u64)>,
    /// When each actor was struck, and how many restarts that takes.
    struck: BTreeMap<(usize, String), Vec<(u64, u32)>>,
}

impl Course {
    fn faults(&mut self, random: &mut StdRng, at_ms: u64, validator: usize, subject: &Subject, is_supervised: bool) -> Vec<Fault> {
        let count = if random.random_ratio(1, ONE_IN_PAIRS) { 2 } else { 1 };
        let mut faults = Vec::new();
        let mut until = at_ms;
        for _ in 0..count {
            let rested = subject.actors.iter().filter(|actor| self.is_rested(at_ms, validator, &actor.name));
            let Some(actor) = rested.collect::<Vec<_>>().choose(random).copied() else { break };
            let kinds = Kind::ALL.into_iter().filter(|kind| is_supervised || !ends_process(actor, *kind));
            let kinds = kinds.filter(|kind| self.is_affordable(at_ms, validator, &actor.name, kind.exits()));
            let Some(kind) = kinds.collect::<Vec<_>>().choose(random).copied() else { break };
            until = until.max(at_ms + expected_ms(actor, kind));
            let ends = ends_process(actor, kind);
            // Whoever goes down with the process has to become stable again too.
            let hit = subject.actors.iter().filter(|other| ends || other.name == actor.name);
            for other in hit {
                self.struck.entry((validator, other.name.clone())).or_default().push((at_ms + expected_ms(actor, kind), kind.exits()));
            }
            faults.push(Fault { actor: actor.name.clone(), kind });
            if ends {
                break;
            }
        }
        self.away.push((validator, until));
        faults
    }

    fn is_rested(&self, at_ms: u64, validator: usize, actor: &str) -> bool {
        let rest = Backoff::default().stable_after.as_millis() as u64 + REST_MARGIN_MS;
        let latest = self.struck.get(&(validator, actor.to_owned())).and_then(|struck| struck.last());
        latest.is_none_or(|(until, _)| until + rest <= at_ms)
    }

    fn is_affordable(&self, at_ms: u64, validator: usize, actor: &str, exits: u32) -> bool {
        let Budget { restarts, window } = Budget::default();
        let since = at_ms.saturating_sub(window.as_millis() as u64 + REST_MARGIN_MS);
        let struck = self.struck.get(&(validator, actor.to_owned())).map_or(&[][..], Vec::as_slice);
        let spent: u32 = struck.iter().filter(|(until, _)| since <= *until).map(|(_, exits)| exits).sum();
        (spent + exits + RESTARTS_LEFT) as usize <= restarts
    }
}

/// Whether the process ends with it.
pub fn ends_process(actor: &Actor, kind: Kind) -> bool {
    actor.is_exclusive && kind.is_stuck()
}

/// How long its validator is expected to be struck; a run waits for as long as it takes.
fn expected_ms(actor: &Actor, kind: Kind) -> u64 {
    match kind {
        _ if ends_process(actor, kind) => 12_000,
        Kind::Panic | Kind::Error | Kind::Kill | Kind::Flood => 500,
        Kind::Start => 1_500,
        Kind::Hang | Kind::Block => 5_000,
    }
}

fn left_out(subjects: &[Subject], rules: &Rules) -> Vec<String> {
    let mut exclusive: Vec<&str> =
        subjects.iter().flat_map(|subject| &subject.actors).filter(|actor| actor.is_exclusive).map(|actor| actor.name.as_str()).collect();
    exclusive.sort_unstable();
    exclusive.dedup();
    let mut left_out = Vec::new();
    if !rules.is_supervised && !exclusive.is_empty() {
        left_out.push(format!(
            "hang and block of {}: they end the process, and nobody is known to start it again (a service manager: --supervised; a localnet: --processes)",
            exclusive.join(" and ")
        ));
    }
    if !rules.is_unbounded {
        left_out.push(
            "more voting power at a time than the others can do without, so that the chain has to go on all along (--all takes more)".to_owned(),
        );
    }
    left_out
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.faults.iter().map(|fault| format!("{} of {}", fault.kind, fault.actor)).collect();
        write!(f, "{:>7.1} s  {:<12}  {}", self.at_ms as f64 / 1_000.0, self.name, faults.join(", "))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {} strikes in {:.1} s", self.seed, self.strikes.len(), self.duration_ms as f64 / 1_000.0)?;
        self.strikes.iter().try_for_each(|strike| writeln!(f, "{strike}"))?;
        self.left_out.iter().try_for_each(|what| writeln!(f, "left out: {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(validators: usize) -> Vec<Subject> {
        let actor = |name: &str| Actor { name: name.to_owned(), is_exclusive: ["storage", "signer"].contains(&name) };
        let actors: Vec<_> = ["api", "consensus", "mempool", "p2p.gossip", "signer", "storage"].map(actor).to_vec();
        (0..validators).map(|index| Subject { name: format!("validator-{index}"), power: 1, actors: actors.clone() }).collect()
    }

    fn rules(seed: u64) -> Rules {
        Rules { seed, duration: Duration::from_secs(300), is_supervised: false, is_unbounded: false }
    }

    /// The most validators that are struck at a time, as the plan expects it.
    fn most_at_once(subjects: &[Subject], plan: &Plan) -> usize {
        let until = |strike: &Strike| {
            let took = strike.faults.iter().map(|fault| {
                let actor = subjects[strike.validator].actors.iter().find(|actor| actor.name == fault.actor);
                actor.map_or(0, |actor| expected_ms(actor, fault.kind))
            });
            strike.at_ms + took.max().unwrap_or_default()
        };
        let spans: Vec<_> = plan.strikes.iter().map(|strike| (strike.at_ms, until(strike), strike.validator)).collect();
        let at_once = |at: u64| spans.iter().filter(|(from, until, _)| (*from..*until).contains(&at)).count();
        spans.iter().map(|(from, _, _)| at_once(*from)).max().unwrap_or_default()
    }

    #[test]
    fn the_same_seed_makes_the_same_plan_and_another_another() {
        let four = network(4);
        assert_eq!(Plan::make(&four, &rules(7)), Plan::make(&four, &rules(7)));
        assert_ne!(Plan::make(&four, &rules(7)).strikes, Plan::make(&four, &rules(8)).strikes);
        // What this machine makes of a seed, every other does too.
        let first = Plan::make(&four, &rules(1)).strikes.first().map(ToString::to_string);
        assert_eq!(first.as_deref(), Some("    1.0 s  validator-3   panic of signer"));
    }

    #[test]
    fn no_more_voting_power_is_struck_than_the_others_can_do_without() {
        for (validators, most) in [(4, 1), (7, 2), (10, 3)] {
            let subjects = network(validators);
            let found = (0..20).map(|seed| most_at_once(&subjects, &Plan::make(&subjects, &rules(seed)))).max();
            assert_eq!(found, Some(most), "{validators}");
            let unbounded = Plan::make(&subjects, &Rules { is_unbounded: true, ..rules(1) });
            assert!(most < most_at_once(&subjects, &unbounded), "{validators}");
        }
        assert_eq!(Plan::make(&network(3), &rules(1)).strikes, [], "three tolerate no fault");
        let mut uneven = network(4);
        uneven[0].power = 3;
        assert!(Plan::make(&uneven, &rules(1)).strikes.iter().all(|strike| strike.validator != 0), "without it nobody decides");
    }

    #[test]
    fn an_exclusive_actor_is_stuck_only_where_somebody_starts_the_process_again() {
        let four = network(4);
        let ends = |plan: &Plan| {
            let faults = plan.strikes.iter().flat_map(|strike| &strike.faults);
            faults.filter(|fault| fault.kind.is_stuck() && ["storage", "signer"].contains(&fault.actor.as_str())).count()
        };
        let (alone, supervised) = (Plan::make(&four, &rules(1)), Plan::make(&four, &Rules { is_supervised: true, ..rules(1) }));
        assert_eq!(ends(&alone), 0);
        assert!(alone.left_out[0].contains("signer and storage"), "{:?}", alone.left_out);
        assert!(0 < ends(&supervised) && !supervised.left_out.iter().any(|what| what.contains("storage")));
    }

    #[test]
    fn every_kind_occurs_alone_and_together_and_nobody_spends_its_budget() {
        let plan = Plan::make(&network(4), &rules(1));
        for kind in Kind::ALL {
            assert!(plan.strikes.iter().flat_map(|strike| &strike.faults).any(|fault| fault.kind == kind), "{kind}");
        }
        assert!(plan.strikes.iter().any(|strike| strike.faults.len() == 2));
        let mut exits: BTreeMap<(usize, &str), Vec<(u64, u32)>> = BTreeMap::new();
        for strike in &plan.strikes {
            for fault in &strike.faults {
                exits.entry((strike.validator, &fault.actor)).or_default().push((strike.at_ms, fault.kind.exits()));
            }
        }
        for (who, exits) in exits {
            let busiest = exits.iter().map(|(from, _)| {
                let within = exits.iter().filter(|(at, _)| (*from..from + 60_000).contains(at));
                within.map(|(_, exits)| exits).sum::<u32>() as usize
            });
            assert!(busiest.max().unwrap_or_default() < Budget::default().restarts, "{who:?}");
        }
    }
}
