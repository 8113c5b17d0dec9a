//! Ways to break a node on purpose, so that each invariant is seen to fail.

use crate::oracle::Kind;
use consensus::signer::{Signer, sabotage::Sabotage as SignerSabotage};

/// What is broken on every node of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Messages leave before the journal is flushed.
    PublishBeforeFlush,
    /// A restarted core is not fed its journal.
    SkipReplay,
    /// What is said again is not guarded, and a restarted core is not fed its journal.
    UnguardedRepublish,
    /// Each half of the validators takes itself for a quorum.
    LowQuorum,
    /// The promise is durable before the journal.
    PromiseBeforeJournal,
    /// Bodies are called durable without a sync.
    SkipBodySync,
    /// Decided blocks are called committed without a sync.
    SkipCommitSync,
}

impl Sabotage {
    pub const ALL: [(&'static str, Self); 7] = [
        ("publish-before-flush", Self::PublishBeforeFlush),
        ("skip-replay", Self::SkipReplay),
        ("unguarded-republish", Self::UnguardedRepublish),
        ("low-quorum", Self::LowQuorum),
        ("promise-before-journal", Self::PromiseBeforeJournal),
        ("skip-body-sync", Self::SkipBodySync),
        ("skip-commit-sync", Self::SkipCommitSync),
    ];

    /// What the observer must see of it, and in which scenarios; each pair is a proof that an invariant can fail.
    pub fn proofs(self) -> &'static [(&'static str, Kind)] {
        match self {
            Self::PublishBeforeFlush => &[("quiet", Kind::WriteOrder)],
            Self::SkipReplay => &[("storm", Kind::Equivocation), ("storm", Kind::Progress)],
            Self::UnguardedRepublish => &[("storm", Kind::Equivocation)],
            Self::LowQuorum => &[("quiet", Kind::Certificate), ("parted", Kind::Agreement)],
            Self::PromiseBeforeJournal => &[("crashes", Kind::PromiseOrder), ("storm", Kind::Health)],
            Self::SkipBodySync => &[("quiet", Kind::Durability)],
            Self::SkipCommitSync => &[("storm", Kind::HeightOrder)],
        }
    }

    /// The sabotage of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(of, _)| *of == name).map(|(_, sabotage)| *sabotage)
    }
}

/// Breaks a signer that was just opened.
pub fn break_signer(signer: &mut Signer, sabotage: Option<Sabotage>) {
    signer.sabotage(SignerSabotage {
        publish_before_flush: sabotage == Some(Sabotage::PublishBeforeFlush),
        promise_before_journal: sabotage == Some(Sabotage::PromiseBeforeJournal),
        ..SignerSabotage::default()
    });
}

/// Breaks a signer for one release. What is said again brings no entries with it.
pub fn before_release(signer: &mut Signer, sabotage: Option<Sabotage>, is_repeated: bool) {
    if sabotage == Some(Sabotage::UnguardedRepublish) {
        signer.sabotage(SignerSabotage { no_guard: is_repeated, ..SignerSabotage::default() });
    }
}
