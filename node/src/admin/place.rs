//! `admin.json` of a home: where its running node is administered, whatever ports it was given.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use storage::{DirectoryLock, LockError};

use super::Token;
use crate::{
    exit::Failure,
    home::{self, Home},
};

/// The admin listener of a running node.
#[derive(Clone, Debug)]
pub struct Place {
    file: PathBuf,
    written: Written,
}

/// What stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    /// Name of the node.
    node: String,
    url: String,
    pid: u32,
}

impl Place {
    pub fn of(node: &str, home: &Home, listen: SocketAddr) -> Self {
        let written = Written { node: node.to_owned(), url: format!("http://{listen}"), pid: std::process::id() };
        Self { file: home.admin_file(), written }
    }

    pub(super) fn write(&self) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(&self.written).expect("texts and numbers are always JSON");
        home::write(&self.file, &(text + "\n"))
    }

    pub(super) fn remove(&self) {
        // If it stays, the lock still tells that nobody runs there.
        let _ = fs::remove_file(&self.file);
    }

    /// Address and token of the node that runs on `home`.
    pub fn find(home: &Home) -> Result<(String, Token), Failure> {
        if !home.exists() {
            let failure = Failure::config("there is no home").at(home.root().display().to_string());
            return Err(failure.remedy("name the home of a node with --home, or a directory of a localnet with --home and --node"));
        }
        let written = read(&home.admin_file()).filter(|written| is_held_by(home.root(), written.pid));
        let Some(written) = written else {
            if home.refuse_if_held().is_err() {
                let failure =
                    Failure::runtime("the node on this home does not say where it is administered").at(home.admin_file().display().to_string());
                return Err(failure.remedy("it may be starting or stopping: try again, or name the listener with --admin and --token-file"));
            }
            let failure = Failure::runtime("no node runs on this home").at(home.root().display().to_string());
            return Err(
                failure.remedy(format!("start it with `axolotl start --home {}`, or its network with `axolotl localnet`", home.root().display()))
            );
        };
        Ok((written.url, Token::read(&home.admin_token_file())?))
    }
}

fn read(file: &Path) -> Option<Written> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// A file left behind by a process that was killed is not taken for one of the process that came after it.
fn is_held_by(root: &Path, pid: u32) -> bool {
    match DirectoryLock::holder(root) {
        Ok(Some(holder)) => holder.pid == pid,
        Err(LockError::Held { pid: holder, .. }) => holder.is_none_or(|holder| holder == pid),
        Ok(None) | Err(LockError::Io { .. }) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{development, exit::ExitCode, home::Contents};

    #[test]
    fn a_home_tells_where_its_node_is_only_while_it_runs() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path().join("h"));
        assert_eq!(Place::find(&home).unwrap_err().code, ExitCode::Config);
        home.create(&Contents { config: "# c", genesis: "{}", node_key: &development::node_key(0), validator_key: None }).unwrap();
        assert_eq!(Place::find(&home).unwrap_err().what, "no node runs on this home");
        Token::ensure(&home.admin_token_file()).unwrap();
        let place = Place::of("validator-0", &home, "127.0.0.1:7".parse().unwrap());
        place.write().unwrap();
        assert_eq!(Place::find(&home).unwrap_err().what, "no node runs on this home", "left behind by a process that was killed");
        let lock = DirectoryLock::acquire(home.root()).unwrap();
        assert_eq!(Place::find(&home).unwrap().0, "http://127.0.0.1:7");
        place.remove();
        assert!(Place::find(&home).unwrap_err().remedy.contains("--admin"), "a node that starts or stops");
        drop(lock);
    }
}
