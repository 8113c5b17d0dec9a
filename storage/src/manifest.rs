//! The format of a data directory, written once and checked at every open.

use std::{io, path::Path};

use primitives::Disk;
use serde::{Deserialize, Serialize};

/// The format that this program writes.
///
/// | format | what came with it                               |
/// |--------|-------------------------------------------------|
/// | 2      | the keyspaces `state_history` and `log_index`    |
pub const FORMAT: u32 = 2;

const FILE: &str = "manifest.json";

/// What `manifest.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Changes when an older program could no longer read what lies in the directory.
    pub format: u32,
}

/// Why the directory is not for this program.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("{path} says format {found}, and this program knows up to {FORMAT}; use the newer program that wrote it")]
    TooNew { path: String, found: u32 },
    #[error("{path} is not a manifest: {reason}; restore it from a backup, or move the directory away")]
    Malformed { path: String, reason: String },
    #[error("{path} cannot be read or written: {source}")]
    Io { path: String, source: io::Error },
}

impl Manifest {
    /// Reads the manifest, or writes one where there is none.
    pub fn check(disk: &dyn Disk) -> Result<Self, ManifestError> {
        let path = || disk.locate(Path::new(FILE)).display().to_string();
        let failed = |source| ManifestError::Io { path: path(), source };
        let Some(bytes) = disk.read(Path::new(FILE)).map_err(failed)? else {
            let manifest = Self { format: FORMAT };
            manifest.write(disk).map_err(failed)?;
            return Ok(manifest);
        };
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|error| ManifestError::Malformed { path: path(), reason: error.to_string() })?;
        if manifest.format > FORMAT {
            return Err(ManifestError::TooNew { path: path(), found: manifest.format });
        }
        Ok(manifest)
    }

    /// Says that the directory has the format of this program now, which an older one refuses.
    pub(crate) fn bring_up(disk: &dyn Disk) -> io::Result<()> {
        Self { format: FORMAT }.write(disk)
    }

    /// Under another name first, so that a crash leaves no half of it.
    fn write(&self, disk: &dyn Disk) -> io::Result<()> {
        let draft = Path::new("manifest.json.new");
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        let mut file = disk.open(draft)?;
        file.set_len(0)?;
        file.write_at(0, &bytes)?;
        file.sync()?;
        disk.rename(draft, Path::new(FILE))?;
        disk.sync_directory(Path::new(""))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use primitives::LossyDisk;

    use super::*;

    fn checked(contents: &str) -> Result<Manifest, ManifestError> {
        let disk = LossyDisk::new();
        disk.open(Path::new(FILE)).unwrap().write_at(0, contents.as_bytes()).unwrap();
        Manifest::check(&disk)
    }

    #[test]
    fn a_new_directory_gets_a_manifest_that_survives() {
        let disk = LossyDisk::new();
        let written = Manifest::check(&disk).unwrap();
        disk.crash(primitives::Survival::SyncedOnly);
        assert_eq!(Manifest::check(&disk).unwrap(), written);
    }

    #[test]
    fn a_directory_of_a_newer_program_is_refused() {
        assert!(matches!(checked(r#"{"format":3}"#), Err(ManifestError::TooNew { found: 3, .. })));
        assert_eq!(checked(r#"{"format":1,"more":true}"#).unwrap(), Manifest { format: 1 });
    }

    #[test]
    fn rubbish_is_no_manifest() {
        for contents in ["", "{", "{}", r#"{"format":-1}"#] {
            assert!(matches!(checked(contents), Err(ManifestError::Malformed { .. })), "{contents}");
        }
    }
}
