//! What a run found, for people and for programs.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{
    plan::{Kind, Plan, Rate},
    tally::Counts,
};
use crate::exit::Failure;

/// Everything that is known at the end.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub chain_id: u64,
    pub nodes: Vec<String>,
    pub kind: Kind,
    pub rate: Rate,
    pub duration_ms: u64,
    pub accounts: usize,
    pub batch: usize,
    /// Somebody stopped it early.
    pub interrupted: bool,
    /// None when the network decides.
    pub planned: Option<u64>,
    pub submitted: u64,
    pub accepted: u64,
    pub finalised: u64,
    pub refused: u64,
    /// Submitted, and neither final nor refused when it ended.
    pub not_final: u64,
    /// From the first submission to the last finality.
    pub took_ms: f64,
    pub tx_per_second: f64,
    /// From when a transaction was due until a block with it was seen.
    pub latency_ms: Latency,
    /// The furthest that a request left behind its time, because of the nodes or this machine; a part of its latency.
    pub lag_ms_max: f64,
    /// Failed attempts by kind, repeated ones among them.
    pub errors: BTreeMap<String, u64>,
    pub blocks: BlockFigures,
    pub checks: Checks,
}

#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// The blocks between the start and the end.
#[derive(Clone, Debug, Serialize)]
pub struct BlockFigures {
    pub first: Option<u64>,
    pub last: Option<u64>,
    pub seen: u64,
    /// With transactions of this run.
    pub used: u64,
    /// Over those.
    pub tx_per_block_mean: f64,
    pub tx_per_block_max: u64,
    pub tx_of_others: u64,
    pub gas_percent: f64,
    pub reorganisations: u64,
}

/// The same asked of the chain in another way.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Checks {
    /// By how much the nonces of the accounts grew in all; none if no node said so.
    pub nonces_moved: Option<u64>,
    pub receipts_read: usize,
    /// Of these, transactions that failed when they were executed.
    pub receipts_failed: usize,
}

impl Report {
    pub fn new(chain_id: u64, nodes: Vec<String>, plan: &Plan, counts: &Counts, checks: Checks, interrupted: bool) -> Self {
        let percentile = |per_mille| ms(counts.latency.percentile(per_mille));
        let blocks = &counts.blocks;
        Self {
            chain_id,
            nodes,
            kind: plan.kind,
            rate: plan.rate,
            duration_ms: plan.duration.as_millis() as u64,
            accounts: plan.accounts,
            batch: plan.batch,
            interrupted,
            planned: plan.total(),
            submitted: counts.submitted,
            accepted: counts.accepted,
            finalised: counts.finalised,
            refused: counts.refused,
            not_final: counts.waiting,
            took_ms: ms(counts.took()),
            tx_per_second: rounded(counts.final_rate()),
            latency_ms: Latency { p50: percentile(500), p95: percentile(950), p99: percentile(990), max: ms(counts.latency.max()) },
            lag_ms_max: ms(counts.lag),
            errors: counts.errors.kinds().clone(),
            blocks: BlockFigures {
                first: blocks.first,
                last: blocks.last,
                seen: blocks.seen,
                used: blocks.used,
                tx_per_block_mean: ratio(counts.finalised as f64, blocks.used as f64),
                tx_per_block_max: blocks.ours_max,
                tx_of_others: blocks.others,
                gas_percent: ratio(blocks.gas_used as f64 * 100.0, blocks.gas_limit as f64),
                reorganisations: blocks.breaks,
            },
            checks,
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut lines: Vec<(&str, String)> = vec![
            ("chain", format!("{} by {}", self.chain_id, self.nodes.join(", "))),
            ("load", self.load()),
            ("submitted", self.planned.map_or(self.submitted.to_string(), |planned| format!("{} of {planned}", self.submitted))),
            ("accepted", self.accepted.to_string()),
            ("finalised", format!("{} in {:.1} s", self.finalised, self.took_ms / 1_000.0)),
            ("rate", format!("{:.1} tx/s", self.tx_per_second)),
            ("refused", self.refused.to_string()),
            ("not final", self.not_final.to_string()),
        ];
        let Latency { p50, p95, p99, max } = self.latency_ms;
        lines.push((
            "latency",
            format!("p50 {p50:.0} ms, p95 {p95:.0} ms, p99 {p99:.0} ms, max {max:.0} ms; requests left at most {:.0} ms late", self.lag_ms_max),
        ));
        lines.push(("blocks", self.blocks.text()));
        lines.push(("check", self.checks.text()));
        if self.errors.is_empty() {
            lines.push(("errors", "none".to_owned()));
        }
        for (kind, count) in &self.errors {
            lines.push(("errors", format!("{count} x {kind}")));
        }
        let unsent = self.planned.map_or(0, |planned| planned.saturating_sub(self.submitted));
        if self.interrupted {
            lines.push(("note", "stopped early: this is what was measured until then".to_owned()));
        } else if 0 < unsent {
            lines.push(("note", format!("{unsent} transactions could not leave in time: the nodes or this machine did not keep up")));
        }
        lines.iter().map(|(name, value)| format!("{name:<10} {value}")).collect::<Vec<_>>().join("\n")
    }

    fn load(&self) -> String {
        let rate = match self.rate {
            Rate::PerSecond(rate) => format!("{rate} tx/s"),
            Rate::Max => "as many as become final".to_owned(),
        };
        let kind = if self.kind == Kind::Erc20 { "ERC-20 transfers" } else { "transfers" };
        let duration = humantime::format_duration(Duration::from_millis(self.duration_ms));
        format!("{kind}, {rate} for {duration}, {} accounts, {} in a request", self.accounts, self.batch)
    }

    /// Whether the run went as it should; a measurement that was stopped early has no verdict.
    pub fn verdict(&self) -> Result<(), Failure> {
        if self.interrupted {
            return Ok(());
        }
        if 0 < self.not_final {
            let failure = Failure::runtime(format!("{} of {} transactions did not become final in time", self.not_final, self.submitted));
            return Err(failure.remedy("wait longer with --settle, send less with --tx-rate, or see with `axolotl status` how the node is"));
        }
        if self.finalised == 0 {
            let failure = Failure::runtime("no transaction became final");
            return Err(failure.remedy("the errors above say why the nodes refused them"));
        }
        let Checks { receipts_failed: failed, receipts_read: read, .. } = self.checks;
        if 0 < failed {
            let failure = Failure::runtime(format!("{failed} of {read} receipts that were read say that their transaction failed"));
            return Err(failure.remedy("debug_traceTransaction says why; the figures are those of failed transactions"));
        }
        match self.checks.nonces_moved {
            Some(moved) if moved != self.finalised => {
                let what = format!("{} transactions were seen in blocks, but the nonces of the accounts grew by {moved}", self.finalised);
                Err(Failure::runtime(what).remedy("see that nobody else uses these accounts; --key has accounts of its own"))
            }
            _ => Ok(()),
        }
    }
}

impl BlockFigures {
    fn text(&self) -> String {
        let (Some(first), Some(last)) = (self.first, self.last) else { return "none".to_owned() };
        let mut text = format!(
            "{first} to {last}, {} with {:.1} transactions on average, {} at most; {:.1} % of the gas",
            self.used, self.tx_per_block_mean, self.tx_per_block_max, self.gas_percent
        );
        if 0 < self.tx_of_others {
            text.push_str(&format!("; {} transactions of others", self.tx_of_others));
        }
        if 0 < self.reorganisations {
            text.push_str(&format!("; REORGANISED {} times, final figures may not hold", self.reorganisations));
        }
        text
    }
}

impl Checks {
    fn text(&self) -> String {
        let moved = self.nonces_moved.map_or("the nodes do not say how far the nonces grew".to_owned(), |moved| format!("nonces grew by {moved}"));
        format!("{moved}; {} of {} receipts read say that it failed", self.receipts_failed, self.receipts_read)
    }
}

fn ms(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1_000.0)
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { rounded(part / whole) }
}

/// To three digits behind the point.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{exit::ExitCode, load::plan::tests::plan};

    fn report(change: impl FnOnce(&mut Report)) -> Report {
        let counts = Counts { submitted: 500, accepted: 500, finalised: 500, ..Counts::default() };
        let checks = Checks { nonces_moved: Some(500), receipts_read: 14, receipts_failed: 0 };
        let mut report = Report::new(1_337, vec!["127.0.0.1:3030".into()], &plan(Rate::PerSecond(250.0)), &counts, checks, false);
        change(&mut report);
        report
    }

    #[test]
    fn a_run_is_good_when_all_that_left_became_final_and_the_nonces_agree() {
        let code = |report: Report| report.verdict().map_err(|failure| failure.code);
        assert_eq!(code(report(|_| ())), Ok(()));
        assert_eq!(code(report(|report| report.not_final = 1)), Err(ExitCode::Runtime));
        assert_eq!(code(report(|report| report.finalised = 0)), Err(ExitCode::Runtime));
        assert_eq!(code(report(|report| report.checks.nonces_moved = Some(499))), Err(ExitCode::Runtime));
        assert_eq!(code(report(|report| report.checks.receipts_failed = 1)), Err(ExitCode::Runtime));
        assert_eq!(code(report(|report| (report.not_final, report.interrupted) = (9, true))), Ok(()), "stopped early is no failure");
    }

    #[test]
    fn people_read_one_line_for_each_figure_and_each_kind_of_error() {
        let text = report(|report| report.errors = [("HTTP 503".to_owned(), 3), ("timeout".to_owned(), 1)].into()).text();
        for line in ["submitted  500 of 500", "load       transfers, 250 tx/s for 2s, 10 accounts, 1 in a request", "errors     3 x HTTP 503"] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        let fine = report(|_| ()).text();
        assert!(fine.contains("errors     none") && !fine.contains("note"), "{fine}");
        assert!(report(|report| report.submitted = 499).text().contains("note       1 transactions could not leave in time"));
    }

    #[test]
    fn programs_read_names_with_units() {
        let json = serde_json::to_value(report(|_| ())).unwrap();
        assert_eq!((&json["rate"], &json["kind"], &json["checks"]["nonces_moved"]), (&250.0.into(), &"transfer".into(), &500.into()));
        assert_eq!(json["latency_ms"]["p99"], 0.0);
    }
}
