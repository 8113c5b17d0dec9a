//! From a command line to what it asks for.

mod actors;
pub mod arguments;
mod chaos;
mod complaint;
mod configuration;
mod evidence;
mod export;
mod genesis;
mod living;
mod load;
mod make;
mod observe;
mod peers;
mod printer;
mod values;
mod verify;
mod wire;

use std::{ffi::OsString, future::Future, io::Write};

use clap::{CommandFactory, Parser};
use serde_json::json;

use self::{
    arguments::{Cli, Command, Output, Testnet},
    printer::Printer,
};
use crate::{
    config::Override,
    exit::{ExitCode, Failure},
    launch, localnet,
    network::NetworkFile,
    run::{self, service::Service},
    terminal::{self, Banner},
};

/// Carries out one command line: data goes to `out`, what went wrong to `err`, both as JSON where that was asked for.
pub fn main(arguments: Vec<OsString>, environment: Vec<(String, String)>, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
    let output = complaint::output(&arguments, &environment);
    run(arguments, environment, out).unwrap_or_else(|failure| {
        // With stderr gone, the exit code still tells.
        let _ = writeln!(err, "{}", complaint::text(&failure, output));
        failure.code
    })
}

/// Carries out one command line; what it has to say goes to `out`. `environment` is the source of configuration.
pub fn run(arguments: Vec<OsString>, environment: Vec<(String, String)>, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let output = complaint::output(&arguments, &environment);
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && output == Output::Json => return Err(complaint::usage(&error)),
        Err(error) => {
            // Help and version are no errors to clap either; it knows which stream each belongs to.
            let _ = error.print();
            return Ok(if error.use_stderr() { ExitCode::Usage } else { ExitCode::Done });
        }
    };
    let mut printer = Printer { output: cli.command.output(), out };
    match cli.command {
        Command::Localnet(arguments) => return run_localnet(arguments, environment, &mut printer),
        Command::Start(arguments) => return run_start(arguments, environment, &mut printer),
        Command::Init(arguments) => make::home(&arguments, &mut printer)?,
        Command::Testnet(Testnet::Init(arguments)) => make::testnet(&arguments, &mut printer)?,
        Command::Status(node) => block_on(observe::status(&node, &mut printer))?,
        Command::Actors(arguments) => block_on(actors::run(&arguments, &mut printer))?,
        Command::Wire(arguments) => block_on(wire::run(&arguments, &mut printer))?,
        Command::Peers(arguments) => block_on(peers::run(&arguments, &mut printer))?,
        Command::Wait(arguments) => block_on(observe::wait(&arguments, &mut printer))?,
        Command::Load(arguments) => block_on_threads(load::run(&arguments, &mut printer))?,
        Command::Chaos(arguments) => block_on_threads(chaos::run(&arguments, &mut printer))?,
        Command::Keys(command) => make::keys(&command, &mut printer)?,
        Command::Genesis(command) => genesis::run(&command, &mut printer)?,
        Command::Export(command) => export::run(&command, &mut printer)?,
        Command::Verify(arguments) => verify::run(&arguments, &mut printer)?,
        Command::Config(command) => configuration::run(&command, environment, &mut printer)?,
        Command::Version(_) => version(&mut printer)?,
        Command::Completions { shell } => printer.note(&completions(shell)),
    }
    Ok(ExitCode::Done)
}

fn run_localnet(arguments: arguments::Localnet, environment: Vec<(String, String)>, printer: &mut Printer<'_>) -> Result<ExitCode, Failure> {
    if arguments.print_initial_state {
        let count = arguments.validators.unwrap_or(localnet::USUAL_VALIDATORS);
        let genesis = localnet::development_genesis(count, arguments.block_interval, arguments.empty_block_interval)?;
        let state = localnet::initial_state(&genesis);
        printer.print(&state, || format!("{state:#}"))?;
        return Ok(ExitCode::Done);
    }
    let service = Service::of(&environment);
    let chaos = arguments.chaos.then(|| Override { path: "chaos.enabled".into(), value: "true".into(), flag: "--chaos".into() });
    let net = localnet::prepare(&localnet::Request {
        directory: arguments.data_dir,
        validators: arguments.validators,
        block_interval: arguments.block_interval,
        empty_block_interval: arguments.empty_block_interval,
        port_offset: arguments.port_offset,
        fresh_start: arguments.fresh_start,
        environment,
        flags: chaos.into_iter().chain(arguments.settings.set).collect(),
    })?;
    printer.note(&terminal::fresh_start(&net.fresh));
    printer.print(&NetworkFile::of(&net.nodes), || terminal::banner(&Banner::of(&net)))?;
    run::localnet(net, arguments.processes, &service, printer.people())
}

fn run_start(arguments: arguments::Start, environment: Vec<(String, String)>, printer: &mut Printer<'_>) -> Result<ExitCode, Failure> {
    let service = Service::of(&environment);
    let launch = launch::prepare(&start_request(arguments, environment))?;
    let network = NetworkFile::of(std::slice::from_ref(&launch));
    let data = json!({ "chain_id": network.chain_id, "genesis_hash": network.genesis_hash, "role": launch.role(), "node": network.nodes.first() });
    printer.print(&data, || terminal::introduction(&launch))?;
    run::start(launch, &service, printer.people())
}

fn start_request(arguments: arguments::Start, environment: Vec<(String, String)>) -> launch::Request {
    launch::Request {
        home: arguments.home,
        development: arguments.dev.zip(arguments.dev_num_validators),
        genesis_file: arguments.genesis_file,
        port_offset: arguments.port_offset,
        environment,
        flags: arguments.settings.set,
    }
}

fn version(printer: &mut Printer<'_>) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    printer.print(&json!({ "name": "axolotl", "version": version }), || format!("axolotl {version}"))
}

fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "axolotl", &mut script);
    String::from_utf8_lossy(&script).trim_end().to_owned()
}

/// Runs a command that only talks to a node.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::runtime(format!("no runtime: {error}")))?.block_on(work)
}

/// Runs a command that has much to do at the same time.
fn block_on_threads<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::runtime(format!("no runtime: {error}")))?.block_on(work)
}

#[cfg(test)]
mod tests;
