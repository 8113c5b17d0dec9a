//! From a checked plan to running nodes.

use std::io::Write;

use crate::{
    exit::{ExitCode, Failure},
    launch::Launch,
    localnet::Localnet,
    terminal::{self, Banner},
};

/// Runs one node until it is told to stop.
pub fn start(launch: Launch, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    // Whoever closed the pipe does not want the lines.
    let _ = writeln!(out, "{}: chain id {}, genesis {}", launch.name, launch.genesis.chain_id, launch.genesis.hash());
    Err(Failure::runtime("this build has no actors yet, so there is nothing to run"))
}

/// Runs a whole network until it is told to stop; `processes`: one process for each validator.
pub fn localnet(net: Localnet, processes: bool, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let _ = write!(out, "{}", terminal::banner(&Banner::of(&net)));
    let _ = processes;
    Err(Failure::runtime("this build has no actors yet, so there is nothing to run"))
}
