//! The node: command line, configuration, homes, telemetry.
//!
//! Only this crate reads files, flags and the environment; every other receives values. A command is turned into a
//! checked value first ([`launch::Launch`], [`localnet::Localnet`]), and only then does anything run.
//!
//! ```text
//!   main -> cli -> launch, localnet      what to run: home, genesis, configuration, keys, open doors
//!                    |
//!                    v
//!                  run                   the runtime and the trees, until told to stop
//!   telemetry, terminal, client          what others see of it
//!   admin                                what the operator does to its actors
//!   load, chaos                          what a running network is put to
//! ```

pub mod admin;
pub mod boot;
mod certificate;
pub mod chaos;
pub mod cli;
pub mod client;
pub mod config;
pub mod development;
mod door;
pub mod exit;
pub mod figures;
pub mod genesis_file;
pub mod home;
pub mod keys;
pub mod launch;
pub mod listeners;
pub mod load;
pub mod localnet;
pub mod network;
mod patience;
pub mod peers;
pub mod ports;
mod probes;
pub mod run;
mod server;
pub mod telemetry;
pub mod terminal;
mod tree;
mod wiring;

/// The whole program: reads the command line and the environment of this process, and answers its exit code.
pub fn main() -> std::process::ExitCode {
    let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
    let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    cli::main(std::env::args_os().collect(), environment, &mut std::io::stdout(), &mut std::io::stderr()).into()
}
