//! Where values come from: flags over environment over file over defaults.
//!
//! Every layer is read whole, and every mistake is kept: an unknown key, a value of the wrong type, a line that is no TOML.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Mistake,
    schema::{self, KEYS, Key, Kind},
};

/// Who set a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Environment { variable: String },
    Flag { flag: String },
}

/// A value before its meaning is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    Text(String),
    Flag(bool),
    List(Vec<String>),
}

/// A value and who set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub value: Value,
    pub origin: Origin,
}

/// One value given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub path: String,
    pub value: String,
    /// What the person typed, for messages.
    pub flag: String,
}

/// Everything a configuration is made of. Only the process's `main` reads the real environment.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub file: Option<(PathBuf, String)>,
    /// Variables; those that do not begin with `AXOLOTL_` are of no interest.
    pub environment: Vec<(String, String)>,
    pub flags: Vec<Override>,
}

/// Variables that begin with `AXOLOTL_` and are no configuration keys; the command line reads them itself.
const OTHER_VARIABLES: [&str; 3] = ["AXOLOTL_HOME", "AXOLOTL_OUTPUT", "AXOLOTL_RPC"];

/// Variables by another name: a whole number of seconds, for whoever knows them so.
const SECONDS: [(&str, &str); 1] = [("AXOLOTL_P2P_KEEPALIVE_SECONDS", "p2p.keepalive")];

/// The settings of all keys by path, the highest layer winning.
pub fn merge(sources: &Sources, mistakes: &mut Vec<Mistake>) -> BTreeMap<&'static str, Setting> {
    let mut layers = Layers { settings: BTreeMap::new(), mistakes };
    for key in KEYS {
        let value = parse_literal(key.default).unwrap_or_else(|| Value::Text(String::new()));
        layers.settings.insert(key.path, Setting { value, origin: Origin::Default });
    }
    if let Some((path, text)) = &sources.file {
        layers.file(path, text);
    }
    for (variable, text) in &sources.environment {
        layers.variable(variable, text);
    }
    for given in &sources.flags {
        layers.flag(given);
    }
    layers.settings
}

struct Layers<'a> {
    settings: BTreeMap<&'static str, Setting>,
    mistakes: &'a mut Vec<Mistake>,
}

impl Layers<'_> {
    fn refuse(&mut self, key: impl Into<String>, value: impl fmt::Display, origin: Origin, remedy: impl Into<String>) {
        self.mistakes.push(Mistake { key: key.into(), value: value.to_string(), origin, remedy: remedy.into() });
    }

    fn file(&mut self, path: &Path, text: &str) {
        let line = |offset: usize| text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
        let origin = |offset: usize| Origin::File { path: path.to_owned(), line: line(offset) };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start);
            let shown = text.lines().nth(line(offset) - 1).unwrap_or_default();
            self.refuse("(syntax)", shown.trim(), origin(offset), format!("is no TOML: {}", error.message()));
        }
        for (section, value) in table.get_ref() {
            let Some(keys) = value.get_ref().as_table() else {
                self.refuse(
                    section.get_ref().as_ref(),
                    show(value),
                    origin(section.span().start),
                    "must stand in a section: ".to_owned() + &schema::known(""),
                );
                continue;
            };
            for (name, value) in keys {
                self.file_key(&format!("{}.{}", section.get_ref(), name.get_ref()), value, origin(name.span().start));
            }
            if keys.is_empty() && !KEYS.iter().any(|key| key.section() == section.get_ref().as_ref()) {
                self.refuse(section.get_ref().as_ref(), "a section", origin(section.span().start), "is unknown; ".to_owned() + &schema::known(""));
            }
        }
    }

    fn file_key(&mut self, path: &str, value: &Spanned<DeValue<'_>>, origin: Origin) {
        let Some(key) = schema::find(path) else { return self.unknown(path, show(value), origin) };
        match plain(value.get_ref()).filter(|value| value.kind() == key.kind) {
            Some(value) => self.set(key, value, origin),
            None => self.refuse(path, show(value), origin, format!("must be {}", expected(key.kind))),
        }
    }

    fn variable(&mut self, variable: &str, text: &str) {
        if !variable.starts_with("AXOLOTL_") || OTHER_VARIABLES.contains(&variable) {
            return;
        }
        let origin = Origin::Environment { variable: variable.to_owned() };
        if let Some(key) = SECONDS.iter().find(|(name, _)| *name == variable).and_then(|(_, path)| schema::find(path)) {
            return match text.trim().parse::<u32>() {
                Ok(seconds) => self.text(key, &format!("{seconds}s"), origin),
                Err(_) => self.refuse(key.path, text, origin, "must be a whole number of seconds, as in 30"),
            };
        }
        match KEYS.iter().find(|key| key.variable() == variable) {
            Some(key) => self.text(key, text, origin),
            None => self.refuse(variable, text, origin, "is no key; unset it, or use AXOLOTL_SECTION_KEY, as in AXOLOTL_RPC_LISTEN"),
        }
    }

    fn flag(&mut self, given: &Override) {
        let origin = Origin::Flag { flag: given.flag.clone() };
        match schema::find(&given.path) {
            Some(key) => self.text(key, &given.value, origin),
            None => self.unknown(&given.path, given.value.clone(), origin),
        }
    }

    /// A value from outside the file, where everything is text.
    fn text(&mut self, key: &'static Key, text: &str, origin: Origin) {
        let value = match (key.kind, text) {
            (Kind::Text, text) => Value::Text(text.to_owned()),
            (Kind::Flag, "true" | "1") => Value::Flag(true),
            (Kind::Flag, "false" | "0") => Value::Flag(false),
            (Kind::Flag, _) => return self.refuse(key.path, text, origin, "must be true or false"),
            (Kind::List, text) => Value::List(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()),
        };
        self.set(key, value, origin);
    }

    fn unknown(&mut self, path: &str, value: String, origin: Origin) {
        let section = path.split('.').next().unwrap_or_default();
        self.refuse(path, value, origin, "is no key; ".to_owned() + &schema::known(section));
    }

    fn set(&mut self, key: &'static Key, value: Value, origin: Origin) {
        self.settings.insert(key.path, Setting { value, origin });
    }
}

fn parse_literal(literal: &str) -> Option<Value> {
    plain(DeValue::parse(literal).ok()?.get_ref())
}

fn plain(value: &DeValue<'_>) -> Option<Value> {
    if let Some(items) = value.as_array() {
        return items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect::<Option<_>>().map(Value::List);
    }
    value.as_bool().map(Value::Flag).or_else(|| value.as_str().map(|text| Value::Text(text.to_owned())))
}

fn show(value: &Spanned<DeValue<'_>>) -> String {
    match value.get_ref() {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        other => format!("a {}", other.type_str()),
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a text in quotes, with its unit if it is a duration or size, as in \"250ms\" or \"64MiB\"",
        Kind::Flag => "true or false, without quotes",
        Kind::List => "a list of texts, as in [\"host:4130\"]",
    }
}

impl Value {
    /// As it is written outside the file: a flag or a variable reads it back.
    pub fn plain(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(items) => items.join(","),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Flag(_) => Kind::Flag,
            Self::List(_) => Kind::List,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::List(items) => write!(f, "{items:?}"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { variable } => write!(f, "environment {variable}"),
            Self::Flag { flag } => write!(f, "flag {flag}"),
        }
    }
}
