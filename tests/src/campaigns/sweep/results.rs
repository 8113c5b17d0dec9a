//! What all cells showed, by actor and kind.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{group::Gaps, kind::Kind},
    cell::{Cell, Outcome},
};
use crate::{
    report::{Goal, Report},
    statistics::{ms, quantile},
    table::Table,
};

/// From a panic or an error until the actor serves.
const CRASH_GOAL_MS: f64 = 1_000.0;
/// From the moment an actor is stuck until it serves.
const STUCK_GOAL_MS: f64 = 5_000.0;
/// Gaps are the longest of all times.
const COLUMNS: [&str; 9] =
    ["times", "healed", "healed at worst", "first message", "ends", "gap at others", "at worst", "gap at itself", "gap in its RPC"];

/// The outcomes of all cells.
pub struct Results {
    outcomes: BTreeMap<(Kind, String), Vec<Outcome>>,
    skipped: Vec<String>,
    calm: Gaps,
    /// How long a proposal is waited for.
    propose: Duration,
}

impl Results {
    pub fn new(propose: Duration) -> Self {
        Self { outcomes: BTreeMap::new(), skipped: Vec::new(), calm: Gaps::default(), propose }
    }

    /// What the gaps are when nothing is wrong.
    pub fn calm(&mut self, gaps: Gaps) {
        self.calm = gaps;
    }

    pub fn add(&mut self, cell: &Cell, outcome: Outcome) {
        self.outcomes.entry((cell.kind, cell.actor.to_owned())).or_default().push(outcome);
    }

    /// A cell that would end the process.
    pub fn skip(&mut self, cell: &Cell) {
        let what = format!("{}, {}", cell.actor, cell.kind);
        if !self.skipped.contains(&what) {
            self.skipped.push(what);
        }
    }

    pub fn show(&self, report: &mut Report) {
        let mut table = Table::new("time to heal, and the longest time without a block or an answer, ms", &["fault", "actor"], &COLUMNS);
        for ((kind, actor), outcomes) in &self.outcomes {
            table.row([kind.to_string(), actor.clone()], row(outcomes));
        }
        report.table_of(table);
        report.figure("gap at the others when nothing is wrong", ms(self.calm.others), "ms");
        self.judge("panic, error or kill, healed", report, Some(CRASH_GOAL_MS), |kind| matches!(kind, Kind::Panic | Kind::Error | Kind::Kill));
        self.judge("hang or blocked thread, healed", report, Some(STUCK_GOAL_MS), Kind::is_stuck);
        self.judge("flood, room again", report, None, |kind| kind == Kind::Flood);
        self.judge("three failed starts, healed", report, None, |kind| kind == Kind::Start);
        let gaps: Vec<_> = self.all(|_| true).map(|outcome| outcome.gaps.others).collect();
        report.with_goal("gap at the others, worst (goal: the propose timeout)", ms(quantile(&gaps, 1_000)), "ms", Goal::AtMost(ms(self.propose)));
        if !self.skipped.is_empty() {
            report.note(format!("left to --processes, because it ends the process: {}", self.skipped.join("; ")));
        }
    }

    fn all(&self, kinds: impl Fn(Kind) -> bool) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(move |((kind, _), _)| kinds(*kind)).flat_map(|(_, outcomes)| outcomes)
    }

    fn judge(&self, what: &str, report: &mut Report, goal: Option<f64>, kinds: impl Fn(Kind) -> bool) {
        let times: Vec<_> = self.all(kinds).map(|outcome| outcome.healed.served).collect();
        if times.is_empty() {
            return;
        }
        report.figure(format!("{what}, median"), ms(quantile(&times, 500)), "ms");
        let (what, worst) = (format!("{what}, worst"), ms(quantile(&times, 1_000)));
        match goal {
            Some(goal) => report.with_goal(what, worst, "ms", Goal::AtMost(goal)),
            None => report.figure(what, worst, "ms"),
        }
    }
}

fn row(outcomes: &[Outcome]) -> [f64; COLUMNS.len()] {
    let of = |per_mille: usize, pick: fn(&Outcome) -> Duration| {
        let samples: Vec<_> = outcomes.iter().map(pick).collect();
        ms(quantile(&samples, per_mille))
    };
    [
        outcomes.len() as f64,
        of(500, |outcome| outcome.healed.served),
        of(1_000, |outcome| outcome.healed.served),
        of(1_000, |outcome| outcome.healed.handled),
        outcomes.iter().map(|outcome| outcome.healed.exits).max().unwrap_or_default().into(),
        of(500, |outcome| outcome.gaps.others),
        of(1_000, |outcome| outcome.gaps.others),
        of(1_000, |outcome| outcome.gaps.victim),
        of(1_000, |outcome| outcome.answers),
    ]
}
