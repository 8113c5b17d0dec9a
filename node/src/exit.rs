//! How the process ends, and what it says when it ends badly.

use std::fmt;

use serde_json::{Value, json};

/// Exit codes. They are stable: scripts and service managers decide by them.
///
/// A service manager restarts on all but [`Usage`](Self::Usage), [`LockHeld`](Self::LockHeld) and
/// [`Config`](Self::Config), which no restart can mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done as asked.
    Done = 0,
    /// The command could not be carried out; `wait` also says so when time ran out.
    Runtime = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// An actor's restart budget is spent, or an exclusive actor is stuck.
    Escalated = 70,
    /// The runtime itself is stuck.
    Stuck = 71,
    /// The disk failed, or what is on it is damaged.
    Disk = 74,
    /// Another process holds the home.
    LockHeld = 75,
    /// The node stopped, but somebody still held a database lease.
    LeasesLeft = 76,
    /// A configuration, key or genesis is wrong.
    Config = 78,
}

impl ExitCode {
    /// As JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Runtime => "runtime",
            Self::Usage => "usage",
            Self::Escalated => "escalated",
            Self::Stuck => "stuck",
            Self::Disk => "disk",
            Self::LockHeld => "lock_held",
            Self::LeasesLeft => "leases_left",
            Self::Config => "config",
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// Why a command gave up: what is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: ExitCode,
    /// One sentence without a full stop.
    pub what: String,
    /// Each place that is wrong, one line each.
    pub at: Vec<String>,
    /// What the reader can do now. Empty when each place names its own.
    pub remedy: String,
}

impl Failure {
    pub fn new(code: ExitCode, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), at: Vec::new(), remedy: String::new() }
    }

    pub fn config(what: impl Into<String>) -> Self {
        Self::new(ExitCode::Config, what)
    }

    pub fn runtime(what: impl Into<String>) -> Self {
        Self::new(ExitCode::Runtime, what)
    }

    /// Reading failed: a missing file, or one that is no text, is a matter of configuration, all else of the disk.
    pub fn io(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{AlreadyExists, InvalidData, IsADirectory, NotADirectory, NotFound, PermissionDenied};
        let is_ours_to_mend = matches!(error.kind(), NotFound | PermissionDenied | AlreadyExists | NotADirectory | IsADirectory | InvalidData);
        let code = if is_ours_to_mend { ExitCode::Config } else { ExitCode::Disk };
        Self::new(code, format!("{doing} failed: {error}")).at(path.display().to_string())
    }

    /// Writing failed. A place where nothing can be written is no fault of a configuration: the command could not be carried out,
    /// unless the disk itself failed.
    pub fn unwritten(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem, StorageFull};
        let (code, remedy) = match error.kind() {
            NotFound => (ExitCode::Runtime, "make its directory first, or name another place"),
            PermissionDenied | ReadOnlyFilesystem => (ExitCode::Runtime, "name a place where you may write, or get the right to write there"),
            NotADirectory | IsADirectory | AlreadyExists => (ExitCode::Runtime, "something else has that name: name another place"),
            StorageFull => (ExitCode::Disk, "make room on that disk, then try again"),
            _ => (ExitCode::Disk, "look at the disk and at the system's log, then try again"),
        };
        Self::new(code, format!("{doing} failed: {error}")).at(path.display().to_string()).remedy(remedy)
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        let remedy = (!self.remedy.is_empty()).then_some(&self.remedy);
        json!({ "error": { "code": self.code.name(), "message": self.what, "at": self.at, "remedy": remedy, "exit_code": self.code as u8 } })
    }

    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.at.push(place.into());
        self
    }

    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        for place in &self.at {
            write!(f, "\n   at: {}", place.replace('\n', "\n       "))?;
        }
        if !self.remedy.is_empty() {
            write!(f, "\n   do: {}", self.remedy.replace('\n', "\n       "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_that_scripts_know() {
        let codes = [
            ExitCode::Done,
            ExitCode::Runtime,
            ExitCode::Usage,
            ExitCode::Escalated,
            ExitCode::Stuck,
            ExitCode::Disk,
            ExitCode::LockHeld,
            ExitCode::LeasesLeft,
            ExitCode::Config,
        ];
        assert_eq!(codes.map(|code| code as u8), [0, 1, 2, 70, 71, 74, 75, 76, 78]);
    }

    #[test]
    fn a_failure_reads_as_one_block_of_what_where_and_remedy() {
        let failure = Failure::config("the key is readable by others").at("keys/node.key").remedy("chmod 600 keys/node.key");
        assert_eq!(failure.to_string(), "error: the key is readable by others\n   at: keys/node.key\n   do: chmod 600 keys/node.key");
    }

    #[test]
    fn a_missing_file_or_rubbish_is_configuration_and_a_broken_disk_is_the_disk() {
        let code = |kind: std::io::ErrorKind| Failure::io("reading", std::path::Path::new("x"), &kind.into()).code;
        assert_eq!(code(std::io::ErrorKind::NotFound), ExitCode::Config);
        assert_eq!(code(std::io::ErrorKind::InvalidData), ExitCode::Config);
        assert_eq!(code(std::io::ErrorKind::StorageFull), ExitCode::Disk);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_no_configuration_and_names_a_remedy() {
        let failure = |kind: std::io::ErrorKind| Failure::unwritten("writing", std::path::Path::new("x"), &kind.into());
        for kind in [std::io::ErrorKind::NotFound, std::io::ErrorKind::PermissionDenied, std::io::ErrorKind::IsADirectory] {
            assert_eq!((failure(kind).code, failure(kind).remedy.is_empty()), (ExitCode::Runtime, false), "{kind}");
        }
        assert_eq!(failure(std::io::ErrorKind::StorageFull).code, ExitCode::Disk);
    }
}
