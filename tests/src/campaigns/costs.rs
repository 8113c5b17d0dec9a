//! What a finalised transaction costs: the load tool against fresh networks, and against another node beside them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;

use super::{START_LIMIT, Settings};
use crate::{
    network::{Network, Plan},
    process::{cpu, rss_mib, written_to_disk},
    report::{Goal, Report},
    wait::eventually,
};

/// Many enough that no sender's limit in a pool is met.
const ACCOUNTS: &str = "200";
/// Anvil mines each transaction at once, and stops mining when thousands wait.
const ANVIL_WINDOW: &str = "500";

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

/// One load on one kind of network.
struct Case {
    name: &'static str,
    on: On,
    arguments: &'static [&'static str],
    /// What is looked at: these figures of [`Sample`], each with its goal.
    goals: &'static [(&'static str, Goal)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Validators(usize),
    Anvil,
}

const CASES: [Case; 8] = [
    Case {
        name: "4 validators, 100 transfers a second",
        on: On::Validators(4),
        arguments: &["--tx-rate", "100"],
        goals: &[(P50, Goal::AtMost(10.0)), (P99, Goal::AtMost(25.0))],
    },
    Case {
        name: "4 validators, transfers in batches of 100",
        on: On::Validators(4),
        arguments: &["--tx-rate", "max", "--batch", "100"],
        goals: &[(RATE, Goal::AtLeast(3_000.0))],
    },
    Case { name: "4 validators, transfers one by one", on: On::Validators(4), arguments: &["--tx-rate", "max"], goals: &[] },
    Case {
        name: "4 validators, ERC-20 in batches of 100",
        on: On::Validators(4),
        arguments: &["--tx-rate", "max", "--batch", "100", "--kind", "erc20"],
        goals: &[],
    },
    Case {
        name: "1 validator, transfers in batches of 100",
        on: On::Validators(1),
        arguments: &["--tx-rate", "max", "--batch", "100"],
        goals: &[(RATE, Goal::AtLeast(11_000.0))],
    },
    Case { name: "1 validator, transfers one by one", on: On::Validators(1), arguments: &["--tx-rate", "max"], goals: &[] },
    Case {
        name: "anvil, transfers in batches of 100",
        on: On::Anvil,
        arguments: &["--tx-rate", "max", "--batch", "100", "--window", ANVIL_WINDOW],
        goals: &[],
    },
    Case { name: "anvil, transfers one by one", on: On::Anvil, arguments: &["--tx-rate", "max", "--window", ANVIL_WINDOW], goals: &[] },
];

const RATE: &str = "final a second";
const P50: &str = "submit to final, p50";
const P99: &str = "submit to final, p99";
const BLOCK: &str = "transactions in a block, mean";
const CPU: &str = "CPU of all validators for one";
const DISK: &str = "written to all disks for one";
const MEMORY: &str = "memory of the largest validator";
const FIGURES: [(&str, &str); 7] = [(RATE, "/s"), (P50, "ms"), (P99, "ms"), (BLOCK, ""), (CPU, "ms"), (DISK, "B"), (MEMORY, "MiB")];

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
        On::Validators(validators) => on_validators(&Plan { validators, ..settings.plan() }, options, case, random).await,
        On::Anvil => on_anvil(settings, options, case, random).await,
    }
}

async fn on_validators(plan: &Plan, options: &Costs, case: &Case, random: &mut StdRng) -> Result<Sample> {
    let mut network = plan.make(random)?;
    network.start_all()?;
    network.reach(1, START_LIMIT).await?;
    let urls: Vec<_> = network.validators.iter().map(|validator| format!("http://127.0.0.1:{}", validator.ports.rpc)).collect();
    let before = used(&network);
    let found = load(&plan.program, &urls.join(","), options.length, case.arguments).await?;
    let after = used(&network);
    let mut sample = sample(&found)?;
    let count = number(&found, "/finalised")?.max(1.0);
    sample.insert(CPU, (after.0 - before.0).as_secs_f64() * 1_000.0 / count);
    sample.insert(DISK, (after.1 - before.1) as f64 / count);
    let memory = network.validators.iter().map(|validator| rss_mib(validator.pid())).fold(0.0, f64::max);
    sample.insert(MEMORY, memory);
    if let Some(fork) = network.history.forks().first() {
        anyhow::bail!("{fork}");
    }
    Ok(sample)
}

/// CPU time, and bytes that the disks got in whole pages, of all validators so far.
fn used(network: &Network) -> (Duration, u64) {
    let pids = || network.validators.iter().map(|validator| validator.pid());
    (pids().map(cpu).sum(), pids().map(written_to_disk).sum())
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
