//! What a run found, for people and for programs.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    Kind,
    invariants::{Invariant, Transactions, Verdict},
    schedule::Done,
    striking::End,
};
use crate::{
    exit::Failure,
    figures::{
        Table,
        statistics::{ms, quantile},
    },
};

const COLUMNS: [&str; 5] = ["times", "healed", "healed at worst", "ends", "gap at others"];

/// Times to heal are exact to this: so often those who were struck are looked at.
const RESOLUTION_MS: f64 = 10.0;

/// Everything that is known at the end.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub seed: u64,
    pub duration_ms: u64,
    pub chain_id: u64,
    pub nodes: Vec<String>,
    /// Somebody stopped it early.
    pub interrupted: bool,
    pub planned: usize,
    pub struck: usize,
    /// Planned, and not begun in time.
    pub not_begun: usize,
    pub faults: Vec<FaultLine>,
    pub times: Vec<TimesLine>,
    pub gap_worst_ms: f64,
    /// None: not judged.
    pub gap_limit_ms: Option<f64>,
    pub transactions: Option<Transactions>,
    pub invariants: Vec<Invariant>,
    pub left_out: Vec<String>,
}

/// One fault.
#[derive(Clone, Debug, Serialize)]
pub struct FaultLine {
    /// When it was armed, from the beginning.
    pub at_ms: u64,
    pub validator: String,
    pub actor: String,
    pub kind: Kind,
    /// From the moment it struck until the actor served; none when it struck nobody, or the actor did not come back.
    pub healed_ms: Option<f64>,
    pub limit_ms: Option<f64>,
    /// How often the actor ended.
    pub exits: u32,
    pub process_ended: bool,
    /// The longest time without a block at those not struck.
    pub gap_ms: f64,
    /// Why it has no time to heal.
    pub note: Option<String>,
}

/// All faults of one kind in one actor, of whichever validator.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TimesLine {
    pub kind: Kind,
    pub actor: String,
    pub times: usize,
    pub healed_ms_median: f64,
    pub healed_ms_worst: f64,
    pub exits_most: u32,
    pub gap_ms_worst: f64,
}

/// The lines of one strike.
pub fn lines(done: &Done, begun: Instant, gap: Duration) -> Vec<FaultLine> {
    let at_ms = done.from.saturating_duration_since(begun).as_millis() as u64;
    let line = |outcome: &super::striking::Outcome| {
        let (actor, kind) = (outcome.fault.actor.clone(), outcome.fault.kind);
        let blank = FaultLine {
            at_ms,
            validator: done.strike.name.clone(),
            actor,
            kind,
            healed_ms: None,
            limit_ms: None,
            exits: 0,
            process_ended: false,
            gap_ms: ms(gap),
            note: None,
        };
        match &outcome.end {
            End::Healed { took, limit, exits, by_process, .. } => {
                FaultLine { healed_ms: Some(ms(*took)), limit_ms: Some(ms(*limit)), exits: *exits, process_ended: *by_process, ..blank }
            }
            End::Lost { limit, state, .. } => {
                FaultLine { limit_ms: Some(ms(*limit)), note: Some(format!("not back after {} ms: {state}", limit.as_millis())), ..blank }
            }
            End::Absent(why) => FaultLine { note: Some(format!("could not be struck: {why}")), ..blank },
            End::Missed(why) => FaultLine { note: Some(format!("did not strike: {why}")), ..blank },
        }
    };
    done.outcomes.iter().map(line).collect()
}

/// The times to heal by kind and actor.
pub fn times(faults: &[FaultLine]) -> Vec<TimesLine> {
    let mut groups: BTreeMap<(Kind, &str), Vec<(&FaultLine, Duration)>> = BTreeMap::new();
    for fault in faults {
        if let Some(healed) = fault.healed_ms {
            groups.entry((fault.kind, &fault.actor)).or_default().push((fault, Duration::from_secs_f64(healed / 1_000.0)));
        }
    }
    let line = |((kind, actor), group): ((Kind, &str), Vec<(&FaultLine, Duration)>)| {
        let healed: Vec<Duration> = group.iter().map(|(_, healed)| *healed).collect();
        TimesLine {
            kind,
            actor: actor.to_owned(),
            times: group.len(),
            healed_ms_median: ms(quantile(&healed, 500)),
            healed_ms_worst: ms(quantile(&healed, 1_000)),
            exits_most: group.iter().map(|(fault, _)| fault.exits).max().unwrap_or_default(),
            gap_ms_worst: group.iter().map(|(fault, _)| fault.gap_ms).fold(0.0, f64::max),
        }
    };
    groups.into_iter().map(line).collect()
}

impl FaultLine {
    /// For people, one line.
    pub fn text(&self) -> String {
        let what = format!("{} of {}", self.kind, self.actor);
        let end = match (&self.healed_ms, &self.note) {
            (Some(healed), _) if self.process_ended => format!("the process ended; back after {healed:.0} ms"),
            (Some(healed), _) if *healed < RESOLUTION_MS => format!("healed within {RESOLUTION_MS:.0} ms"),
            (Some(healed), _) => format!("healed in {healed:.0} ms"),
            (None, note) => note.clone().unwrap_or_default(),
        };
        format!("{:>7.1} s  {:<12}  {what:<24}  {end}", self.at_ms as f64 / 1_000.0, self.validator)
    }
}

impl Report {
    /// For people.
    pub fn text(&self) -> String {
        let mut table = Table::new("time to heal, and the longest time without a block at those not struck, ms", &["fault", "actor"], &COLUMNS);
        for line in &self.times {
            let figures = [line.times as f64, line.healed_ms_median, line.healed_ms_worst, line.exits_most.into(), line.gap_ms_worst];
            table.row([line.kind.to_string(), line.actor.clone()], figures);
        }
        let mut text: Vec<String> = vec![format!("seed {}, chain {}, {}", self.seed, self.chain_id, self.nodes.join(", "))];
        text.push(format!("strikes {} of {} planned{}", self.struck, self.planned, if self.interrupted { "; stopped early" } else { "" }));
        if 0 < self.not_begun && !self.interrupted {
            text.push(format!("note: {} strikes found no room in time, because those before them were not healed", self.not_begun));
        }
        text.extend(table.lines());
        text.extend(self.faults.iter().filter(|fault| fault.healed_ms.is_none()).map(FaultLine::text));
        for Invariant { name, verdict, seen, evidence } in &self.invariants {
            let word = match verdict {
                Verdict::Held => "held",
                Verdict::Violated => "VIOLATED",
                Verdict::Open => "open",
            };
            text.push(format!("  {name:<14} {word:<9} {seen}"));
            text.extend(evidence.iter().map(|piece| format!("      {piece}")));
        }
        text.extend(self.left_out.iter().map(|what| format!("left out: {what}")));
        text.push(if self.is_safe() { "safe".to_owned() } else { "NOT SAFE".to_owned() });
        text.join("\n")
    }

    pub fn is_safe(&self) -> bool {
        !self.invariants.iter().any(|invariant| invariant.verdict == Verdict::Violated)
    }

    /// A failure when something that must hold did not.
    pub fn verdict(&self) -> Result<(), Failure> {
        let violated: Vec<_> = self.invariants.iter().filter(|invariant| invariant.verdict == Verdict::Violated).collect();
        if violated.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = violated.iter().map(|invariant| invariant.name).collect();
        let failure = Failure::runtime(format!("what must always hold did not: {}", names.join(", ")));
        let failure = violated.iter().flat_map(|invariant| &invariant.evidence).take(3).fold(failure, |failure, piece| failure.at(piece.clone()));
        Err(failure.remedy(format!("the report has the evidence, the logs of the nodes what happened; --seed {} plans the same again", self.seed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitCode;

    fn fault(kind: Kind, actor: &str, healed_ms: Option<f64>) -> FaultLine {
        FaultLine {
            at_ms: 1_500,
            validator: "validator-1".to_owned(),
            actor: actor.to_owned(),
            kind,
            healed_ms,
            limit_ms: None,
            exits: 1,
            process_ended: false,
            gap_ms: 20.0,
            note: None,
        }
    }

    fn report(verdict: Verdict) -> Report {
        let faults = vec![fault(Kind::Panic, "api", Some(3.0)), fault(Kind::Panic, "api", Some(9.0)), fault(Kind::Hang, "api", None)];
        let invariant = Invariant { name: "no_fork", verdict, seen: "2 blocks read".to_owned(), evidence: vec!["height 1".to_owned()] };
        Report {
            seed: 7,
            duration_ms: 1_000,
            chain_id: 1,
            nodes: vec!["validator-1".to_owned()],
            interrupted: false,
            planned: 3,
            struck: 3,
            not_begun: 0,
            times: times(&faults),
            faults,
            gap_worst_ms: 20.0,
            gap_limit_ms: None,
            transactions: None,
            invariants: vec![invariant],
            left_out: Vec::new(),
        }
    }

    #[test]
    fn times_are_those_of_one_kind_in_one_actor_and_of_those_who_came_back() {
        let times = report(Verdict::Held).times;
        assert_eq!(times.len(), 1);
        assert_eq!((times[0].times, times[0].healed_ms_median, times[0].healed_ms_worst), (2, 3.0, 9.0));
    }

    #[test]
    fn a_violated_invariant_ends_with_one_and_names_itself_its_evidence_and_the_seed() {
        let safe = report(Verdict::Held);
        assert!(safe.verdict().is_ok() && safe.text().ends_with("\nsafe"));
        assert!(report(Verdict::Open).verdict().is_ok(), "what is open is not violated");
        let broken = report(Verdict::Violated);
        assert!(broken.text().contains("VIOLATED") && broken.text().ends_with("NOT SAFE"), "{}", broken.text());
        let Err(failure) = broken.verdict() else { panic!("a violation") };
        assert_eq!((failure.code, failure.at), (ExitCode::Runtime, vec!["height 1".to_owned()]));
        assert!(failure.what.contains("no_fork") && failure.remedy.contains("--seed 7"));
    }
}
