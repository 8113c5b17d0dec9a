//! The peer book of a home that nobody runs on.

use std::sync::Arc;

use actors::p2p::{Conduct, PeerBook};
use primitives::SystemClock;
use storage::{Batch, DirectoryLock, Keyspace, LockError, Writer};

use super::PeerDesk;
use crate::{
    config::{Sources, resolve},
    exit::{ExitCode, Failure},
    genesis_file,
    home::Home,
    keys,
};

/// Rows that are read: more than a book ever has.
const MAX_ROWS: usize = 1 << 16;

/// A book on disk, and the right to change it.
pub struct Stopped {
    pub desk: PeerDesk,
    writer: Writer,
    _lock: DirectoryLock,
}

impl Stopped {
    /// Takes the home's lock and opens its database.
    pub fn open(home: &Home) -> Result<Self, Failure> {
        let source = (home.config_file(), home.read_config()?);
        let config = resolve(&Sources { file: Some(source), ..Sources::default() })?.config;
        let genesis = genesis_file::load(&home.genesis_file())?;
        let key = keys::read(&home.node_key_file())?;
        let lock = DirectoryLock::acquire(home.root()).map_err(|error| held(&error))?;
        let database = home.database(&config.chain.name);
        let settings = storage::Config { cache_bytes: config.storage.cache_bytes, ..storage::Config::default_for_validator() };
        let (writer, _) = Writer::open(&database, settings).map_err(|error| unopened(&error))?;
        let clock = Arc::new(SystemClock::new());
        let book = PeerBook::new(key.public_key().into(), Conduct::new(clock.clone()));
        let lease = writer.leases().lease("peers");
        let rows = lease.range::<&[u8]>(Keyspace::Peers, .., MAX_ROWS).map_err(|error| unopened(&error))?;
        book.restore(rows.iter().map(|row| (&row.key[..], &row.value[..])));
        let desk = PeerDesk { book, key, domain: genesis.domain(), private: config.p2p.private_peers, clock, connected: None };
        Ok(Self { desk, writer, _lock: lock })
    }

    /// Writes what has changed, and closes.
    pub fn close(mut self) -> Result<(), Failure> {
        let mut batch = Batch::loose();
        for (key, value) in self.desk.book.take_changes() {
            match value {
                Some(value) => batch.put(Keyspace::Peers, key, value),
                None => batch.remove(Keyspace::Peers, key),
            }
        }
        if !batch.is_empty() {
            self.writer.commit(&[batch]).map_err(|error| unwritten(&error))?;
        }
        self.writer.close().map(drop).map_err(|error| unwritten(&error))
    }
}

fn held(error: &LockError) -> Failure {
    let failure = Failure::new(ExitCode::LockHeld, "the home is in use").at(error.to_string());
    failure.remedy("ask the running node (its admin.json names its admin listener), or stop it first")
}

fn unopened(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(ExitCode::Disk, format!("the peer book cannot be read: {error}"))
        .remedy("start the node once: it repairs what a crash left, then try again")
}

fn unwritten(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(ExitCode::Disk, format!("the peer book was not written: {error}")).remedy("make room on the disk and try again")
}
