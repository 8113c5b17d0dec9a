//! Data as text or JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::arguments::Output;
use crate::{exit::Failure, run::People};

/// Where a command prints, and how.
pub struct Printer<'a> {
    pub output: Output,
    pub out: &'a mut dyn Write,
}

impl Printer<'_> {
    /// Prints `data` as JSON, or as `text` has it.
    pub fn print(&mut self, data: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        let printed = match self.output {
            Output::Text => text(),
            Output::Json => serde_json::to_string_pretty(data).map_err(|error| Failure::runtime(format!("the answer is no JSON: {error}")))?,
        };
        written(writeln!(self.out, "{}", printed.trim_end_matches('\n')))
    }

    /// Where what is for people goes while a node runs: nowhere in JSON, which holds one value only.
    pub fn people(&mut self) -> People<'_> {
        if self.output == Output::Text { Some(&mut *self.out) } else { None }
    }

    /// A remark for people; nothing in JSON, which holds one value only.
    pub fn note(&mut self, text: &str) {
        if self.output == Output::Text && !text.is_empty() {
            // Whoever closed the pipe does not want the remark.
            let _ = writeln!(self.out, "{text}");
        }
    }
}

/// A reader who left, as `head` does, is no failure.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::runtime(format!("the answer cannot be written: {error}"))),
        _ => Ok(()),
    }
}
