//! The book as everybody in the node has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parking_lot::{Mutex, MutexGuard};
use primitives::{NodeId, PeerAddress};
use wire::AddressRecord;

use super::{
    super::conduct::{Conduct, Culprit, Kept, KeptBan},
    Book, Fact, Limits, Subject, parse,
};

/// Addresses that the operator may add.
pub const MAX_ADDED: usize = 64;

/// Between two readings of the time of day, one for each clock, the end of a ban moves by so much at most, in milliseconds.
const JITTER_MS: u64 = 2_000;

/// The book, what is known of how its nodes behave, and what the operator added. Cheap to clone, good through every restart of the actors: a crash forgets
/// nothing. Reading and changing it never waits for the disk.
#[derive(Clone)]
pub struct PeerBook(Arc<Inner>);

struct Inner {
    conduct: Conduct,
    pages: Mutex<Pages>,
}

struct Pages {
    book: Book,
    added: BTreeSet<PeerAddress>,
    /// Of those, whose row is not on disk as it is.
    changed: BTreeSet<PeerAddress>,
    /// To be dialled now, whatever happened before.
    wanted: Vec<PeerAddress>,
    is_read: bool,
    /// Where this node says that it is.
    own: Option<AddressRecord>,
    /// Bans as they were written last.
    bans: BTreeMap<Culprit, KeptBan>,
    /// Whose row may be there or not.
    unsure: BTreeSet<Culprit>,
    /// Points have changed since they were written.
    is_conduct_due: bool,
    /// On its way to the disk.
    writing: Vec<Subject>,
}

/// There are as many addresses as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_ADDED} addresses were added, which is the most; put those that should stay into p2p.peers")]
pub struct BookFull;

impl PeerBook {
    /// An empty one of the node `us`. What `conduct` knows is kept with it.
    pub fn new(us: NodeId, conduct: Conduct) -> Self {
        let pages = Pages {
            book: Book::new(us, Limits::default()),
            added: BTreeSet::new(),
            changed: BTreeSet::new(),
            wanted: Vec::new(),
            is_read: false,
            own: None,
            bans: BTreeMap::new(),
            unsure: BTreeSet::new(),
            is_conduct_due: false,
            writing: Vec::new(),
        };
        Self(Arc::new(Inner { conduct, pages: Mutex::new(pages) }))
    }

    /// How nodes behave, and who is banned.
    pub fn conduct(&self) -> &Conduct {
        &self.0.conduct
    }

    /// Points of offences and good deeds are written next time.
    pub(crate) fn note_conduct(&self) {
        self.pages().is_conduct_due = true;
    }

    /// Looks into it, or changes it. `work` must not wait for anything.
    pub fn with<T>(&self, work: impl FnOnce(&mut Book) -> T) -> T {
        work(&mut self.pages().book)
    }

    /// Sets the score of a node.
    pub fn set_score(&self, node: NodeId, score: i64) {
        self.with(|book| book.set_score(node, score));
    }

    /// Stays connected to this address from now on, and dials it at once, whatever happened before.
    pub fn add(&self, address: PeerAddress) -> Result<(), BookFull> {
        let mut pages = self.pages();
        if MAX_ADDED <= pages.added.len() && !pages.added.contains(&address) {
            return Err(BookFull);
        }
        pages.wanted.retain(|wanted| *wanted != address);
        pages.wanted.push(address.clone());
        pages.changed.insert(address.clone());
        pages.added.insert(address);
        Ok(())
    }

    /// What the operator added.
    pub fn added(&self) -> Vec<PeerAddress> {
        self.pages().added.iter().cloned().collect()
    }

    /// Addresses to be dialled now.
    pub(crate) fn take_wanted(&self) -> Vec<PeerAddress> {
        std::mem::take(&mut self.pages().wanted)
    }

    /// Where this node tells others to reach it, as of now.
    pub fn own(&self) -> Option<AddressRecord> {
        self.pages().own.clone()
    }

    pub(crate) fn set_own(&self, record: AddressRecord) {
        self.pages().own = Some(record);
    }

    /// Whether it has been read from disk already.
    pub(crate) fn is_read(&self) -> bool {
        self.pages().is_read
    }

    /// What lies on disk, as keys and values.
    pub fn restore<'a>(&self, rows: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) {
        let (mut pages, mut kept) = (self.pages(), Kept::default());
        for fact in rows.into_iter().filter_map(|(key, value)| parse(key, value)) {
            match fact {
                Fact::Entry(entry) => pages.book.restore(*entry),
                Fact::Score(node, score) => pages.book.restore_score(node, score),
                Fact::Ban(ban) => {
                    pages.bans.insert(ban.culprit, ban.clone());
                    kept.bans.push(ban);
                }
                Fact::Conduct(scores) => kept.scores = scores,
                Fact::Added(address) if pages.added.len() < MAX_ADDED => {
                    pages.wanted.push(address.clone());
                    pages.added.insert(address);
                }
                Fact::Added(_) => {}
            }
        }
        self.0.conduct.restore(kept);
        pages.is_read = true;
    }

    /// What has changed since it was last asked: key, and value unless the row goes.
    pub fn take_changes(&self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        self.take_subjects().into_iter().map(|subject| (subject.key(), self.value(&subject))).collect()
    }

    /// What has changed, now on its way to the disk until [`PeerBook::written`] or [`PeerBook::not_written`].
    pub(crate) fn take_subjects(&self) -> Vec<Subject> {
        let mut pages = self.pages();
        let mut subjects = pages.book.take_changed();
        subjects.extend(std::mem::take(&mut pages.changed).into_iter().map(Subject::Added));
        subjects.extend(pages.changed_bans(&self.0.conduct).into_iter().map(Subject::Ban));
        subjects.extend(std::mem::take(&mut pages.is_conduct_due).then_some(Subject::Conduct));
        pages.writing = subjects.into_iter().collect();
        pages.writing.clone()
    }

    /// It has reached the disk.
    pub(crate) fn written(&self) {
        self.pages().writing.clear();
    }

    pub(crate) fn value(&self, subject: &Subject) -> Option<Vec<u8>> {
        let pages = self.pages();
        match subject {
            Subject::Entry(node) => pages.book.get(node).and_then(|entry| rmp_serde::to_vec(entry).ok()),
            Subject::Score(node) => Some(pages.book.score(node)).filter(|score| *score != 0).map(|score| score.to_be_bytes().to_vec()),
            Subject::Ban(culprit) => pages.bans.get(culprit).and_then(|ban| rmp_serde::to_vec(ban).ok()),
            Subject::Conduct => rmp_serde::to_vec(&self.0.conduct.snapshot().scores).ok(),
            Subject::Added(address) => pages.added.contains(address).then(|| vec![1]),
        }
    }

    /// It did not reach the disk, or nobody knows whether it did.
    pub(crate) fn not_written(&self) {
        let mut pages = self.pages();
        for subject in std::mem::take(&mut pages.writing) {
            match subject {
                Subject::Ban(culprit) => _ = pages.unsure.insert(culprit),
                Subject::Conduct => pages.is_conduct_due = true,
                Subject::Added(address) => _ = pages.changed.insert(address),
                subject => pages.book.mark(subject),
            }
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.pages.lock()
    }
}

impl Pages {
    /// Whose ban is not on disk as it is.
    fn changed_bans(&mut self, conduct: &Conduct) -> BTreeSet<Culprit> {
        let now: BTreeMap<Culprit, KeptBan> = conduct.snapshot().bans.into_iter().map(|ban| (ban.culprit, ban)).collect();
        let mut changed = std::mem::take(&mut self.unsure);
        changed.extend(self.bans.keys().filter(|culprit| !now.contains_key(culprit)));
        changed.extend(now.values().filter(|ban| self.bans.get(&ban.culprit).is_none_or(|before| is_other(before, ban))).map(|ban| ban.culprit));
        // Those that did not change stay as they were written, or small steps of a clock would add up unseen.
        self.bans = now
            .into_iter()
            .map(|(culprit, ban)| (culprit, self.bans.remove(&culprit).filter(|before| !is_other(before, &ban)).unwrap_or(ban)))
            .collect();
        changed
    }
}

fn is_other(before: &KeptBan, ban: &KeptBan) -> bool {
    JITTER_MS < before.until_unix_ms.abs_diff(ban.until_unix_ms) || (before.times, before.is_by_operator) != (ban.times, ban.is_by_operator)
}
