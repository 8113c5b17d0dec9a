//! Copies of directories.

use std::{fs, io, path::Path};

/// Copies everything below `from` to `to`, which must not exist.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            // Permissions are copied too.
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
