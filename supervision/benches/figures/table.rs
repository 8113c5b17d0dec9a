//! Figures with their units and goals, for readers and for programs.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;

use serde::Serialize;

/// All that was measured, and where.
#[derive(Serialize)]
pub struct Table {
    cores: usize,
    /// How many wanted to run just before, averaged over a minute; absent where that cannot be read.
    load_before: Option<f64>,
    optimised: bool,
    /// `RUST_BACKTRACE` is set, and every crash walks its stack, which costs as much as the rest of healing.
    backtraces: bool,
    /// Too few repetitions to be trusted.
    quick: bool,
    rows: Vec<Row>,
}

/// One line of the table.
#[derive(Serialize)]
pub struct Row {
    figure: String,
    readings: Vec<Reading>,
}

/// One number.
#[derive(Serialize)]
struct Reading {
    what: &'static str,
    value: f64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<Goal>,
}

#[derive(Serialize)]
struct Goal {
    at_most: f64,
    met: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stretch: Option<Stretch>,
}

#[derive(Serialize)]
struct Stretch {
    at_most: f64,
    met: bool,
}

impl Table {
    pub fn begin(quick: bool) -> Self {
        Table {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            load_before: std::fs::read_to_string("/proc/loadavg").ok().and_then(|load| load.split(' ').next()?.parse().ok()),
            optimised: !cfg!(debug_assertions),
            backtraces: Backtrace::capture().status() == BacktraceStatus::Captured,
            quick,
            rows: Vec::new(),
        }
    }

    pub fn add(&mut self, rows: Vec<Row>) {
        self.rows.extend(rows);
    }
}

impl Row {
    pub fn new(figure: String) -> Self {
        Row { figure, readings: Vec::new() }
    }

    pub fn reading(mut self, what: &'static str, value: f64, unit: &'static str) -> Self {
        self.readings.push(Reading { what, value, unit, goal: None });
        self
    }

    /// The last reading is to be at most this.
    pub fn goal(mut self, at_most: f64) -> Self {
        if let Some(reading) = self.readings.last_mut() {
            reading.aim(at_most);
        }
        self
    }

    /// Readings by name, each with its goal.
    pub fn goals(mut self, goals: &[(&str, f64)]) -> Self {
        for reading in &mut self.readings {
            if let Some((_, at_most)) = goals.iter().find(|(what, _)| *what == reading.what) {
                reading.aim(*at_most);
            }
        }
        self
    }

    /// Beyond the goal of the last reading, this would be better still.
    pub fn stretch(mut self, at_most: f64) -> Self {
        if let Some(Reading { value, goal: Some(goal), .. }) = self.readings.last_mut() {
            goal.stretch = Some(Stretch { at_most, met: *value <= at_most });
        }
        self
    }
}

impl Reading {
    fn aim(&mut self, at_most: f64) {
        self.goal = Some(Goal { at_most, met: self.value <= at_most, stretch: None });
    }

    fn text(&self) -> String {
        format!("{} {}", self.what, amount(self.value, self.unit))
    }

    fn goal_text(&self) -> Option<String> {
        let goal = self.goal.as_ref()?;
        let word = |met: bool| if met { "met" } else { "MISSED" };
        let text = format!("{} <= {}: {}", self.what, amount(goal.at_most, self.unit), word(goal.met));
        Some(match &goal.stretch {
            Some(stretch) => format!("{text} (stretch {}: {})", amount(stretch.at_most, self.unit), word(stretch.met)),
            None => text,
        })
    }
}

fn amount(value: f64, unit: &str) -> String {
    match value {
        _ if unit == "x" => format!("{value:.2}x"),
        value if value < 10.0 => format!("{value:.2} {unit}"),
        value if value < 100.0 => format!("{value:.1} {unit}"),
        value => format!("{value:.0} {unit}"),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = self.load_before.map_or("unknown".into(), |load| format!("{load:.2}"));
        writeln!(
            f,
            "{} cores, load before {load}, {}",
            self.cores,
            if self.optimised { "optimised" } else { "NOT OPTIMISED: these figures say nothing" }
        )?;
        if self.backtraces {
            writeln!(f, "RUST_BACKTRACE is set: every crash walks its stack, which costs as much as the rest of healing")?;
        }
        if self.quick {
            writeln!(f, "a quick run: it shows that everything works, and its figures are not to be trusted")?;
        }
        let width = self.rows.iter().map(|row| row.figure.len()).max().unwrap_or(0);
        for row in &self.rows {
            let readings: Vec<String> = row.readings.iter().map(Reading::text).collect();
            let goals: Vec<String> = row.readings.iter().filter_map(Reading::goal_text).collect();
            writeln!(f, "{:width$}  {:<60}  {}", row.figure, readings.join(", "), goals.join(", "))?;
        }
        Ok(())
    }
}
