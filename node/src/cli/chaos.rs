//! `chaos`: random faults in a test network, and whether all went well.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use indicatif::ProgressBar;
use primitives::genesis::NetworkKind;
use tokio::sync::watch;

use super::{
    arguments::{Format, Output},
    living,
    printer::Printer,
    values::duration,
};
use crate::{
    chaos::{self, Localnet, Plan, Report, Rules, Settings, Target, Told, localnet},
    exit::{ExitCode, Failure},
    keys,
    load::Accounts,
    localnet::{USUAL_VALIDATORS, check_count},
    run::signals::Signals,
};

/// What `--network` says for one that is made for the run.
const LOCALNET: &str = "localnet";
/// In less time nothing happens.
const MIN_DURATION: Duration = Duration::from_secs(2);
/// Accounts that send.
const ACCOUNTS: usize = 10;

#[derive(Debug, Args)]
pub struct Chaos {
    /// Directory of a running test network with chaos.enabled, or localnet for a fresh one that is stopped again
    #[arg(long, value_name = "DIR|localnet", default_value = LOCALNET)]
    pub network: String,
    /// The same seed plans the same for the same network; one at random if not given
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How long faults happen, as in 5m
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "60s")]
    pub duration: Duration,
    /// Print what would happen, and let nothing happen
    #[arg(long)]
    pub print_plan: bool,
    /// Also strike more voting power at a time than the others can do without: the chain may stand still then
    #[arg(long)]
    pub all: bool,
    /// A service manager starts processes again: also let storage and signer hang, which ends theirs
    #[arg(long)]
    pub supervised: bool,
    /// Of the fresh localnet: how many validators; 4 if not given
    #[arg(long, short = 'v', value_name = "N")]
    pub validators: Option<usize>,
    /// Of the fresh localnet: where it is made and left, instead of a temporary directory
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Of the fresh localnet: one process for each validator, started again when it ends
    #[arg(long)]
    pub processes: bool,
    /// Transfers a second meanwhile; 0 for none
    #[arg(long, value_name = "R", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub tx_rate: u32,
    /// Key file of an account that pays for them; without it, the public development accounts
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// How long everything may take to be final and well in the end
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "60s")]
    pub settle: Duration,
    #[command(flatten)]
    pub format: Format,
}

/// `axolotl chaos`.
pub async fn run(arguments: &Chaos, printer: &mut Printer<'_>) -> Result<(), Failure> {
    check(arguments)?;
    let rules = rules(arguments);
    let report =
        if arguments.network == LOCALNET { on_localnet(arguments, &rules, printer).await? } else { on_directory(arguments, &rules, printer).await? };
    let Some(report) = report else { return Ok(()) };
    printer.print(&report, || report.text())?;
    report.verdict()
}

fn check(arguments: &Chaos) -> Result<(), Failure> {
    let usage = |what: &str, at: String| Failure::new(ExitCode::Usage, what).at(at);
    if arguments.duration < MIN_DURATION {
        let failure =
            usage("nothing can fail and come back in so little time", format!("--duration {}", humantime::format_duration(arguments.duration)));
        return Err(failure.remedy("write 2s or more, as in 60s"));
    }
    let own = [("--validators", arguments.validators.is_some()), ("--data-dir", arguments.data_dir.is_some()), ("--processes", arguments.processes)];
    let given: Vec<&str> = own.iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| *flag).collect();
    if arguments.network != LOCALNET && !given.is_empty() {
        let failure = usage("a network that runs is taken as it is", format!("{} with --network {}", given.join(", "), arguments.network));
        return Err(failure.remedy("leave these out, or let one be made: --network localnet"));
    }
    arguments.validators.map_or(Ok(()), check_count)
}

fn rules(arguments: &Chaos) -> Rules {
    Rules {
        seed: arguments.seed.unwrap_or_else(rand::random),
        duration: arguments.duration,
        is_supervised: arguments.supervised || arguments.processes,
        is_unbounded: arguments.all,
    }
}

/// None when only the plan was wanted.
async fn on_localnet(arguments: &Chaos, rules: &Rules, printer: &mut Printer<'_>) -> Result<Option<Report>, Failure> {
    let validators = arguments.validators.unwrap_or(USUAL_VALIDATORS);
    let plan = planned(&localnet::subjects(validators), rules)?;
    if arguments.print_plan {
        return printer.print(&plan, || plan.to_string()).map(|()| None);
    }
    let wish = localnet::Wish { validators, directory: arguments.data_dir.clone(), processes: arguments.processes };
    printer.note(&format!("starting a localnet of {validators} validators"));
    let (network, target) = Localnet::start(&wish).await?;
    let report = strike(arguments, &target, &plan, printer).await;
    let is_kept = report.as_ref().map_or(true, |report| !report.is_safe());
    let left = network.stop(is_kept).await;
    let report = report?;
    if let Some(directory) = left? {
        printer.note(&format!("the network is left in {}", directory.display()));
    }
    Ok(Some(report))
}

async fn on_directory(arguments: &Chaos, rules: &Rules, printer: &mut Printer<'_>) -> Result<Option<Report>, Failure> {
    let target = Target::open(Path::new(&arguments.network)).await?;
    let plan = planned(&target.subjects(), rules)?;
    if arguments.print_plan {
        return printer.print(&plan, || plan.to_string()).map(|()| None);
    }
    strike(arguments, &target, &plan, printer).await.map(Some)
}

fn planned(subjects: &[chaos::plan::Subject], rules: &Rules) -> Result<Plan, Failure> {
    let plan = Plan::make(subjects, rules);
    if !plan.strikes.is_empty() {
        return Ok(plan);
    }
    let failure = Failure::new(ExitCode::Usage, format!("with {} validators the chain stands still without any one of them", subjects.len()));
    Err(failure.remedy("take 4 validators or more, or strike nevertheless: --all"))
}

async fn strike(arguments: &Chaos, target: &Target, plan: &Plan, printer: &mut Printer<'_>) -> Result<Report, Failure> {
    let settings = Settings {
        rate: (0 < arguments.tx_rate).then_some(arguments.tx_rate.into()),
        accounts: accounts(arguments, target)?,
        settle: arguments.settle,
        is_unbounded: arguments.all,
    };
    printer.note(&format!("seed {}: {} strikes in {}", plan.seed, plan.strikes.len(), humantime::format_duration(arguments.duration)));
    let signals = count_signals()?;
    let (stop, impatience) = (reach(signals.clone(), 1), reach(signals, 2));
    let mut line = Line::new(printer.output);
    let mut tell = |told: Told<'_>| line.tell(&told, printer);
    let report = tokio::select! {
        report = chaos::run(target, plan, &settings, stop, &mut tell) => report,
        () = impatience => Err(Failure::runtime("a second signal ended the run before its end was looked at").remedy("take back what has not struck: `axolotl actors clear PATH`")),
    };
    line.clear();
    report
}

fn accounts(arguments: &Chaos, target: &Target) -> Result<Accounts, Failure> {
    let accounts = ACCOUNTS.max(target.nodes.len());
    if let Some(path) = &arguments.key {
        return Ok(Accounts::of(keys::read(path)?, accounts));
    }
    if target.genesis.network_kind != NetworkKind::Dev && 0 < arguments.tx_rate {
        let failure = Failure::new(ExitCode::Usage, "the development accounts have nothing on this network");
        return Err(failure
            .at(arguments.network.clone())
            .remedy("name an account that pays for the transfers with --key FILE, or send none: --tx-rate 0"));
    }
    Ok(Accounts::development(accounts))
}

/// How many signals there have been.
fn count_signals() -> Result<watch::Receiver<u32>, Failure> {
    let mut signals = Signals::listen()?;
    let (count, counted) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            signals.next().await;
            count.send_modify(|count| *count += 1);
        }
    });
    Ok(counted)
}

async fn reach(mut signals: watch::Receiver<u32>, count: u32) {
    // The counter lives as long as the runtime.
    if signals.wait_for(|seen| count <= *seen).await.is_err() {
        std::future::pending().await
    }
}

/// One line for each fault; below it on a terminal, how it is going.
struct Line {
    bar: Option<ProgressBar>,
}

impl Line {
    fn new(output: Output) -> Self {
        Self { bar: living::line(output) }
    }

    fn tell(&mut self, told: &Told<'_>, printer: &mut Printer<'_>) {
        match (told, &self.bar) {
            (Told::Progress { elapsed, height, struck, planned, submitted, finalised }, Some(bar)) => {
                let elapsed = elapsed.as_secs();
                bar.set_message(format!("{elapsed} s  strikes {struck} of {planned}  height {height}  submitted {submitted}  final {finalised}"));
                bar.tick();
            }
            (Told::Progress { .. }, None) => {}
            (Told::Note(note), bar) => say(note, bar.as_ref(), printer),
            (Told::Fault(fault), bar) => say(&fault.text(), bar.as_ref(), printer),
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn say(text: &str, bar: Option<&ProgressBar>, printer: &mut Printer<'_>) {
    match bar {
        Some(bar) => bar.println(text),
        None => printer.note(text),
    }
}
