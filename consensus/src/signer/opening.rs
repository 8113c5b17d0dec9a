//! How a signer begins: what is on the disk, and what may be said before anybody was asked about it.

use std::sync::Arc;

use primitives::{B256, Disk, Height};

use super::{
    Found, Identity, JournalFound, Record, Said, Signer, SignerError,
    guard::Guard,
    journal::{self, Journal, Kept, Reopened},
    promise::{self, Promise},
    records,
    sabotage::Sabotage,
};

impl Signer {
    /// Reads what is on `disk`. Until [`Signer::settle`] has heard the verdict on it, a key without a readable promise says
    /// nothing, and a key whose journal is gone says nothing at the promised height or below. `seed` is 32 random bytes.
    pub fn open(disk: Arc<dyn Disk>, identity: Identity, seed: B256) -> Result<Self, SignerError> {
        let (promised, mut promise) = Promise::open(&*disk, &identity)?;
        let kept = Journal::find(&*disk, &identity)?;
        let found = match &kept {
            Kept::Nothing => JournalFound::Missing,
            // No crash leaves both a bad slot and a file without a header: the newer journal may be the one that is gone.
            Kept::Newest(reopened) if reopened.is_other_headless && matches!(promised, Found::OneSlot(_)) => {
                JournalFound::Damaged(reopened.journal.height())
            }
            Kept::Newest(reopened) => JournalFound::Intact(reopened.journal.height()),
            Kept::Damaged(height) => JournalFound::Damaged(*height),
            Kept::Headless => JournalFound::Damaged(promise.as_ref().map(Promise::height).unwrap_or_default()),
        };
        let record = Record {
            promise: promised,
            promise_file: disk.locate(&promise::path(&identity)).display().to_string(),
            journal: found,
            journal_file: journal::shown(&*disk, &identity),
            has_others: promise::has_others(&*disk, &identity).map_err(|source| SignerError::list(&*disk, source))?,
        };
        let mute_through = match (promised, found) {
            (Found::Whole(promised), JournalFound::Intact(journal)) if promised <= journal => Height::GENESIS,
            (Found::OneSlot(good), JournalFound::Intact(journal)) if good <= journal => {
                promise.as_mut().map(|promise| promise.raise(journal)).transpose()?;
                Height::GENESIS
            }
            (Found::Whole(promised), JournalFound::Damaged(journal)) => promised.max(journal),
            (Found::Whole(promised), _) => promised,
            _ => {
                promise = None;
                Height(u64::MAX)
            }
        };
        let (journal, said) = restore(kept)?;
        let guard = Guard::new(identity.key, journal.as_ref().map(Journal::height).unwrap_or_default(), said);
        Ok(Self {
            disk,
            identity,
            record,
            promise,
            journal,
            guard,
            height: None,
            committed: Height::GENESIS,
            mute_through,
            incarnation: None,
            pending: Vec::new(),
            held: Vec::new(),
            refused: 0,
            failed: None,
            seed,
            journals_made: 0,
            sabotage: Sabotage::default(),
        })
    }
}

fn restore(kept: Kept) -> Result<(Option<Journal>, Vec<Said>), SignerError> {
    let Kept::Newest(Reopened { journal, groups, was_torn, mended, .. }) = kept else { return Ok((None, Vec::new())) };
    let said = records::read(&groups).map_err(|source| SignerError::unreadable(&journal, source))?.said;
    tracing::info!(height = %journal.height(), file = journal.shown(), groups = groups.len(), was_torn, mended, "journal opened");
    Ok((Some(journal), said))
}
