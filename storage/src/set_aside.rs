//! Moving a damaged database out of the way.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    engine_lock,
    open::{LEDGER, TIP_FILE},
};

/// Why the database stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum SetAsideError {
    #[error("the database {path} is open; stop whoever uses it first", path = .0.display())]
    InUse(PathBuf),
    #[error("the database {path} cannot be set aside: {source}", path = .path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// How many databases may lie aside in one directory before somebody must look at them.
const MAX_ASIDE: usize = 1_000;

/// Renames the database in `directory`, and the tip file with it, and says where it lies now; none when there is no database.
///
/// The next open begins an empty one. Nothing is deleted.
pub fn set_aside(directory: &Path) -> Result<Option<PathBuf>, SetAsideError> {
    let ledger = directory.join(LEDGER);
    let failed = |source| SetAsideError::Io { path: ledger.clone(), source };
    if !ledger.exists() && !directory.join(TIP_FILE).exists() {
        return Ok(None);
    }
    let _lock = locked(&ledger).map_err(failed)?.ok_or_else(|| SetAsideError::InUse(ledger.clone()))?;
    let aside = free_name(directory).ok_or_else(|| failed(io::ErrorKind::AlreadyExists.into()))?;
    fs::create_dir(&aside).map_err(failed)?;
    // The database first: a crash in between leaves a tip file alone, which no empty database passes for.
    for name in [LEDGER, TIP_FILE] {
        match fs::rename(directory.join(name), aside.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    for synced in [&aside, directory] {
        fs::File::open(synced).and_then(|file| file.sync_all()).map_err(failed)?;
    }
    Ok(Some(aside))
}

/// The engine's own lock, to be held while its files move; the outer none when somebody has it.
fn locked(ledger: &Path) -> io::Result<Option<Option<fs::File>>> {
    match engine_lock::take(ledger, Duration::ZERO) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(None)),
        taken => Ok(taken?.map(Some)),
    }
}

fn free_name(directory: &Path) -> Option<PathBuf> {
    let names = (1..=MAX_ASIDE).map(|number| directory.join(format!("{LEDGER}.aside-{number}")));
    names.into_iter().find(|path| !path.exists())
}
