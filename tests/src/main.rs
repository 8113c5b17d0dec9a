//! `tests campaign NAME ...` runs a campaign; `tests start ...` is a validator of one, and `tests load ...` the load on it.

use std::{io::Write, process::ExitCode};

use clap::Parser;
use tests::command::{Command, run};

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|first| matches!(first.as_str(), "start" | "load")) {
        return node::main();
    }
    match run(&Command::parse(), &mut std::io::stdout()) {
        Ok(code) => code,
        Err(error) => {
            // With stderr gone, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}
