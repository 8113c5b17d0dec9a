//! What supervision costs and how fast it heals, with raw ractor measured beside in the same run.
//!
//! ```text
//! cargo bench -p supervision                      everything, as a table
//! cargo bench -p supervision -- --json            the same as JSON
//! cargo bench -p supervision -- cost healing      some chapters: memory, cost, healing, storm
//! ```
//! `--quick` measures a twentieth as often, to see that everything runs; so does a run without `--bench`, as in
//! `cargo test --all-targets`. Leave `RUST_BACKTRACE` unset and the machine alone meanwhile: the first line of the table
//! tells how many cores there are and how busy they were.

mod clock;
mod cost;
mod counter;
mod healing;
mod memory;
mod raw;
mod storm;
mod table;
mod telemetry;

use anyhow::bail;
use tokio::runtime::{Builder, Runtime};

use crate::table::{Row, Table};
use crate::telemetry::Spans;

/// By how much a quick run divides the number of repetitions.
const QUICK: usize = 20;

const CHAPTERS: [&str; 4] = ["memory", "cost", "healing", "storm"];

/// What was asked for on the command line.
struct Wanted {
    json: bool,
    quick: bool,
    chapters: Vec<String>,
}

impl Wanted {
    fn parse(arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut wanted = Wanted { json: false, quick: true, chapters: Vec::new() };
        let mut is_quick_on_purpose = false;
        for argument in arguments {
            match argument.as_str() {
                "--json" => wanted.json = true,
                "--quick" => is_quick_on_purpose = true,
                // Said by `cargo bench`, and not by `cargo test`.
                "--bench" => wanted.quick = false,
                chapter if CHAPTERS.contains(&chapter) => wanted.chapters.push(argument),
                other => bail!("{other} is neither --json, --quick nor a chapter ({})", CHAPTERS.join(", ")),
            }
        }
        wanted.quick |= is_quick_on_purpose;
        Ok(wanted)
    }

    fn wants(&self, chapter: &str) -> bool {
        self.chapters.is_empty() || self.chapters.iter().any(|wanted| wanted == chapter)
    }

    /// How often to repeat what a full run does `full` times.
    fn times(&self, full: usize) -> usize {
        if self.quick { (full / QUICK).max(1) } else { full }
    }
}

fn main() -> anyhow::Result<()> {
    std::panic::set_hook(Box::new(supervision::note_panic));
    let wanted = Wanted::parse(std::env::args().skip(1))?;
    let spans = Spans::install()?;
    let mut table = Table::begin(wanted.quick);
    // Memory first: what others have freed would be used again and not be seen.
    if wanted.wants("memory") {
        table.add(on(2, memory::measure())?);
    }
    // On one thread, what a message costs is not hidden by what it costs to wake another thread.
    if wanted.wants("cost") {
        table.add(on(1, cost::measure(spans, wanted.times(20)))?);
    }
    if wanted.wants("healing") {
        table.add(on(2, healing::measure(wanted.times(2000)))?);
    }
    if wanted.wants("storm") {
        table.add(on(2, storm::measure(wanted.times(20)))?);
    }
    match wanted.json {
        true => println!("{}", serde_json::to_string_pretty(&table)?),
        false => print!("{table}"),
    }
    Ok(())
}

/// Runs a chapter on so many threads of its own.
fn on(threads: usize, chapter: impl Future<Output = anyhow::Result<Vec<Row>>> + Send + 'static) -> anyhow::Result<Vec<Row>> {
    let runtime: Runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    // In a task: from the blocked main thread every wake-up costs a context switch.
    runtime.block_on(runtime.spawn(chapter))?
}
