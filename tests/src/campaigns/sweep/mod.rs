//! Each actor of one validator meets each kind of fault: the process lives, the others' chain goes on, and the actor comes back.
//!
//! ```text
//!   for each kind, for each actor:   arm -> struck -> healed -> everybody adds heights, every actor runs     one cell
//!   all along:   load, whose every acknowledged transfer must become final; an observer, who holds all votes against each other
//! ```
//!
//! An actor is struck again only when it has been stable for a while: then its first retry is at once, as it is for the crash that
//! comes out of the blue. The kinds are the outer loop, so that nobody has to wait for that.

mod cell;
mod processes;
mod results;

use std::time::Duration;

use anyhow::Result;

use super::{Kind, Settings, group::Group};
use crate::report::Report;

use cell::Cell;
use results::Results;

/// Transfers are signed for so much time in a cell.
const CELL_AT_MOST: Duration = Duration::from_secs(20);

/// What is special to this campaign.
#[derive(Clone, Debug)]
pub struct Sweep {
    pub rounds: u32,
    /// Transfers a second.
    pub rate: u64,
    pub kinds: Vec<Kind>,
    /// Only these actors; all when empty.
    pub only: Vec<String>,
    /// One process for each validator, and only faults that end it.
    pub processes: bool,
}

/// Sweeps one of several validators.
pub async fn sweep(settings: &Settings, options: &Sweep) -> Result<Report> {
    if options.processes { processes::processes(settings, options).await } else { together(settings, options).await }
}

/// All validators in this process.
async fn together(settings: &Settings, options: &Sweep) -> Result<Report> {
    let mut report = Report::of("sweep");
    let mut group = Group::start(settings).await?;
    let actors = if options.only.is_empty() { group.actors()? } else { options.only.clone() };
    let cells = options.rounds as usize * options.kinds.len() * actors.len();
    group.carry(options.rate, CELL_AT_MOST * cells as u32).await?;
    let mut results = Results::new(group.propose_timeout());
    results.calm(group.calm().await?);
    for round in 0..options.rounds {
        for (kind, actor) in options.kinds.iter().flat_map(|kind| actors.iter().map(move |actor| (*kind, actor.as_str()))) {
            let cell = Cell { actor, kind, round };
            if kind.is_stuck() && cell.is_exclusive(&group)? {
                results.skip(&cell);
                continue;
            }
            match cell.run(&mut group).await {
                Ok(outcome) => results.add(&cell, outcome),
                Err(error) => report.fail(format!("{cell}: {error:#}")),
            }
        }
    }
    results.show(&mut report);
    group.end(&mut report).await?;
    Ok(report)
}
