//! Opening the database, and whether what it holds can be believed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use primitives::Disk;
use tracing::warn;

use crate::{
    Config, Damage, ManifestError, Tip,
    audit::{Unsound, audit},
    engine::{EngineError, Handles, Standing, is_no_space},
    engine_lock,
    manifest::{FORMAT, Manifest},
    watermark::{Acknowledged, Found, Watermark},
};

/// The database, below the data directory.
pub(crate) const LEDGER: &str = "ledger";
/// The tip file, below the data directory.
pub(crate) const TIP_FILE: &str = "ledger.tip";

/// What was found at open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The newest committed block; none when nothing was ever committed.
    pub tip: Option<Tip>,
    /// What had to be put right; nothing after an ordered stop.
    pub repaired: Vec<Repair>,
}

/// What a crash leaves and opening puts right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// The last group of blocks was durable, but the crash came before the tip file said so.
    TipMoved { from: Option<Tip>, to: Tip },
    /// One of the two slots of the tip file was rubbish.
    Slot(usize),
}

/// Why the database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database {path} is open in {who}; stop that process first", path = .path.display(), who = describe(*.pid))]
    Locked {
        path: PathBuf,
        /// Who has it open, where the system tells.
        pid: Option<u32>,
    },
    /// The tip file is as it was, and nothing was committed. (The engine itself cuts its journal at the first entry it cannot read.)
    #[error(
        "the database {path} is damaged: {damage}; set it aside and rebuild it from a snapshot or from peers (move it and the ledger.tip beside it to another \
         directory), and sign nothing until then",
        path = .path.display()
    )]
    Damaged { path: PathBuf, damage: Damage },
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("the database {path} cannot be opened: {source}", path = .path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl OpenError {
    /// Whether it opens by itself when there is room on the disk.
    pub fn is_no_space(&self) -> bool {
        match self {
            Self::Io { source, .. } | Self::Manifest(ManifestError::Io { source, .. }) => is_no_space(source),
            _ => false,
        }
    }
}

/// An open database that was found to be whole.
pub(crate) struct Sound {
    pub(crate) handles: Arc<Handles>,
    pub(crate) watermark: Watermark,
    pub(crate) acknowledged: Acknowledged,
    pub(crate) opened: Opened,
}

/// An open database that agrees with itself and with the tip file, before anything is put right.
pub(crate) struct Examined {
    handles: Handles,
    repaired: Vec<Repair>,
    /// What the database holds; may be ahead of what the tip file acknowledges.
    pub(crate) held: Acknowledged,
    /// What the directory had before.
    format: u32,
    path: PathBuf,
}

/// Opens the engine in `directory`, whose small files are reached through `disk`, and compares.
pub(crate) fn examine(disk: &dyn Disk, directory: &Path, config: &Config) -> Result<Examined, OpenError> {
    let path = directory.join(LEDGER);
    let damaged = |damage| OpenError::Damaged { path: path.clone(), damage };
    let Manifest { format } = Manifest::check(disk)?;
    let found = Watermark::find(disk, Path::new(TIP_FILE)).map_err(|source| OpenError::Io { path: path.clone(), source })?;
    if !path.exists() {
        // An empty database would be made, and only then refused.
        judge(&Standing { tip: None, sequence: 0 }, &found).map_err(damaged)?;
    }
    look_at_files(&path, &found, config.audit_limit)?;
    let handles = Handles::open(&path, config).map_err(|error| refused(&path, error))?;
    let standing = handles.standing(format).map_err(damaged)?;
    let repaired = judge(&standing, &found).map_err(damaged)?;
    let held = Acknowledged { sequence: standing.sequence, tip: standing.tip.map(|record| record.tip) };
    Ok(Examined { handles, repaired, held, format, path })
}

/// Looks at the engine's files while nobody can have them open.
fn look_at_files(path: &Path, found: &Found, limit: Duration) -> Result<(), OpenError> {
    if !path.exists() {
        return Ok(());
    }
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    fs::OpenOptions::new().create(true).append(true).open(engine_lock::path(path)).map_err(io)?;
    let lock = engine_lock::take(path, LOCK_LIMIT).map_err(io)?.ok_or_else(|| locked(path))?;
    let is_begun = match found {
        Found::Absent => false,
        Found::Damaged => true,
        Found::Whole { acknowledged, .. } => acknowledged.sequence > 0,
    };
    let audited = audit(path, is_begun, limit).map_err(|unsound| match unsound {
        Unsound::Damaged(damage) => OpenError::Damaged { path: path.to_owned(), damage },
        Unsound::Io { path, source } => OpenError::Io { path, source },
    })?;
    if audited.contents_only > 0 {
        warn!(?limit, whole = audited.whole, contents_only = audited.contents_only, "no time to compare every table with its checksum");
    }
    // The engine takes the same lock.
    drop(lock);
    Ok(())
}

/// A process that is just ending gives the lock back within this.
const LOCK_LIMIT: Duration = Duration::from_millis(300);

impl Examined {
    /// Makes durable what the database holds, and lets the tip file say so.
    pub(crate) fn settle(self, disk: &dyn Disk) -> Result<Sound, OpenError> {
        let Self { handles, repaired, held, format, path } = self;
        // A killed process may have written its last commit without syncing it, and the tip file must never be ahead.
        handles.sync().map_err(|error| refused(&path, error.into()))?;
        if format < FORMAT {
            handles.adopt(format, &held).map_err(|error| refused(&path, error.into()))?;
            Manifest::bring_up(disk).map_err(|source| OpenError::Io { path: path.clone(), source })?;
        }
        handles.resume_forgetting().map_err(|error| refused(&path, error.into()))?;
        let watermark = Watermark::start(disk, Path::new(TIP_FILE), held).map_err(|source| OpenError::Io { path, source })?;
        let opened = Opened { tip: held.tip, repaired };
        Ok(Sound { handles: Arc::new(handles), watermark, acknowledged: held, opened })
    }
}

/// Whether the database holds what was acknowledged, and what is to be put right.
fn judge(standing: &Standing, found: &Found) -> Result<Vec<Repair>, Damage> {
    let database = standing.tip.map(|record| record.tip);
    let (acknowledged, damaged_slot) = match found {
        Found::Absent if database.is_none() && standing.sequence == 0 => return Ok(Vec::new()),
        Found::Absent => return Err(Damage::TipFileMissing { database }),
        Found::Damaged => return Err(Damage::TipFileUnreadable { database }),
        Found::Whole { acknowledged, damaged_slot } => (acknowledged, damaged_slot),
    };
    let mut repaired = damaged_slot.map(Repair::Slot).into_iter().collect::<Vec<_>>();
    if database != acknowledged.tip {
        let ahead = standing.tip.filter(|record| record.before == acknowledged.tip);
        let to = ahead.ok_or(Damage::NotAtTip { database, acknowledged: acknowledged.tip })?.tip;
        repaired.push(Repair::TipMoved { from: acknowledged.tip, to });
    }
    if standing.sequence < acknowledged.sequence {
        return Err(Damage::CommitsLost { database: standing.sequence, acknowledged: acknowledged.sequence });
    }
    Ok(repaired)
}

fn refused(path: &Path, error: EngineError) -> OpenError {
    let path = path.to_owned();
    match error {
        EngineError::Locked => locked(&path),
        EngineError::Io(source) => OpenError::Io { path, source },
        EngineError::Unreadable(what) => OpenError::Damaged { path, damage: Damage::Unreadable(what) },
    }
}

fn locked(path: &Path) -> OpenError {
    OpenError::Locked { path: path.to_owned(), pid: engine_lock::holder(path) }
}

fn describe(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use primitives::{B256, Height};

    use super::*;
    use crate::record::TipRecord;

    fn tip(height: u64) -> Tip {
        Tip { height: Height(height), hash: B256::with_last_byte(height as u8) }
    }

    fn judged(
        database: Option<(u64, Option<u64>)>,
        sequence: u64,
        acknowledged: Option<u64>,
        acknowledged_sequence: u64,
    ) -> Result<Vec<Repair>, Damage> {
        let record = database.map(|(height, before)| TipRecord { tip: tip(height), before: before.map(tip) });
        let acknowledged = Acknowledged { sequence: acknowledged_sequence, tip: acknowledged.map(tip) };
        judge(&Standing { tip: record, sequence }, &Found::Whole { acknowledged, damaged_slot: None })
    }

    #[test]
    fn one_group_ahead_of_the_tip_file_is_what_a_crash_leaves() {
        assert_eq!(judged(Some((7, Some(6))), 9, Some(7), 9), Ok(vec![]));
        assert_eq!(judged(Some((7, Some(6))), 9, Some(6), 8), Ok(vec![Repair::TipMoved { from: Some(tip(6)), to: tip(7) }]));
        assert_eq!(judged(Some((9, Some(6))), 9, Some(6), 8), Ok(vec![Repair::TipMoved { from: Some(tip(6)), to: tip(9) }]));
        assert_eq!(judged(Some((0, None)), 1, None, 0), Ok(vec![Repair::TipMoved { from: None, to: tip(0) }]));
    }

    #[test]
    fn everything_else_is_damage() {
        assert!(matches!(judged(Some((7, Some(6))), 9, Some(5), 7), Err(Damage::NotAtTip { .. })));
        assert!(matches!(judged(Some((7, Some(6))), 9, Some(8), 10), Err(Damage::NotAtTip { .. })));
        assert!(matches!(judged(None, 0, Some(0), 1), Err(Damage::NotAtTip { .. })));
        assert_eq!(judged(Some((7, Some(6))), 9, Some(7), 10), Err(Damage::CommitsLost { database: 9, acknowledged: 10 }));
    }

    #[test]
    fn a_database_without_its_tip_file_is_believed_only_when_it_is_empty() {
        let standing = |height: Option<u64>, sequence| Standing { tip: height.map(|height| TipRecord { tip: tip(height), before: None }), sequence };
        assert_eq!(judge(&standing(None, 0), &Found::Absent), Ok(vec![]));
        assert!(matches!(judge(&standing(Some(0), 1), &Found::Absent), Err(Damage::TipFileMissing { .. })));
        assert!(matches!(judge(&standing(None, 1), &Found::Absent), Err(Damage::TipFileMissing { .. })));
        assert!(matches!(judge(&standing(Some(3), 4), &Found::Damaged), Err(Damage::TipFileUnreadable { .. })));
    }
}
