//! Damaged bytes to everything that reads the bytes of strangers.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Settings;
use crate::{fuzz_wire::run, report::Report};

/// Runs all targets, one after the other, within `length`.
pub async fn fuzz_wire(settings: &Settings, length: Duration) -> Result<Report> {
    let mut report = Report::of("fuzz-wire");
    let (seed, began) = (settings.seed, Instant::now());
    // Its cases run on a runtime of their own.
    let fuzzed = tokio::task::spawn_blocking(move || run(seed, length)).await??;
    for target in fuzzed {
        report.figure(format!("cases of {}", target.target), target.cases as f64, "");
        target.findings.into_iter().for_each(|finding| report.fail(finding));
    }
    report.figure("seconds", began.elapsed().as_secs_f64(), "s");
    Ok(report)
}
