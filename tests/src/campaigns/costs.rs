//! What a finalised transaction costs: the load tool against fresh networks, and against another node beside them.

mod cases;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use node::load::recipient;
use primitives::U256;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;

use self::cases::{CASES, Case, Chain, On};
use super::Settings;
use crate::{
    network::{Further, Plan},
    process::rss_mib,
    report::Report,
    statistics::ms,
    wait::eventually,
};

/// How long a network may take to its first block: a large state is hashed by each validator.
const START_LIMIT: Duration = Duration::from_secs(180);
/// Many enough that no sender's limit in a pool is met.
const ACCOUNTS: &str = "200";

/// What is special to this campaign.
#[derive(Clone, Debug)]
pub struct Costs {
    pub rounds: u32,
    /// Of each load.
    pub length: Duration,
    /// Another node to hold ours against.
    pub anvil: Option<PathBuf>,
    /// Only loads whose name has this in it.
    pub only: Option<String>,
}

const RATE: &str = "final a second";
const P50: &str = "submit to final, p50";
const P99: &str = "submit to final, p99";
const BLOCK: &str = "transactions in a block, mean";
const CPU: &str = "CPU of all validators for one";
const WIRE: &str = "sent between all validators for one";
const DISK: &str = "written to the disk for one";
const MEMORY: &str = "memory of the largest validator";
const FIGURES: [(&str, &str); 8] = [(RATE, "/s"), (P50, "ms"), (P99, "ms"), (BLOCK, ""), (CPU, "ms"), (WIRE, "B"), (DISK, "B"), (MEMORY, "MiB")];

/// One run of one case, by the names of [`FIGURES`].
type Sample = BTreeMap<&'static str, f64>;

/// Every case in turn, so many times: each figure is the median, with the range behind it.
pub async fn costs(settings: &Settings, options: &Costs) -> Result<Report> {
    let mut report = Report::of("costs");
    let mut random = StdRng::seed_from_u64(settings.seed);
    let is_wanted = |case: &&Case| {
        (case.on != On::Anvil || options.anvil.is_some()) && options.only.as_ref().is_none_or(|only| case.name.contains(only.as_str()))
    };
    let cases: Vec<&Case> = CASES.iter().filter(is_wanted).collect();
    let mut samples: Vec<Vec<Sample>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.rounds {
        for (case, samples) in cases.iter().zip(&mut samples) {
            match run(settings, options, case, &mut random).await {
                Ok(sample) => samples.push(sample),
                Err(error) => report.fail(format!("{}: {error:#}", case.name)),
            }
        }
    }
    cases.iter().zip(&samples).for_each(|(case, samples)| show(case, samples, &mut report));
    Ok(report)
}

async fn run(settings: &Settings, options: &Costs, case: &Case, random: &mut StdRng) -> Result<Sample> {
    match case.on {
        On::Validators(Chain { validators, gas_limit, inhabitants }) => {
            let further = (0..inhabitants).map(|index| Further { address: recipient(index), balance: U256::from(1), code: None }).collect();
            on_validators(&Plan { validators, gas_limit, further, ..settings.plan() }, options, case, random).await
        }
        On::Anvil => on_anvil(settings, options, case, random).await,
    }
}

async fn on_validators(plan: &Plan, options: &Costs, case: &Case, random: &mut StdRng) -> Result<Sample> {
    let mut network = plan.make(random)?;
    network.start_all()?;
    network.reach(1, START_LIMIT).await?;
    let urls: Vec<_> = network.validators.iter().map(|validator| format!("http://127.0.0.1:{}", validator.ports.rpc)).collect();
    let before = network.used().await?;
    let found = load(&plan.program, &urls.join(","), options.length, case.arguments).await?;
    let after = network.used().await?;
    let mut sample = sample(&found)?;
    let count = number(&found, "/finalised")?.max(1.0);
    sample.insert(CPU, ms(after.cpu - before.cpu) / count);
    sample.insert(WIRE, (after.sent - before.sent) / count);
    if let (Some(after), Some(before)) = (after.written, before.written) {
        sample.insert(DISK, (after - before) as f64 / count);
    }
    let memory = network.validators.iter().map(|validator| rss_mib(validator.pid())).fold(0.0, f64::max);
    sample.insert(MEMORY, memory);
    if let Some(fork) = network.history.forks().first() {
        anyhow::bail!("{fork}");
    }
    Ok(sample)
}

async fn on_anvil(settings: &Settings, options: &Costs, case: &Case, random: &mut StdRng) -> Result<Sample> {
    let program = options.anvil.as_ref().context("no anvil")?;
    let port = random.random_range(20_000..30_000).to_string();
    let mut anvil = tokio::process::Command::new(program);
    anvil.args(["--silent", "--port", &port, "--order", "fifo"]).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let mut anvil = anvil.spawn().with_context(|| program.display().to_string())?;
    let address = format!("127.0.0.1:{port}");
    eventually("anvil listens", START_LIMIT, async || std::net::TcpStream::connect(&address).ok()).await?;
    let outcome = load(&settings.program, &format!("http://{address}"), options.length, case.arguments).await;
    anvil.kill().await?;
    sample(&outcome?)
}

/// What the load tool prints.
async fn load(program: &Path, urls: &str, length: Duration, arguments: &[&str]) -> Result<Value> {
    let mut command = Command::new(program);
    command.args(["load", "--rpc", urls, "--accounts", ACCOUNTS, "--output", "json", "--duration", &format!("{}s", length.as_secs())]);
    command.args(arguments).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let said = || String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "load ended with {}: {}", output.status, said());
    serde_json::from_slice(&output.stdout).with_context(said)
}

fn sample(found: &Value) -> Result<Sample> {
    let figures = [(RATE, "/tx_per_second"), (P50, "/latency_ms/p50"), (P99, "/latency_ms/p99"), (BLOCK, "/blocks/tx_per_block_mean")];
    figures.into_iter().map(|(name, path)| Ok((name, number(found, path)?))).collect()
}

fn number(found: &Value, path: &str) -> Result<f64> {
    found.pointer(path).and_then(Value::as_f64).with_context(|| format!("the load tool does not say {path}: {found}"))
}

fn show(case: &Case, samples: &[Sample], report: &mut Report) {
    for (name, unit) in FIGURES {
        let mut values: Vec<f64> = samples.iter().filter_map(|sample| sample.get(name).copied()).collect();
        values.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (values.first(), values.last()) else { continue };
        let what = format!("{}: {name} ({least:.1} to {most:.1})", case.name);
        let median = values[values.len() / 2];
        match case.goals.iter().find(|(of, _)| *of == name) {
            Some((_, goal)) => report.with_goal(what, median, unit, *goal),
            None => report.figure(what, median, unit),
        }
    }
}
