//! `simulator --seeds N [--first-seed S] [--scenario NAME] [--sabotage NAME]`: runs that many seeds of each scenario and says
//! how many a minute that makes. With `--seed S` one seed runs. Ends with 1 when an invariant did not hold.

use std::{io::Write, process::ExitCode, time::Instant};

use simulator::{Report, SCENARIOS, Sabotage, Scenario, named, run_sabotaged};

struct Options {
    seeds: std::ops::Range<u64>,
    scenarios: Vec<Scenario>,
    sabotage: Option<Sabotage>,
    is_verbose: bool,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)) {
        Ok(options) => campaign(&options, &mut std::io::stdout()).unwrap_or(ExitCode::FAILURE),
        Err(mistake) => {
            let _ = writeln!(std::io::stderr(), "{mistake}");
            ExitCode::from(2)
        }
    }
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { seeds: 0..100, scenarios: SCENARIOS.to_vec(), sabotage: None, is_verbose: false };
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        if name == "--verbose" {
            options.is_verbose = true;
            continue;
        }
        let value = arguments.next().ok_or(format!("{name} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name} needs a number, not {value}"));
        match name.as_str() {
            "--seeds" => options.seeds.end = options.seeds.start + number()?,
            "--first-seed" => options.seeds = number()?..number()? + (options.seeds.end - options.seeds.start),
            "--seed" => options.seeds = number()?..number()? + 1,
            "--scenario" => {
                options.scenarios = vec![named(&value).ok_or_else(|| unknown("scenario", &value, SCENARIOS.iter().map(|scenario| scenario.name)))?]
            }
            "--sabotage" => {
                options.sabotage =
                    Some(Sabotage::named(&value).ok_or_else(|| unknown("sabotage", &value, Sabotage::ALL.iter().map(|(name, _)| *name)))?)
            }
            _ => return Err(format!("unknown option {name}; known are --seeds, --first-seed, --seed, --scenario, --sabotage, --verbose")),
        }
    }
    Ok(options)
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
