//! The one that writes.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use fjall::OwnedWriteBatch;
use primitives::{Disk, Filesystem, Height};

use crate::{
    Batch, CommitError, Committed, Config, Keyspace, Leases, OpenError, Opened, ReopenError, Tip, Usage,
    engine::{Handles, is_no_space},
    keys,
    open::{self, LEDGER, Sound},
    plan::Plan,
    record::{self, Stamp, TipRecord},
    rewrite::rewrite_journals,
    shared::{Published, Shared},
    watermark::{Acknowledged, MarkError, Watermark},
};

/// Owns the database of a chain; belongs on one thread of its own, because every commit waits for the disk.
pub struct Writer {
    disk: Arc<dyn Disk>,
    pub(crate) directory: PathBuf,
    pub(crate) config: Config,
    pub(crate) shared: Arc<Shared>,
    acknowledged: Acknowledged,
    /// What found no room, and may be found whole when the database is reopened.
    refused: Option<Acknowledged>,
    /// The tip file does not say yet what is committed.
    is_unmarked: bool,
    /// History below this height may go when it does.
    to_forget: Option<Height>,
    pub(crate) state: State,
}

pub(crate) enum State {
    Open {
        handles: Arc<Handles>,
        watermark: Watermark,
    },
    /// Reads go on; the engine takes no more writes until it is reopened.
    Full {
        handles: Arc<Handles>,
    },
    /// What was written may be lost, and no later sync would say so.
    Failed {
        handles: Arc<Handles>,
        reason: String,
    },
    /// A reopening gave the old handle up and did not get a new one.
    Shut,
    /// A reopening gave the old handle up, and then there was no room after all. Reads fail until the next one succeeds.
    Roomless,
    /// A reopening found what must not be there.
    Lost,
}

const SHUT: &str = "it is shut; a reopening failed";
const UNEXPECTED: &str = "after the disk had been full the database holds what nobody committed";
/// How long a reopening may spend on comparing tables that this process has read all along.
const REOPEN_AUDIT_LIMIT: Duration = Duration::from_secs(1);

impl Writer {
    /// Opens the chain that is kept in `directory`, or begins one.
    ///
    /// # Errors
    /// Anything but success leaves the database closed; [`OpenError::Damaged`] says what contradicts what.
    pub fn open(directory: &Path, config: Config) -> Result<(Self, Opened), OpenError> {
        Self::open_on(Arc::new(Filesystem::at(directory)), directory, config)
    }

    /// As [`Writer::open`], with the small files beside the database on `disk`.
    pub fn open_on(disk: Arc<dyn Disk>, directory: &Path, config: Config) -> Result<(Self, Opened), OpenError> {
        let sound = open::examine(disk.as_ref(), directory, &config)?.settle(disk.as_ref())?;
        let directory = directory.to_owned();
        let mut writer = Self {
            disk,
            directory,
            config,
            shared: Shared::new(),
            acknowledged: sound.acknowledged,
            refused: None,
            is_unmarked: false,
            to_forget: None,
            state: State::Shut,
        };
        let opened = writer.begin(sound);
        Ok((writer, opened))
    }

    /// For everyone who reads.
    pub fn leases(&self) -> Leases {
        Leases::new(self.shared.clone())
    }

    /// The newest committed block.
    pub fn tip(&self) -> Option<Tip> {
        self.acknowledged.tip
    }

    /// Whether the next commit can succeed.
    pub fn is_writable(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// What the database takes up; none while it is shut or cannot say.
    pub fn usage(&self) -> Option<Usage> {
        self.handles()?.usage().ok()
    }

    /// Writes all of `batches` as one: durable when this returns, or not at all.
    ///
    /// Blocks must follow the tip one by one. One that is already committed is passed over, with all its writes. The tip file
    /// is one commit behind until [`Writer::mark`], or the next commit.
    ///
    /// # Errors
    /// After [`CommitError::NoSpace`] and [`CommitError::Sync`] nothing is acknowledged; the group may or may not be found at the next open.
    pub fn commit(&mut self, batches: &[Batch]) -> Result<Committed, CommitError> {
        self.mark()?;
        let handles = self.writable()?;
        let plan = Plan::of(batches, self.acknowledged.tip, |height| handles.hash_at(height)).map_err(CommitError::from)?;
        let committed = Committed { tip: plan.tip, repeated: plan.repeated };
        if plan.batches.is_empty() {
            return Ok(committed);
        }
        let next = Acknowledged { sequence: self.acknowledged.sequence + 1, tip: plan.tip };
        let written = assemble(&handles, &plan, self.acknowledged.tip, next).commit();
        drop(handles);
        if let Err(error) = written {
            self.refused = Some(next);
            return Err(self.fail(&error));
        }
        self.acknowledged = next;
        self.is_unmarked = plan.moves_tip();
        self.to_forget = plan.batches.iter().filter_map(|batch| batch.kept).next_back().map(|kept| kept.from);
        if plan.moves_tip() {
            self.publish();
        } else {
            self.write_mark(Watermark::write)?;
        }
        Ok(committed)
    }

    /// Moves the tip file to the last commit, durably. What waits for the commit need not wait for this: a database that is
    /// one commit ahead of the tip file is what a crash leaves anyway.
    pub fn mark(&mut self) -> Result<(), CommitError> {
        if self.is_unmarked {
            match self.writable() {
                Ok(_) => {}
                Err(CommitError::NoSpace) => return Err(CommitError::NoSpace),
                // Whoever has seen the failure ends the process; until then nothing is pruned.
                Err(_) => return Ok(()),
            }
            self.write_mark(Watermark::write_synced)?;
            self.is_unmarked = false;
        }
        if let Ok(handles) = self.writable() {
            handles.seal_full().map_err(|error| self.fail(&error))?;
        }
        // Only now: what a lost batch would have pruned must still be there.
        if let (Some(from), Some(handles)) = (self.to_forget.take(), self.handles()) {
            handles.forgotten.up_to(from);
        }
        Ok(())
    }

    /// Opens the engine again after [`CommitError::NoSpace`], when there is room. Reads fail while it lasts.
    ///
    /// The commit that found no room may be there now, whole and durable: whoever made it tries it again, and it counts as repeated.
    pub fn reopen(&mut self) -> Result<Opened, ReopenError> {
        match &self.state {
            State::Open { .. } => return Ok(Opened { tip: self.acknowledged.tip, repaired: Vec::new() }),
            State::Failed { reason, .. } => return Err(ReopenError::Sync(reason.clone())),
            State::Lost => return Err(ReopenError::Sync(UNEXPECTED.to_owned())),
            State::Full { .. } | State::Roomless | State::Shut => {}
        }
        self.probe_room()?;
        if let State::Full { handles } = std::mem::replace(&mut self.state, State::Shut) {
            handles.revoke();
            if let Err(handles) = self.shared.wait_alone(handles, self.config.close_limit) {
                handles.restore();
                self.state = State::Full { handles };
                return Err(ReopenError::Late { readers: self.shared.register().readers(), limit: self.config.close_limit });
            }
        }
        self.examine_again().inspect_err(|error| {
            if matches!(error, ReopenError::NoSpace { .. }) {
                self.state = State::Roomless;
            }
        })
    }

    fn examine_again(&mut self) -> Result<Opened, ReopenError> {
        let bytes = self.config.reopen_bytes;
        let failed = |error: OpenError| if error.is_no_space() { ReopenError::NoSpace { bytes } } else { error.into() };
        rewrite_journals(&self.directory.join(LEDGER))
            .map_err(|error| if is_no_space(&error) { ReopenError::NoSpace { bytes } } else { ReopenError::Sync(error.to_string()) })?;
        let config = Config { audit_limit: self.config.audit_limit.min(REOPEN_AUDIT_LIMIT), ..self.config.clone() };
        let examined = open::examine(self.disk.as_ref(), &self.directory, &config).map_err(failed)?;
        if examined.held != self.acknowledged && Some(examined.held) != self.refused {
            self.state = State::Lost;
            return Err(ReopenError::Sync(UNEXPECTED.to_owned()));
        }
        let sound = examined.settle(self.disk.as_ref()).map_err(failed)?;
        self.refused = None;
        self.is_unmarked = false;
        Ok(self.begin(sound))
    }

    fn publish(&self) {
        if let Some(handles) = self.handles() {
            self.shared.publish(Published::newest(handles, self.acknowledged.tip));
        }
    }

    fn write_mark(&mut self, write: impl FnOnce(&mut Watermark, Acknowledged) -> Result<(), MarkError>) -> Result<(), CommitError> {
        let State::Open { watermark, .. } = &mut self.state else { return Ok(()) };
        write(watermark, self.acknowledged).map_err(|error| match error {
            MarkError::Write(error) if is_no_space(&error) => self.wait_for_room(),
            MarkError::Write(error) | MarkError::Sync(error) => self.give_up(format!("the tip file: {error}")),
        })
    }

    fn begin(&mut self, sound: Sound) -> Opened {
        self.acknowledged = sound.acknowledged;
        self.state = State::Open { handles: sound.handles, watermark: sound.watermark };
        self.publish();
        sound.opened
    }

    fn handles(&self) -> Option<&Arc<Handles>> {
        match &self.state {
            State::Open { handles, .. } | State::Full { handles } | State::Failed { handles, .. } => Some(handles),
            State::Shut | State::Roomless | State::Lost => None,
        }
    }

    fn writable(&self) -> Result<Arc<Handles>, CommitError> {
        match &self.state {
            State::Open { handles, .. } => Ok(handles.clone()),
            State::Full { .. } | State::Roomless => Err(CommitError::NoSpace),
            State::Failed { reason, .. } => Err(CommitError::Sync(reason.clone())),
            State::Lost => Err(CommitError::Sync(UNEXPECTED.to_owned())),
            State::Shut => Err(CommitError::Io(SHUT.to_owned())),
        }
    }

    /// The engine refuses all writes after an error; ours is to know which kind it was.
    fn fail(&mut self, error: &fjall::Error) -> CommitError {
        let is_full = match error {
            fjall::Error::Io(error) => is_no_space(error),
            // A thread in the background failed, and does not say why.
            fjall::Error::Poisoned => matches!(self.probe_room(), Err(ReopenError::NoSpace { .. })),
            _ => false,
        };
        if is_full { self.wait_for_room() } else { self.give_up(error.to_string()) }
    }

    fn wait_for_room(&mut self) -> CommitError {
        if let State::Open { handles, .. } = std::mem::replace(&mut self.state, State::Shut) {
            self.state = State::Full { handles };
        }
        CommitError::NoSpace
    }

    fn give_up(&mut self, reason: String) -> CommitError {
        if let State::Open { handles, .. } = std::mem::replace(&mut self.state, State::Shut) {
            self.state = State::Failed { handles, reason: reason.clone() };
        }
        CommitError::Sync(reason)
    }

    /// Writes a file as large as must fit, and removes it. What it takes meanwhile nobody else can have, so it is not begun in vain.
    fn probe_room(&self) -> Result<(), ReopenError> {
        let bytes = self.config.reopen_bytes;
        if self.disk.free_bytes().is_ok_and(|free| free < bytes as u64) {
            return Err(ReopenError::NoSpace { bytes });
        }
        let probe = Path::new("room.probe");
        let written = (|| -> io::Result<()> {
            let mut file = self.disk.open(probe)?;
            file.write_at(0, &vec![0xff; bytes])?;
            file.sync()
        })();
        let removed = self.disk.remove(probe);
        written.and(removed).map_err(|error| if is_no_space(&error) { ReopenError::NoSpace { bytes } } else { ReopenError::Sync(error.to_string()) })
    }
}

impl Drop for Writer {
    /// Without [`Writer::close`] nobody waits, and nothing is reported; the leases are revoked all the same.
    fn drop(&mut self) {
        self.shared.publish(Published::nothing());
        if let Some(handles) = self.handles() {
            handles.revoke();
        }
    }
}

/// The engine's batch: all writes, and the rows by which damage is recognised.
fn assemble(handles: &Handles, plan: &Plan<'_>, before: Option<Tip>, next: Acknowledged) -> OwnedWriteBatch {
    let writes = plan.batches.iter().flat_map(|batch| batch.writes());
    let mut batch = handles.synced_batch(writes.clone().count() + Keyspace::COUNT + plan.batches.len() + 3);
    for write in writes {
        let value = write.value.as_deref();
        handles.memtables.wrote(write.keyspace, &write.key, value.unwrap_or_default());
        match value {
            Some(value) => batch.insert(handles.keyspace(write.keyspace), write.key.as_slice(), value),
            None => batch.remove(handles.keyspace(write.keyspace), write.key.as_slice()),
        }
    }
    let meta = handles.keyspace(Keyspace::Meta);
    batch.insert(meta, record::commit_key(next.sequence), b"".as_slice());
    batch.remove(meta, record::commit_key(next.sequence - 1));
    if let Some(tip) = plan.tip.filter(|_| plan.moves_tip()) {
        for committed in plan.batches.iter().filter_map(|batch| batch.tip()) {
            batch.insert(meta, record::hash_key(committed.height), keys::hash(&committed.hash));
        }
        batch.insert(meta, record::TIP, TipRecord { tip, before }.encode());
    }
    let stamp = Stamp { commit: next.sequence, height: next.tip.map(|tip| tip.height) }.encode();
    for keyspace in Keyspace::ALL {
        handles.memtables.wrote(keyspace, record::HEIGHT, &stamp);
        batch.insert(handles.keyspace(keyspace), record::HEIGHT, stamp.as_slice());
    }
    batch
}
