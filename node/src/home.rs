//! The directory of one node. Nothing of a node is anywhere else.
//!
//! ```text
//!   config/config.toml      what the operator decided
//!   config/genesis.json     what the network decided
//!   keys/node.key           identity on the network         mode 0600
//!   keys/validator.key      consensus key, if any           mode 0600
//!   admin.token             opens the admin listener         mode 0600
//!   admin.json              where that is, while a node runs
//!   data/<chain>/           db, wal, signing, blobs, peers  one set for each chain
//!   data/last-shutdown.json, data/stuck-*.json              how the last processes ended
//!   LOCK                    held by the process that runs on this home
//! ```

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use primitives::SecretKey;
use storage::{DirectoryLock, LockError};

use crate::{
    exit::{ExitCode, Failure},
    keys,
};

/// Groups of a chain's data that a fresh start deletes.
const DISPOSABLE: [&str; 4] = ["db", "wal", "blobs", "mempool"];
const SIGNING: &str = "signing";
const ARCHIVE: &str = "archive";
const STUCK_REPORT: &str = "stuck-";
const MAX_STUCK_REPORTS: usize = 5;

/// Where the files of one node are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

/// What a fresh start did to a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// Gone for good.
    pub deleted: Vec<PathBuf>,
    /// Where the sign state is now, if there was any.
    pub archived: Option<PathBuf>,
}

impl Fresh {
    /// Nothing was there to begin anew from.
    pub fn is_idle(&self) -> bool {
        self.deleted.is_empty() && self.archived.is_none()
    }
}

/// What a new home is made of.
pub struct Contents<'a> {
    /// Text of `config.toml`.
    pub config: &'a str,
    /// Text of `genesis.json`.
    pub genesis: &'a str,
    pub node_key: &'a SecretKey,
    /// None: the node follows and never votes.
    pub validator_key: Option<&'a SecretKey>,
}

impl Home {
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn config_file(&self) -> PathBuf {
        self.root.join("config/config.toml")
    }

    pub fn genesis_file(&self) -> PathBuf {
        self.root.join("config/genesis.json")
    }

    pub fn node_key_file(&self) -> PathBuf {
        self.root.join("keys/node.key")
    }

    pub fn validator_key_file(&self) -> PathBuf {
        self.root.join("keys/validator.key")
    }

    pub fn lock_file(&self) -> PathBuf {
        self.root.join("LOCK")
    }

    /// What opens the admin listener.
    pub fn admin_token_file(&self) -> PathBuf {
        self.root.join("admin.token")
    }

    /// Where the admin listener is, while a node runs.
    pub fn admin_file(&self) -> PathBuf {
        self.root.join("admin.json")
    }

    /// Report of the last ordered stop.
    pub fn shutdown_report_file(&self) -> PathBuf {
        self.root.join("data/last-shutdown.json")
    }

    /// What the actors were at when the runtime stood still, at `unix_ms`.
    pub fn stuck_report_file(&self, unix_ms: u64) -> PathBuf {
        self.root.join("data").join(format!("{STUCK_REPORT}{unix_ms:013}.json"))
    }

    /// Deletes all but the latest few reports of a stuck runtime.
    pub fn forget_old_stuck_reports(&self) -> std::io::Result<()> {
        let is_report = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(STUCK_REPORT));
        let mut reports: Vec<_> = fs::read_dir(self.root.join("data"))?.flatten().map(|entry| entry.path()).filter(is_report).collect();
        reports.sort();
        reports.iter().rev().skip(MAX_STUCK_REPORTS).try_for_each(fs::remove_file)
    }

    /// Everything of one chain.
    pub fn data(&self, chain: &str) -> PathBuf {
        self.root.join("data").join(chain)
    }

    pub fn database(&self, chain: &str) -> PathBuf {
        self.data(chain).join("db")
    }

    /// Consensus journals.
    pub fn journal(&self, chain: &str) -> PathBuf {
        self.data(chain).join("wal")
    }

    /// The promise, and the archive of older ones.
    pub fn signing(&self, chain: &str) -> PathBuf {
        self.data(chain).join(SIGNING)
    }

    /// Whether a home was made here. The configuration is written last, so an interrupted `init` is no home.
    pub fn exists(&self) -> bool {
        self.config_file().is_file()
    }

    /// Whether no chain has left anything here.
    pub fn is_unused(&self) -> bool {
        fs::read_dir(self.root.join("data")).map_or(true, |mut entries| entries.next().is_none())
    }

    /// Makes a home; refuses to touch one that is there.
    pub fn create(&self, contents: &Contents<'_>) -> Result<(), Failure> {
        if self.exists() {
            let failure = Failure::config("there is a home already").at(self.root.display().to_string());
            return Err(failure.remedy("choose another directory, or use this one with `axolotl start --home`"));
        }
        self.make_directories()?;
        keys::ensure(&self.node_key_file(), contents.node_key)?;
        if let Some(key) = contents.validator_key {
            keys::ensure(&self.validator_key_file(), key)?;
        }
        write(&self.genesis_file(), contents.genesis)?;
        write(&self.config_file(), contents.config)
    }

    /// Makes the directories, for their owner only.
    pub fn make_directories(&self) -> Result<(), Failure> {
        ["config", "keys", "data"].map(|name| self.root.join(name)).iter().try_for_each(|path| {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| Failure::unwritten("making a directory", path, &error))
        })
    }

    /// The text of the configuration file.
    pub fn read_config(&self) -> Result<String, Failure> {
        let path = self.config_file();
        fs::read_to_string(&path).map_err(|error| {
            let remedy = format!("make a home with `axolotl init --home {}`", self.root.display());
            Failure::io("reading the configuration", &path, &error).remedy(remedy)
        })
    }

    /// Refuses when a process runs on this home.
    pub fn refuse_if_held(&self) -> Result<(), Failure> {
        let held = |who: String| {
            let failure = Failure::new(ExitCode::LockHeld, "the home is in use").at(format!("{}, held by {who}", self.lock_file().display()));
            Err(failure.remedy("stop that process first, or choose another directory"))
        };
        match DirectoryLock::holder(&self.root) {
            Ok(None) => Ok(()),
            Ok(Some(holder)) => held(format!("pid {} on {}", holder.pid, holder.host)),
            Err(LockError::Held { pid: Some(pid), .. }) => held(format!("pid {pid}")),
            Err(LockError::Held { .. }) => held("a process whose name is not in it".to_owned()),
            Err(LockError::Io { path, source }) => Err(Failure::io("looking at the lock", &path, &source)),
        }
    }

    /// Deletes ledger, journal, blobs and pool as one, and archives the sign state. Keys, configuration and peers stay.
    /// Only for development networks, whose keys protect nothing.
    pub fn start_fresh(&self, chain: &str) -> Result<Fresh, Failure> {
        self.refuse_if_held()?;
        // The sign state goes first: a crash in between leaves a ledger without it, which is the case every start knows how to judge.
        let archived = self.archive_sign_state(chain)?;
        let mut deleted = Vec::new();
        for group in DISPOSABLE {
            let path = self.data(chain).join(group);
            if path.exists() {
                fs::remove_dir_all(&path).map_err(|error| Failure::unwritten("deleting data for a fresh start", &path, &error))?;
                deleted.push(path);
            }
        }
        Ok(Fresh { deleted, archived })
    }

    fn archive_sign_state(&self, chain: &str) -> Result<Option<PathBuf>, Failure> {
        let signing = self.signing(chain);
        let Ok(entries) = fs::read_dir(&signing) else { return Ok(None) };
        let live: Vec<_> = entries.flatten().filter(|entry| entry.file_name() != ARCHIVE).collect();
        if live.is_empty() {
            return Ok(None);
        }
        let archive = signing.join(ARCHIVE);
        let number = (1..).find(|number| !archive.join(number.to_string()).exists()).unwrap_or(u32::MAX);
        let target = archive.join(number.to_string());
        fs::create_dir_all(&target).map_err(|error| Failure::unwritten("archiving the sign state", &target, &error))?;
        for entry in live {
            fs::rename(entry.path(), target.join(entry.file_name()))
                .map_err(|error| Failure::unwritten("archiving the sign state", &entry.path(), &error))?;
        }
        Ok(Some(target))
    }
}

/// Writes the whole file or leaves the old one.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let beside = path.with_extension("new");
    let attempt = || {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    attempt().map_err(|error| Failure::unwritten("writing", path, &error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::development;
    use std::os::unix::fs::PermissionsExt;

    fn made() -> (tempfile::TempDir, Home) {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path().join("home"));
        let (node_key, validator_key) = (development::node_key(0), development::validator_key(0));
        let contents = Contents { config: "# c", genesis: "{}", node_key: &node_key, validator_key: Some(&validator_key) };
        home.create(&contents).unwrap();
        (directory, home)
    }

    #[test]
    fn keys_and_directories_are_for_their_owner_only() {
        let (_directory, home) = made();
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(home.node_key_file()), mode(home.validator_key_file()), mode(home.root().join("keys"))], [0o600, 0o600, 0o700]);
    }

    #[test]
    fn a_home_is_never_made_twice() {
        let (_directory, home) = made();
        let key = development::node_key(1);
        let again = home.create(&Contents { config: "", genesis: "", node_key: &key, validator_key: None }).unwrap_err();
        assert_eq!(again.code, ExitCode::Config);
        assert_eq!(fs::read_to_string(home.config_file()).unwrap(), "# c");
    }

    #[test]
    fn a_home_whose_making_was_interrupted_is_made_again() {
        let (_directory, home) = made();
        fs::remove_file(home.config_file()).unwrap();
        assert!(!home.exists());
        let (node_key, validator_key) = (development::node_key(0), development::validator_key(0));
        home.create(&Contents { config: "# d", genesis: "{}", node_key: &node_key, validator_key: Some(&validator_key) }).unwrap();
        assert!(home.exists());
    }

    #[test]
    fn a_fresh_start_deletes_the_ledger_archives_the_promise_and_keeps_the_rest() {
        let (_directory, home) = made();
        for file in ["db/1", "wal/2", "signing/promise", "peers/book"] {
            let path = home.data("alpha").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        let fresh = home.start_fresh("alpha").unwrap();
        assert_eq!(fresh.deleted, [home.database("alpha"), home.journal("alpha")]);
        let archived = fresh.archived.unwrap();
        assert_eq!(fs::read_to_string(archived.join("promise")).unwrap(), "signing/promise");
        assert!(!home.database("alpha").exists() && !home.journal("alpha").exists());
        assert!(home.data("alpha").join("peers/book").exists() && home.node_key_file().exists() && home.exists());
        assert!(home.start_fresh("alpha").unwrap().is_idle());
    }

    #[test]
    fn only_the_latest_reports_of_a_stuck_runtime_are_kept() {
        let (_directory, home) = made();
        (1..=8).for_each(|at| fs::write(home.stuck_report_file(at * 1_000), "{}").unwrap());
        fs::write(home.shutdown_report_file(), "{}").unwrap();
        home.forget_old_stuck_reports().unwrap();
        let kept: Vec<_> = (1..=8).filter(|at| home.stuck_report_file(at * 1_000).exists()).collect();
        assert_eq!(kept, [4, 5, 6, 7, 8]);
        assert!(home.shutdown_report_file().exists());
    }

    #[test]
    fn a_held_home_is_refused_with_its_holder() {
        let (_directory, home) = made();
        let lock = DirectoryLock::acquire(home.root()).unwrap();
        let refused = home.start_fresh("alpha").unwrap_err();
        assert_eq!(refused.code, ExitCode::LockHeld);
        assert!(refused.at[0].contains(&format!("pid {} on", std::process::id())), "{refused}");
        drop(lock);
        assert_eq!(home.refuse_if_held(), Ok(()));
    }
}
