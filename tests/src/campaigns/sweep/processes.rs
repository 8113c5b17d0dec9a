//! The exclusive actors: stuck, they end the process, and a service manager starts it again. So each validator is a process here.
//!
//! ```text
//!   armed over the admin listener ... struck ... the process ends ... started again ... answers ... at the head, signs
//!                                                |<------------ from death to serving ------------------>|
//! ```

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use node::{
    admin::{AdminClient, Token},
    exit::ExitCode,
    home::Home,
};

use super::{
    super::{Kind, Settings, trial::Trial},
    Sweep,
};
use crate::{
    network::Network,
    report::{Goal, Report},
    statistics::{longest_gap, ms, quantile},
    table::Table,
    validator::Validator,
    wait::eventually,
};

/// The validator that fails.
const VICTIM: usize = 1;
/// Those that are swept when nobody is named.
const EXCLUSIVE: [&str; 2] = ["storage", "signer"];
/// What a service manager waits before it starts a process again (systemd's own default).
const RESTART_AFTER: Duration = Duration::from_millis(100);
/// How long a stuck process may take to end, and a new one to serve.
const END_LIMIT: Duration = Duration::from_secs(60);
/// Between two cells.
const REST: Duration = Duration::from_secs(2);
/// Transfers are signed for so much time in a cell.
const CELL_AT_MOST: Duration = Duration::from_secs(20);
const COLUMNS: [&str; 8] =
    ["times", "armed until dead", "dead until it answers", "at worst", "dead until it signs", "signs at worst", "gap at others", "others at worst"];

#[derive(Clone, Copy, Debug)]
struct Outcome {
    dead: Duration,
    answers: Duration,
    signs: Duration,
    gap: Duration,
}

/// Sweeps actors whose hang ends the process.
pub async fn processes(settings: &Settings, options: &Sweep) -> Result<Report> {
    let mut report = Report::of("sweep of processes");
    let actors: Vec<String> = if options.only.is_empty() { EXCLUSIVE.map(str::to_owned).to_vec() } else { options.only.clone() };
    let kinds: Vec<Kind> = options.kinds.iter().copied().filter(|kind| kind.is_stuck()).collect();
    let settings = Settings { settings: settings.settings.iter().cloned().chain(["chaos.enabled=true".to_owned()]).collect(), ..settings.clone() };
    let cells = options.rounds as usize * kinds.len() * actors.len();
    let mut trial = Trial::start(&settings, options.rate, CELL_AT_MOST * cells as u32).await?;
    let propose = trial.network.genesis.consensus.timeouts.propose;
    let (mut table, mut gaps) = (Table::new("a stuck exclusive actor, from death to serving, ms", &["fault", "actor"], &COLUMNS), Vec::new());
    for (kind, actor) in kinds.iter().flat_map(|kind| actors.iter().map(move |actor| (*kind, actor))) {
        let mut outcomes = Vec::new();
        for round in 0..options.rounds {
            match cell(&mut trial, actor, kind).await {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => report.fail(format!("{actor}, {kind}, round {}: {error:#}", round + 1)),
            }
            tokio::time::sleep(REST).await;
        }
        gaps.extend(outcomes.iter().map(|outcome| outcome.gap));
        table.row([kind.to_string(), actor.clone()], row(&outcomes));
    }
    report.table_of(table);
    report.with_goal("gap at the others, worst (goal: the propose timeout)", ms(quantile(&gaps, 1_000)), "ms", Goal::AtMost(ms(propose)));
    trial.end(&settings, &mut report).await?;
    Ok(report)
}

async fn cell(Trial { network, observer, .. }: &mut Trial, actor: &str, kind: Kind) -> Result<Outcome> {
    let armed = Instant::now();
    let admin = admin(&network.validators[VICTIM])?;
    for injection in kind.injections(actor) {
        admin.inject(&injection).await?;
    }
    let status = eventually("the process ends", END_LIMIT, async || network.validators[VICTIM].ended_by_itself()).await?;
    let died = Instant::now();
    let victim = &mut network.validators[VICTIM];
    victim.kill();
    let is_final = |code: i32| [ExitCode::Usage, ExitCode::LockHeld, ExitCode::Config].iter().any(|known| *known as i32 == code);
    anyhow::ensure!(status.code().is_some_and(|code| code != 0 && !is_final(code)), "no service manager starts it again after {status}");
    tokio::time::sleep(RESTART_AFTER).await;
    let height = network.history.highest();
    let victim = &mut network.validators[VICTIM];
    victim.start()?;
    eventually("it answers", END_LIMIT, async || victim.client.height().await.ok()).await?;
    let answers = died.elapsed();
    let address = victim.address;
    let signed = eventually("it signs again", END_LIMIT, async || observer.signed_above(&address, height, died)).await?;
    Ok(Outcome { dead: died.duration_since(armed), answers, signs: signed.duration_since(died), gap: gap(network, armed) })
}

/// The longest time without a block at the others.
fn gap(network: &Network, from: Instant) -> Duration {
    let others = (0..network.validators.len()).filter(|index| *index != VICTIM);
    others.map(|index| longest_gap(&network.history.moments(index, from), from, Instant::now())).max().unwrap_or_default()
}

fn admin(validator: &Validator) -> Result<AdminClient> {
    let failure = |failure: node::exit::Failure| anyhow::anyhow!("{failure}");
    let token = Token::read(&Home::at(&validator.home).admin_token_file()).map_err(failure).context("the token of the admin listener")?;
    AdminClient::new(&format!("http://127.0.0.1:{}", validator.ports.admin), token).map_err(failure)
}

fn row(outcomes: &[Outcome]) -> [f64; COLUMNS.len()] {
    let of = |per_mille: usize, pick: fn(&Outcome) -> Duration| ms(quantile(&outcomes.iter().map(pick).collect::<Vec<_>>(), per_mille));
    [
        outcomes.len() as f64,
        of(1_000, |outcome| outcome.dead),
        of(500, |outcome| outcome.answers),
        of(1_000, |outcome| outcome.answers),
        of(500, |outcome| outcome.signs),
        of(1_000, |outcome| outcome.signs),
        of(500, |outcome| outcome.gap),
        of(1_000, |outcome| outcome.gap),
    ]
}
