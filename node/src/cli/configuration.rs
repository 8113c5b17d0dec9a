//! `config show` and `config check`.

use serde_json::{Map, json};

use super::{
    arguments::{Config as Command, ConfigSource},
    printer::Printer,
};
use crate::{
    config::{Resolved, Sources, resolve, schema::KEYS},
    exit::Failure,
    genesis_file,
    home::Home,
};

pub fn run(command: &Command, environment: Vec<(String, String)>, printer: &mut Printer<'_>) -> Result<(), Failure> {
    match command {
        Command::Show { source, origin } => show(&read(source, environment)?, *origin, printer),
        Command::Check { source } => {
            let resolved = read(source, environment)?;
            let home = Home::at(&source.home);
            resolved.check_against(&genesis_file::load(&home.genesis_file())?)?;
            printer.print(&json!({ "valid": true }), || format!("{} is right", home.config_file().display()))
        }
    }
}

fn read(source: &ConfigSource, environment: Vec<(String, String)>) -> Result<Resolved, Failure> {
    let home = Home::at(&source.home);
    let file = Some((home.config_file(), home.read_config()?));
    Ok(resolve(&Sources { file, environment, flags: source.settings.set.clone() })?)
}

fn show(resolved: &Resolved, origin: bool, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let settings = || KEYS.iter().filter_map(|key| Some((key, resolved.settings.get(key.path)?)));
    let data: Map<_, _> = settings()
        .map(|(key, setting)| {
            let value = json!(setting.value);
            (key.path.to_owned(), if origin { json!({ "value": value, "origin": setting.origin.to_string() }) } else { value })
        })
        .collect();
    printer.print(&data, || {
        let left: Vec<_> = settings().map(|(key, setting)| format!("{} = {}", key.path, setting.value)).collect();
        let width = left.iter().map(String::len).filter(|width| *width <= 60).max().unwrap_or_default();
        let line = |(left, (_, setting)): (&String, (_, &crate::config::Setting))| {
            if origin { format!("{left:<width$}  # {}", setting.origin) } else { left.clone() }
        };
        left.iter().zip(settings()).map(line).collect::<Vec<_>>().join("\n")
    })
}
