//! The life of storage: opened once, closed in order, and nobody else has a handle.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use opentelemetry::KeyValue;
use parking_lot::Mutex;
use primitives::{Genesis, Height};
use storage::{
    Batch, CloseError, CloseReport, CommitError, Config, Keyspace, ManifestError, OpenError, Opened, ReopenError, SetAsideError, Writer, keys,
    set_aside,
};
use supervision::{ChildSpec, Context, Fault, Incarnation, Reply, answer};
use tracing::{error, info, warn};

use super::{StorageError, StorageMailbox, StorageMetrics, mailbox::Message};
use crate::{
    changes,
    halt::{EXIT_CONFIG, EXIT_DISK_FAILED, EXIT_LOCK_HELD, Halt, Halter},
    ledger::Ledger,
    room::Room,
};

/// How long one commit may take before the writer counts as stuck.
const COMMIT_LIMIT: Duration = Duration::from_secs(60);
/// What finds no room when the disk is full, as others know it.
pub const DATABASE: &str = "the database";
/// How often a full disk is looked at.
const REOPEN_EVERY: Duration = Duration::from_secs(1);
const FIRST: Incarnation = Incarnation(1);
/// Opening reads the journal of a crashed process.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long a start waits for room before it counts as failed. Longer than the window of the restart budget, so that a full disk spends none.
const ROOM_LIMIT: Duration = Duration::from_secs(90);

/// What storage is made of; handed to each incarnation.
#[derive(Clone)]
pub struct Parts {
    pub directory: PathBuf,
    pub config: Config,
    pub genesis: Arc<Genesis>,
    pub ledger: Ledger,
    pub metrics: StorageMetrics,
    pub halter: Halter,
    pub room: Room,
    /// How the last closing went, for the report of the shutdown.
    pub closed: Arc<Mutex<Option<CloseReport>>>,
}

struct Storage {
    parts: Parts,
    writer: Option<Writer>,
    /// A look at the full disk is due; one at a time.
    is_reopening: bool,
}

/// The child of the tree.
pub fn child(mailbox: &StorageMailbox, parts: Parts) -> ChildSpec {
    let make = move |incarnation: Incarnation| {
        let parts = parts.clone();
        async move { Storage::open_with_room(parts, incarnation).await }
    };
    ChildSpec::new("storage", mailbox.address.clone(), make).start_limit(START_LIMIT).exclusive()
}

impl supervision::Actor for Storage {
    type Message = Message;

    async fn handle(&mut self, message: Message, context: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::Commit(batches, reply) => self.commit(&batches, reply, context).await,
            Message::Reopen => self.reopen(context).await,
        }
    }

    async fn stopping(&mut self, context: &mut Context<Message>) {
        self.parts.ledger.closed();
        let Some(writer) = self.writer.take() else { return };
        match context.blocking(COMMIT_LIMIT, "database close", || writer.close()).await {
            Ok(Ok(report)) => *self.parts.closed.lock() = Some(report),
            Ok(Err(error)) => {
                warn!(%error, "the database did not close in order");
                if let CloseError::Late(report) = error {
                    *self.parts.closed.lock() = Some(report);
                }
            }
            Err(error) => warn!(%error, "the database did not close in order"),
        }
    }
}

impl Storage {
    /// Opens when there is room for what opening writes.
    async fn open_with_room(parts: Parts, incarnation: Incarnation) -> Result<Self, Fault> {
        let began = Instant::now();
        loop {
            match tokio::task::block_in_place(|| open_or_begin_anew(&parts, incarnation)) {
                Ok((writer, opened)) => return Self::begin(parts, writer, &opened),
                Err(full) if full.is_no_space() && began.elapsed() < ROOM_LIMIT => {
                    if parts.room.lacks(DATABASE) {
                        warn!(error = %full, "the disk is full: the database opens when there is room");
                    }
                }
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(REOPEN_EVERY).await;
        }
    }

    fn begin(parts: Parts, mut writer: Writer, opened: &Opened) -> Result<Self, Fault> {
        parts.room.found(DATABASE);
        for repair in &opened.repaired {
            info!(?repair, "put right after a crash");
        }
        if opened.tip.is_none() {
            writer.commit(&[changes::genesis_batch(&parts.genesis)?])?;
            info!(hash = %parts.genesis.hash(), "genesis written");
        }
        let lease = writer.leases().lease("ledger");
        if let Err(reason) = check_genesis(&lease, &parts.genesis)? {
            (parts.halter)(Halt { exit_code: EXIT_CONFIG, reason: reason.clone() });
            return Err(Fault::new(reason));
        }
        parts.ledger.opened(lease);
        Ok(Self { parts, writer: Some(writer), is_reopening: false })
    }

    async fn commit(&mut self, batches: &[Batch], reply: Reply<Result<(), StorageError>>, context: &mut Context<Message>) -> Result<(), Fault> {
        let writer = self.writer.as_mut().ok_or_else(|| Fault::new("the database is closed"))?;
        let started = Instant::now();
        let outcome = context.blocking(COMMIT_LIMIT, "database commit", || writer.commit(batches)).await?;
        self.parts.metrics.commit_seconds.record(started.elapsed().as_secs_f64(), &[]);
        self.parts.metrics.commits.add(1, &[KeyValue::new("result", if outcome.is_ok() { "done" } else { "failed" })]);
        match outcome {
            Ok(_) => {
                self.parts.metrics.written_bytes.add(batches.iter().map(|batch| batch.bytes() as u64).sum(), &[]);
                answer(reply, Ok(()));
                self.mark(context).await
            }
            Err(error) => self.failed(error, reply, context),
        }
    }

    /// The next height begins meanwhile.
    async fn mark(&mut self, context: &Context<Message>) -> Result<(), Fault> {
        let writer = self.writer.as_mut().ok_or_else(|| Fault::new("the database is closed"))?;
        match context.blocking(COMMIT_LIMIT, "tip file", || writer.mark()).await? {
            Err(CommitError::Sync(reason)) => self.halt(&reason),
            Err(CommitError::NoSpace) => self.wait_for_room(context),
            Err(error) => return Err(error.into()),
            Ok(()) => {}
        }
        Ok(())
    }

    fn failed(&mut self, error: CommitError, reply: Reply<Result<(), StorageError>>, context: &Context<Message>) -> Result<(), Fault> {
        match error {
            CommitError::NoSpace => {
                self.wait_for_room(context);
                answer(reply, Err(StorageError::NoSpace));
                Ok(())
            }
            CommitError::Sync(reason) => {
                self.halt(&reason);
                answer(reply, Err(StorageError::Failed(reason)));
                Ok(())
            }
            CommitError::Io(reason) => Err(Fault::new(reason)),
            wrong @ (CommitError::WrongHeight { .. } | CommitError::Conflict { .. } | CommitError::Refused(_)) => {
                answer(reply, Err(StorageError::Refused(wrong.to_string())));
                Ok(())
            }
        }
    }

    async fn reopen(&mut self, context: &mut Context<Message>) -> Result<(), Fault> {
        self.is_reopening = false;
        let writer = self.writer.as_mut().ok_or_else(|| Fault::new("the database is closed"))?;
        match context.blocking(COMMIT_LIMIT, "database reopen", || writer.reopen()).await? {
            Ok(opened) => {
                self.parts.room.found(DATABASE);
                info!(height = opened.tip.map_or(0, |tip| tip.height.0), "there is room on the disk again; writing resumes");
            }
            Err(ReopenError::NoSpace { .. } | ReopenError::Late { .. }) => self.look_again(context),
            Err(ReopenError::Sync(reason)) => self.halt(&reason),
            Err(error @ ReopenError::Open(_)) => return Err(error.into()),
        }
        Ok(())
    }

    fn wait_for_room(&mut self, context: &Context<Message>) {
        if self.parts.room.lacks(DATABASE) {
            let bytes = self.parts.config.reopen_bytes;
            warn!(needed_bytes = bytes, "the disk is full: reads go on, and nothing is written until there is room");
        }
        self.look_again(context);
    }

    fn look_again(&mut self, context: &Context<Message>) {
        if !std::mem::replace(&mut self.is_reopening, true) {
            context.after(REOPEN_EVERY, Message::Reopen).detach();
        }
    }

    fn halt(&self, reason: &str) {
        (self.parts.halter)(Halt { exit_code: EXIT_DISK_FAILED, reason: format!("the database cannot be synced: {reason}") });
    }
}

/// A damaged database is moved aside, and the chain is fetched again from the other validators; the signer keeps our key
/// silent until the ledger is back where it signed. Without others there would be nobody to ask, and amid a life of the
/// process the other actors stand on what was there: then a person, or a fresh process, decides.
fn open_or_begin_anew(parts: &Parts, incarnation: Incarnation) -> Result<(Writer, Opened), NotOpened> {
    let open = || Writer::open(&parts.directory, parts.config.clone());
    let can_be_rebuilt = incarnation == FIRST && 1 < parts.genesis.validators.len();
    let opened = match open() {
        Err(damaged @ OpenError::Damaged { .. }) if can_be_rebuilt => {
            let aside = set_aside(&parts.directory)?;
            let aside = aside.map_or_else(|| "nowhere".to_owned(), |aside| aside.display().to_string());
            error!(error = %damaged, aside, "the database is set aside and rebuilt from peers");
            open()
        }
        opened => opened,
    };
    Ok(opened.inspect_err(|error| {
        if let Some(exit_code) = exit_code(error) {
            (parts.halter)(Halt { exit_code, reason: error.to_string() });
        }
    })?)
}

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
enum NotOpened {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Aside(#[from] SetAsideError),
}

impl NotOpened {
    fn is_no_space(&self) -> bool {
        matches!(self, Self::Open(error) if error.is_no_space())
    }
}

/// How the process ends, when opening again would find the same; none when it is worth a retry.
fn exit_code(error: &OpenError) -> Option<u8> {
    match error {
        full if full.is_no_space() => None,
        OpenError::Locked { .. } => Some(EXIT_LOCK_HELD),
        OpenError::Manifest(ManifestError::TooNew { .. } | ManifestError::Malformed { .. }) => Some(EXIT_CONFIG),
        // A manager that starts us again is right: a fresh process may set the database aside, and may find the disk well.
        OpenError::Damaged { .. } | OpenError::Io { .. } | OpenError::Manifest(ManifestError::Io { .. }) => Some(EXIT_DISK_FAILED),
    }
}

fn check_genesis(lease: &storage::Lease, genesis: &Genesis) -> Result<Result<(), String>, Fault> {
    let header = lease.get(Keyspace::Headers, &keys::height(Height::GENESIS))?;
    let stored = header.map(primitives::keccak256);
    if stored == Some(genesis.hash()) {
        return Ok(Ok(()));
    }
    let stored = stored.map_or("no genesis".to_owned(), |hash| hash.to_string());
    let reason = format!("the database belongs to {stored}, not to genesis {}: use the genesis it was made with, or another home", genesis.hash());
    Ok(Err(reason))
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};

    use storage::{Damage, FileFault};

    use super::*;

    fn io_error(kind: ErrorKind) -> OpenError {
        OpenError::Io { path: "db".into(), source: io::Error::from(kind) }
    }

    #[test]
    fn only_a_full_disk_is_worth_opening_again() {
        let missing = Damage::File { file: "version".into(), fault: FileFault::Missing };
        assert_eq!(exit_code(&io_error(ErrorKind::StorageFull)), None);
        assert_eq!(exit_code(&io_error(ErrorKind::PermissionDenied)), Some(74));
        assert_eq!(exit_code(&OpenError::Damaged { path: "db".into(), damage: missing }), Some(74));
        assert_eq!(exit_code(&OpenError::Locked { path: "db".into(), pid: None }), Some(75));
        assert_eq!(exit_code(&OpenError::Manifest(ManifestError::TooNew { path: "manifest.json".into(), found: 9 })), Some(78));
    }
}
