//! What a damaged database looks like.

use std::{fmt, path::PathBuf};

use crate::{Keyspace, Stamp, Tip, tip::describe};

/// How the database contradicts itself or the tip file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A file of the engine is not what the engine wrote; its path is below the database.
    File { file: PathBuf, fault: FileFault },
    /// A journal does not go on where the one before it ends.
    JournalGap { file: PathBuf, after: u64, found: u64 },
    /// The tables of a keyspace end before the first commit that is in the journals.
    JournalMissing { keyspace: PathBuf, after: u64, first: u64 },
    /// The engine cannot read its own files.
    Unreadable(String),
    /// Keyspaces stand at different commits, so that some of them lost some.
    KeyspacesDisagree(Vec<(Keyspace, Option<Stamp>)>),
    /// The database is not at the tip that was acknowledged, nor one commit ahead of it.
    NotAtTip { database: Option<Tip>, acknowledged: Option<Tip> },
    /// Commits that moved no height are lost.
    CommitsLost { database: u64, acknowledged: u64 },
    /// The engine took these commits in another order than they were made, so that later writes lie below earlier ones.
    CommitsDisordered(Vec<u64>),
    /// The database holds commits, and there is no tip file.
    TipFileMissing { database: Option<Tip> },
    /// Neither slot of the tip file holds a whole record.
    TipFileUnreadable { database: Option<Tip> },
    /// A row that every commit writes is missing or malformed.
    Row { keyspace: Keyspace, row: &'static str },
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFault {
    Missing,
    /// Its bytes do not match the checksum that was kept when it was written.
    Changed,
    /// It is short and has no checksum, and says nothing that the engine writes.
    Malformed,
    /// The engine did not make it, and cannot be opened beside it.
    Stray,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::Changed => "is not as it was written: its checksum is wrong",
            Self::Malformed => "holds nothing that belongs there",
            Self::Stray => "does not belong there",
        })
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, fault } => write!(f, "its file {} {fault}", file.display()),
            Self::JournalGap { file, after, found } => write!(f, "commit {found} follows commit {after} in its file {}", file.display()),
            Self::JournalMissing { keyspace, after, first } => {
                write!(f, "{} ends at commit {after} and its journals begin at commit {first}: a journal is missing", keyspace.display())
            }
            Self::Unreadable(what) => write!(f, "its files cannot be read: {what}"),
            Self::KeyspacesDisagree(stamps) => {
                write!(f, "its keyspaces stand at different commits:")?;
                stamps.iter().try_for_each(|(keyspace, stamp)| match stamp {
                    Some(Stamp { commit, height: Some(height) }) => write!(f, " {keyspace} {commit} (height {height})"),
                    Some(Stamp { commit, height: None }) => write!(f, " {keyspace} {commit}"),
                    None => write!(f, " {keyspace} none"),
                })
            }
            Self::NotAtTip { database, acknowledged } => {
                write!(f, "it holds {}, but {} was acknowledged", describe(*database), describe(*acknowledged))
            }
            Self::CommitsLost { database, acknowledged } => write!(f, "it holds {database} commits, but {acknowledged} were acknowledged"),
            Self::CommitsDisordered(commits) => write!(f, "its commits are out of order around the numbers {commits:?}"),
            Self::TipFileMissing { database } => write!(f, "it holds {}, but the tip file beside it is missing", describe(*database)),
            Self::TipFileUnreadable { database } => write!(f, "it holds {}, but the tip file beside it is damaged", describe(*database)),
            Self::Row { keyspace, row } => write!(f, "row {row} in {keyspace} is missing or malformed"),
        }
    }
}
