//! The one road from consensus to the network.
//!
//! The signer keeps the journal (what was said at the height at hand) and the promise (the height itself), and opens what is
//! [`Unreleased`] when both are durable. In order, for the first release of a height (or [`Signer::prepare`] before it, which has
//! nothing to hand out) and for every later one:
//!
//! ```text
//!            first                                                  later
//!  guard     refuse what contradicts; journal what is new           the same
//!  journal   the other file: header and group; one sync             one group; one sync
//!  promise   the other slot; sync                                   -
//!  hand out  the messages leave                                     the messages leave
//! ```
//!
//! | it ends           | what it means                                                                          |
//! |-------------------|----------------------------------------------------------------------------------------|
//! | [`SignerError::is_retryable`] | no space: nothing left; the messages wait here and leave with the next release |
//! | terminal          | a sync failed, or the disk did: nothing ever leaves this value again                   |
//!
//! Lost on a crash: what was appended and not released. Nothing that follows from it has left.

mod error;
mod group;
mod guard;
mod journal;
mod opening;
mod promise;
mod records;
pub mod sabotage;
pub mod verdict;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use primitives::{B256, ConsensusMessage, Disk, Height, keccak256};

use crate::{Entry, Unreleased};
pub use error::SignerError;
use group::Nonce;
use guard::Guard;
pub use guard::{Refusal, Said};
pub use journal::{DIRECTORY as JOURNAL_DIRECTORY, Identity, JournalError, MAX_JOURNAL_BYTES};
use journal::{Journal, Slot};
use promise::Promise;
pub use promise::{DIRECTORY as PROMISE_DIRECTORY, Found, PromiseError, record_nothing_signed};
use sabotage::Sabotage;
pub use verdict::{Action, Facts, JournalFound, Network, OBSERVED_HEIGHTS, OnMissing, Record, Verdict, verdict};

/// Which life of the consensus actor is speaking. Later lives have larger numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Incarnation(pub u64);

/// Journal, promise and guard of one key on one chain.
pub struct Signer {
    disk: Arc<dyn Disk>,
    identity: Identity,
    record: Record,
    promise: Option<Promise>,
    /// The journal of the highest height that has one.
    journal: Option<Journal>,
    /// Belongs to the journal's height, or to the height at hand once that is higher.
    guard: Guard,
    height: Option<Height>,
    committed: Height,
    /// Nothing of ours leaves at this height or below.
    mute_through: Height,
    incarnation: Option<Incarnation>,
    /// Records of the next group.
    pending: Vec<u8>,
    /// Agreed to, and waiting for the disk.
    held: Vec<ConsensusMessage>,
    refused: u64,
    failed: Option<String>,
    seed: B256,
    journals_made: u64,
    sabotage: Sabotage,
}

impl Signer {
    /// What was on the disk when it was opened, for [`verdict`].
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Does what a verdict says, as far as it is the signer's to do.
    pub fn settle(&mut self, action: Action) -> Result<(), SignerError> {
        match action {
            Action::Begin => self.initialise(Height::GENESIS),
            Action::Observe { from } => self.initialise(from.previous().unwrap_or_default()),
            Action::Abstain { through } => {
                self.mute(through);
                Ok(())
            }
            Action::Refuse => {
                self.mute(Height(u64::MAX));
                Ok(())
            }
            Action::AskNetwork | Action::Sign { .. } | Action::SyncFirst { .. } | Action::Recover { .. } => Ok(()),
        }
    }

    /// Makes the first promise of a key without a readable one: it signs above `height` only.
    pub fn initialise(&mut self, height: Height) -> Result<(), SignerError> {
        self.check_disk()?;
        match &mut self.promise {
            Some(promise) => promise.raise(height).map_err(SignerError::from).inspect_err(|error| note(&mut self.failed, error))?,
            None => {
                let created = Promise::create(&*self.disk, &self.identity, height).map_err(SignerError::from);
                self.promise = Some(created.inspect_err(|error| note(&mut self.failed, error))?);
                self.mute_through = height;
            }
        }
        self.mute(height);
        Ok(())
    }

    /// Nothing of ours leaves at `height` or below from now on.
    pub fn mute(&mut self, height: Height) {
        self.mute_through = self.mute_through.max(height);
    }

    /// A new life of consensus begins: what the previous one appended and did not release is forgotten, and it is refused from now on.
    pub fn take_over(&mut self, incarnation: Incarnation) -> Result<(), SignerError> {
        if let Some(current) = self.incarnation.filter(|current| incarnation <= *current) {
            return Err(SignerError::Stale { incarnation, current });
        }
        self.incarnation = Some(incarnation);
        self.forget();
        Ok(())
    }

    /// Entries and messages of `height` come next. The height before it must be committed.
    pub fn start_height(&mut self, incarnation: Incarnation, height: Height) -> Result<(), SignerError> {
        self.check(incarnation)?;
        let journalled = self.journal.as_ref().map(Journal::height).unwrap_or_default();
        let needed = self.height.filter(|before| *before < height && *before == journalled);
        if let Some(needed) = needed.filter(|needed| self.committed < *needed) {
            return Err(SignerError::NotCommitted { height, needed });
        }
        if self.height != Some(height) {
            self.forget();
        }
        if self.guard.height() < height {
            self.guard = Guard::new(self.identity.key, height, []);
        }
        self.height = Some(height);
        Ok(())
    }

    /// Makes journal and promise of the height at hand while there is nothing to say yet, so that the first message need not
    /// wait for them. Does nothing at a height where nothing of ours may leave.
    pub fn prepare(&mut self, incarnation: Incarnation) -> Result<(), SignerError> {
        self.check(incarnation)?;
        let height = self.started()?;
        let is_journalled = self.journal.as_ref().is_some_and(|journal| journal.height() == height);
        if is_journalled || self.promise.is_none() || !self.may_speak(height) {
            return Ok(());
        }
        self.make_durable(height, true).inspect_err(|error| note(&mut self.failed, error))
    }

    /// What a restarted core is fed: every durable entry of the height at hand, in order.
    pub fn entries(&self) -> Result<Vec<Entry>, SignerError> {
        match self.journal.as_ref().filter(|journal| Some(journal.height()) == self.height) {
            Some(journal) => Ok(records::read(&journal.groups()?).map_err(|source| SignerError::unreadable(journal, source))?.entries),
            None => Ok(Vec::new()),
        }
    }

    /// Remembers `entry` with the next release. At a height where nothing of ours may leave nothing is journalled.
    pub fn append(&mut self, incarnation: Incarnation, entry: &Entry) -> Result<(), SignerError> {
        self.check(incarnation)?;
        let height = self.started()?;
        if entry.height() != height {
            return Err(SignerError::WrongHeight { entry: entry.name(), of: entry.height(), height });
        }
        if !self.may_speak(height) {
            return Ok(());
        }
        self.flush_late(height)?;
        records::push_entry(&mut self.pending, entry).map_err(SignerError::Entry)?;
        self.limit_pending(height)
    }

    /// Makes everything appended durable and hands out what may leave, in order: all of `messages` but those of ours that
    /// contradict what left before, or that belong to a height at which this key is mute.
    pub fn release(&mut self, incarnation: Incarnation, messages: Vec<Unreleased<ConsensusMessage>>) -> Result<Vec<ConsensusMessage>, SignerError> {
        self.check(incarnation)?;
        let height = self.started()?;
        self.flush_late(height)?;
        for message in messages {
            self.agree(height, message)?;
        }
        if self.sabotage.publish_before_flush {
            self.sabotage.owes_flush = true;
            return Ok(std::mem::take(&mut self.held));
        }
        self.make_durable(height, false).inspect_err(|error| note(&mut self.failed, error))?;
        Ok(std::mem::take(&mut self.held))
    }

    /// `height` is decided and durable in the ledger. Its journal goes with the one after the next.
    pub fn committed(&mut self, height: Height) {
        self.committed = self.committed.max(height);
    }

    /// Whether the journal holds what `message`, which a peer has, says in our name. If not, somebody else signs with this
    /// key, or this disk is a copy of an older one. Heights below the journal's are past.
    pub fn holds(&self, message: &ConsensusMessage) -> bool {
        let said = guard::said_by(self.identity.key, message);
        said.is_empty()
            || message.height() < self.guard.height()
            || message.height() == self.guard.height() && said.iter().all(|said| self.guard.knows(said))
    }

    /// The height at hand.
    pub fn height(&self) -> Option<Height> {
        self.height
    }

    /// Messages of ours that did not leave, since the start.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The height that this key has promised, if there is a promise.
    pub fn promised(&self) -> Option<Height> {
        self.promise.as_ref().map(Promise::height)
    }

    /// Whether messages of ours may leave at `height`.
    pub fn may_speak(&self, height: Height) -> bool {
        let is_past = |above: Height| height < above;
        let is_below_promise = self.promise.as_ref().is_none_or(|promise| is_past(promise.height()));
        let is_below_journal = self.journal.as_ref().is_some_and(|journal| is_past(journal.height()));
        self.failed.is_none() && height > self.mute_through && !is_below_promise && !is_below_journal
    }

    fn agree(&mut self, height: Height, message: Unreleased<ConsensusMessage>) -> Result<(), SignerError> {
        let is_silent = guard::said_by(self.identity.key, message.content()).is_empty();
        let agreed = if is_silent || self.sabotage.no_guard {
            Ok(Vec::new())
        } else if self.may_speak(height) {
            self.guard.check(message.content())
        } else {
            Err(Refusal::Mute { height })
        };
        match agreed {
            Ok(news) => {
                for said in news {
                    records::push_said(&mut self.pending, &said).map_err(SignerError::Entry)?;
                }
                self.limit_pending(height)?;
                self.held.push(message.open());
            }
            Err(refusal) => {
                self.refused += 1;
                tracing::warn!(%height, round = %message.round(), message = message.name(), %refusal, "a message of ours was not released");
            }
        }
        Ok(())
    }

    /// `is_early`: there need be nothing to write.
    fn make_durable(&mut self, height: Height, is_early: bool) -> Result<(), SignerError> {
        if let Some(promise) = self.promise.as_mut().filter(|_| self.sabotage.promise_before_journal) {
            promise.raise(height)?;
        }
        if is_early || !self.pending.is_empty() {
            self.flush(height)?;
        }
        let is_journalled = self.journal.as_ref().is_some_and(|journal| journal.height() == height);
        if let Some(promise) = self.promise.as_mut().filter(|promise| is_journalled && promise.height() < height) {
            promise.raise(height)?;
        }
        Ok(())
    }

    /// What a sabotaged release left behind.
    fn flush_late(&mut self, height: Height) -> Result<(), SignerError> {
        if std::mem::take(&mut self.sabotage.owes_flush) { self.make_durable(height, false) } else { Ok(()) }
    }

    fn flush(&mut self, height: Height) -> Result<(), SignerError> {
        let flushed = match self.journal.as_mut().filter(|journal| journal.height() == height) {
            Some(journal) => journal.flush(&self.pending),
            None => self.create_journal(height),
        };
        if let Err(JournalError::Full { .. }) = &flushed {
            self.mute(height);
            self.forget();
        }
        flushed?;
        self.pending.clear();
        self.guard.flushed();
        Ok(())
    }

    /// Takes the place of the journal before the last, so that the last one is there until the new one is promised.
    fn create_journal(&mut self, height: Height) -> Result<(), JournalError> {
        if self.journal.is_none() {
            journal::set_aside(&*self.disk, &self.identity)?;
        }
        let nonce = self.nonce(height);
        self.journal = Some(Journal::create(&*self.disk, &self.identity, self.slot_of(height), height, nonce, &self.pending)?);
        Ok(())
    }

    /// Where the journal of the height at hand is, or will be.
    fn slot_of(&self, height: Height) -> Slot {
        match &self.journal {
            Some(journal) if journal.height() == height => journal.slot(),
            Some(journal) => journal.slot().other(),
            None => Slot::Even,
        }
    }

    fn nonce(&mut self, height: Height) -> Nonce {
        self.journals_made += 1;
        let digest = keccak256([&self.seed[..], &height.to_be_bytes(), &self.journals_made.to_be_bytes()].concat());
        let mut nonce = Nonce::default();
        nonce.copy_from_slice(&digest[..16]);
        nonce
    }

    fn forget(&mut self) {
        self.pending.clear();
        self.held.clear();
        self.guard.forget_unflushed();
    }

    fn limit_pending(&mut self, height: Height) -> Result<(), SignerError> {
        if self.pending.len() <= MAX_JOURNAL_BYTES / 4 {
            return Ok(());
        }
        let file = self.disk.locate(&journal::path(&self.identity, self.slot_of(height))).display().to_string();
        let bytes = self.pending.len();
        self.mute(height);
        self.forget();
        Err(JournalError::Full { file, bytes, height }.into())
    }

    fn started(&self) -> Result<Height, SignerError> {
        self.height.ok_or(SignerError::NotStarted)
    }

    fn check(&self, incarnation: Incarnation) -> Result<(), SignerError> {
        self.check_disk()?;
        match self.incarnation {
            Some(current) if current == incarnation => Ok(()),
            current => Err(SignerError::Stale { incarnation, current: current.unwrap_or_default() }),
        }
    }

    fn check_disk(&self) -> Result<(), SignerError> {
        self.failed.as_ref().map_or(Ok(()), |cause| Err(SignerError::Failed { cause: cause.clone() }))
    }
}

/// Remembers a terminal error.
fn note(failed: &mut Option<String>, error: &SignerError) {
    if error.is_terminal() && failed.is_none() {
        *failed = Some(error.to_string());
    }
}
