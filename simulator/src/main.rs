//! `simulator --seeds N [--first-seed S] [--scenario NAME] [--sabotage NAME]`: runs that many seeds of each scenario and says
//! how many a minute that makes. With `--seed S` one seed runs. `--prove` shows for every way to break a node on purpose how many
//! seeds it takes until the observer sees it. Ends with 1 when an invariant did not hold, or a proof failed.

use std::{io::Write, process::ExitCode, time::Instant};

use simulator::{Report, SCENARIOS, Sabotage, Scenario, named, run_sabotaged, seeds_until_seen};

struct Options {
    seeds: std::ops::Range<u64>,
    scenarios: Vec<Scenario>,
    sabotage: Option<Sabotage>,
    is_verbose: bool,
    proves: bool,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)) {
        Ok(options) if options.proves => prove(&options, &mut std::io::stdout()).unwrap_or(ExitCode::FAILURE),
        Ok(options) => campaign(&options, &mut std::io::stdout()).unwrap_or(ExitCode::FAILURE),
        Err(mistake) => {
            let _ = writeln!(std::io::stderr(), "{mistake}");
            ExitCode::from(2)
        }
    }
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { seeds: 0..100, scenarios: SCENARIOS.to_vec(), sabotage: None, is_verbose: false, proves: false };
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--verbose" => options.is_verbose = true,
            "--prove" => options.proves = true,
            _ => {
                let value = arguments.next().ok_or(format!("{name} needs a value"))?;
                set(&mut options, &name, &value)?;
            }
        }
    }
    Ok(options)
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<(), String> {
    let number = || value.parse::<u64>().map_err(|_| format!("{name} needs a number, not {value}"));
    match name {
        "--seeds" => options.seeds.end = options.seeds.start + number()?,
        "--first-seed" => options.seeds = number()?..number()? + (options.seeds.end - options.seeds.start),
        "--seed" => options.seeds = number()?..number()? + 1,
        "--scenario" => {
            let known = SCENARIOS.iter().map(|scenario| scenario.name);
            options.scenarios = vec![named(value).ok_or_else(|| unknown("scenario", value, known))?];
        }
        "--sabotage" => {
            let known = Sabotage::ALL.iter().map(|(name, _)| *name);
            options.sabotage = Some(Sabotage::named(value).ok_or_else(|| unknown("sabotage", value, known))?);
        }
        _ => return Err(format!("unknown option {name}; known are --seeds, --first-seed, --seed, --scenario, --sabotage, --prove, --verbose")),
    }
    Ok(())
}

fn unknown<'a>(what: &str, value: &str, known: impl Iterator<Item = &'a str>) -> String {
    format!("there is no {what} {value}; there are {}", known.collect::<Vec<_>>().join(", "))
}

fn campaign(options: &Options, out: &mut impl Write) -> std::io::Result<ExitCode> {
    let (begun, mut runs, mut broken) = (Instant::now(), 0u64, 0u64);
    for scenario in &options.scenarios {
        let (begun, mut total) = (Instant::now(), Report::default());
        for seed in options.seeds.clone() {
            let report = run_sabotaged(*scenario, seed, options.sabotage);
            runs += 1;
            broken += u64::from(!report.violations.is_empty());
            if options.is_verbose {
                writeln!(out, "{} seed {seed}: {}", scenario.name, report.figures())?;
            }
            for violation in &report.violations {
                writeln!(out, "{} seed {seed}, {} ms: {:?}: {}", scenario.name, violation.at_ms, violation.kind, violation.what)?;
            }
            total.add(&report);
        }
        writeln!(out, "{:14} {:6.1} s  {}", scenario.name, begun.elapsed().as_secs_f64(), total.figures())?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    writeln!(out, "{runs} seeds in {seconds:.1} s: {:.0} a minute; {broken} broke an invariant", runs as f64 / seconds * 60.0)?;
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How many seeds each sabotage takes until the observer sees it.
fn prove(options: &Options, out: &mut impl Write) -> std::io::Result<ExitCode> {
    let mut are_all_seen = true;
    for (name, sabotage) in Sabotage::ALL {
        for (scenario, kind) in sabotage.proofs() {
            let seen = seeds_until_seen(sabotage, scenario, *kind, options.seeds.clone());
            are_all_seen &= seen.is_some();
            let seeds = seen.map_or("never seen".into(), |seeds| format!("{seeds} seeds"));
            writeln!(out, "{name:24} {scenario:8} {kind:14} {seeds}", kind = format!("{kind:?}"))?;
        }
    }
    Ok(if are_all_seen { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
