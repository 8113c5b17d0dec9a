//! What a campaign found: figures with their goals, and everything that must not be.

use serde_json::{Value, json};

use crate::table::Table;

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Clone, Debug)]
struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    goal: Option<Goal>,
}

/// The outcome of one campaign.
#[derive(Clone, Debug)]
pub struct Report {
    campaign: &'static str,
    tables: Vec<Table>,
    figures: Vec<Figure>,
    notes: Vec<String>,
    failures: Vec<String>,
}

impl Report {
    pub fn of(campaign: &'static str) -> Self {
        Self { campaign, tables: Vec::new(), figures: Vec::new(), notes: Vec::new(), failures: Vec::new() }
    }

    pub fn figure(&mut self, what: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { what: what.into(), value, unit, goal: None });
    }

    pub fn with_goal(&mut self, what: impl Into<String>, value: f64, unit: &'static str, goal: Goal) {
        self.figures.push(Figure { what: what.into(), value, unit, goal: Some(goal) });
    }

    pub fn table_of(&mut self, table: Table) {
        self.tables.push(table);
    }

    /// Something a reader should know.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Something that must never be.
    pub fn fail(&mut self, failure: impl Into<String>) {
        self.failures.push(failure.into());
    }

    /// What must never be, and was.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// For people.
    pub fn table(&self) -> String {
        let width = self.figures.iter().map(|figure| figure.what.len()).max().unwrap_or_default();
        let line = |figure: &Figure| {
            let goal = figure.goal.map_or(String::new(), |goal| goal.describe(figure.value));
            format!("  {:<width$}  {:>10.2} {:<8}{goal}", figure.what, figure.value, figure.unit).trim_end().to_owned()
        };
        let verdict = if self.failures.is_empty() { "safe".to_owned() } else { format!("NOT SAFE, {} failures", self.failures.len()) };
        let notes = self.notes.iter().map(|note| format!("  note: {note}"));
        let failures = self.failures.iter().map(|failure| format!("  FAILED: {failure}"));
        let head = std::iter::once(format!("{}: {verdict}", self.campaign));
        let tables = self.tables.iter().flat_map(Table::lines);
        let lines = head.chain(tables).chain(self.figures.iter().map(line)).chain(notes).chain(failures);
        lines.collect::<Vec<_>>().join("\n") + "\n"
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let figure = |figure: &Figure| {
            let goal = figure.goal.map(|goal| json!({ "met": goal.is_met(figure.value), "value": goal.value(), "is_upper_bound": goal.is_upper() }));
            json!({ "what": figure.what, "value": figure.value, "unit": figure.unit, "goal": goal })
        };
        let figures: Vec<_> = self.figures.iter().map(figure).collect();
        let tables: Vec<_> = self.tables.iter().map(Table::json).collect();
        let is_safe = self.failures.is_empty();
        json!({ "campaign": self.campaign, "safe": is_safe, "tables": tables, "figures": figures, "notes": self.notes, "failures": self.failures })
    }
}

impl Goal {
    fn value(self) -> f64 {
        match self {
            Self::AtMost(value) | Self::AtLeast(value) => value,
        }
    }

    fn is_upper(self) -> bool {
        matches!(self, Self::AtMost(_))
    }

    fn is_met(self, value: f64) -> bool {
        if self.is_upper() { value <= self.value() } else { self.value() <= value }
    }

    fn describe(self, value: f64) -> String {
        let bound = if self.is_upper() { "at most" } else { "at least" };
        format!("goal {bound} {}: {}", self.value(), if self.is_met(value) { "met" } else { "missed" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_goal_of_speed_is_shown_and_is_no_failure() {
        let mut report = Report::of("x");
        report.with_goal("longest gap", 301.0, "ms", Goal::AtMost(300.0));
        report.with_goal("rate", 200.0, "/s", Goal::AtLeast(190.0));
        assert!(report.failures().is_empty());
        let table = report.table();
        assert!(table.starts_with("x: safe\n") && table.contains("at most 300: missed") && table.contains("at least 190: met"), "{table}");
        assert_eq!(report.json()["figures"][0]["goal"]["met"], false);
    }

    #[test]
    fn a_failure_is_in_both_forms() {
        let mut report = Report::of("x");
        report.fail("two blocks at one height");
        assert!(report.table().contains("NOT SAFE") && report.table().contains("two blocks"));
        assert_eq!(report.json()["safe"], false);
    }
}
