//! `load`: transactions against a running network, and what became of them.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::ProgressBar;

use super::{
    arguments::{Format, Output},
    living,
    printer::Printer,
    values::duration,
};
use crate::{
    exit::{ExitCode, Failure},
    keys,
    load::{self, Accounts, Chain, Counts, GWEI, Kind, News, Plan, Rate},
    run::signals::Signals,
};

/// Plain lines come at most this often.
const PLAIN_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub struct Load {
    /// Nodes to send to; each account stays with one of them
    #[arg(long, value_name = "URL[,URL]", env = "AXOLOTL_RPC", default_value = "http://127.0.0.1:3030", value_delimiter = ',')]
    pub rpc: Vec<String>,
    /// Transactions a second, or max for as many as become final
    #[arg(long, value_name = "R|max", default_value = "100")]
    pub tx_rate: Rate,
    /// How long to send, as in 10s
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    pub duration: Duration,
    /// What a transaction does
    #[arg(long, default_value = "transfer")]
    pub kind: Kind,
    /// How many accounts send; more than ten are funded first
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub accounts: u32,
    /// How many other addresses receive, in turn; without it, each sender's neighbour does
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub recipients: Option<u64>,
    /// Key file of an account that funds the others; without it, the public development accounts
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Transactions in one request
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub batch: u32,
    /// Requests without an answer at a time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub in_flight: u32,
    /// With --tx-rate max, transactions that left and are not final
    #[arg(long, value_name = "N", default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub window: u32,
    /// How long to wait at the end for what is not final
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    pub settle: Duration,
    /// The most a transaction pays for a unit of gas, in gwei; otherwise well above the base fee
    #[arg(long, value_name = "GWEI", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub fee_cap: Option<u64>,
    /// Send to this chain only
    #[arg(long, value_name = "ID")]
    pub chain_id: Option<u64>,
    #[command(flatten)]
    pub format: Format,
}

/// `axolotl load`.
pub async fn run(arguments: &Load, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let plan = plan(arguments)?;
    let accounts = match &arguments.key {
        Some(path) => Accounts::of(keys::read(path)?, plan.accounts),
        None => Accounts::development(plan.accounts),
    };
    let chain = Chain::reach(&arguments.rpc).await?;
    if let Some(wanted) = arguments.chain_id {
        chain.expect(wanted)?;
    }
    let mut signals = Signals::listen()?;
    let stop = async {
        signals.next().await;
    };
    let mut line = Line::new(printer.output);
    let report = load::run(&chain, &accounts, &plan, stop, &mut |news| line.tell(&news, printer)).await;
    line.clear();
    let report = report?;
    printer.print(&report, || report.text())?;
    report.verdict()
}

fn plan(arguments: &Load) -> Result<Plan, Failure> {
    if arguments.duration.is_zero() {
        return Err(Failure::new(ExitCode::Usage, "nothing can be sent in no time").remedy("write a longer --duration, as in 10s"));
    }
    let accounts = arguments.accounts as usize;
    if accounts < arguments.rpc.len() {
        let failure = Failure::new(ExitCode::Usage, format!("{accounts} accounts are too few for {} nodes", arguments.rpc.len()));
        return Err(failure.remedy("each node needs an account of its own: raise --accounts"));
    }
    Ok(Plan {
        rate: arguments.tx_rate,
        duration: arguments.duration,
        kind: arguments.kind,
        accounts,
        recipients: arguments.recipients,
        batch: arguments.batch as usize,
        in_flight: arguments.in_flight as usize,
        window: arguments.window as usize,
        settle: arguments.settle,
        fee_cap: arguments.fee_cap.map(|gwei| u128::from(gwei) * GWEI),
    })
}

/// The living line: rewritten in place on a terminal, otherwise a plain line once a second; nothing in JSON.
struct Line {
    bar: Option<ProgressBar>,
    told: Option<Instant>,
}

impl Line {
    fn new(output: Output) -> Self {
        Self { bar: living::line(output), told: None }
    }

    fn tell(&mut self, news: &News<'_>, printer: &mut Printer<'_>) {
        let counts = match news {
            News::Note(note) => return printer.note(note),
            News::Progress(counts) => counts,
        };
        match &self.bar {
            Some(bar) => bar.set_message(progress(counts)),
            None if self.told.is_none_or(|at| PLAIN_INTERVAL <= at.elapsed()) => {
                self.told = Some(Instant::now());
                printer.note(&progress(counts));
            }
            None => {}
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn progress(counts: &Counts) -> String {
    let errors: u64 = counts.errors.kinds().values().sum();
    let block = counts.blocks.last.map_or("none yet".to_owned(), |block| block.to_string());
    let Counts { submitted, finalised, waiting, .. } = counts;
    format!("submitted {submitted}  final {finalised}  waiting {waiting}  {:.1} tx/s  block {block}  errors {errors}", counts.final_rate())
}
