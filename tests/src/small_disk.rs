//! A home on a disk of its own, so small that it can be filled. Needs the right to mount.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::disk::copy;

/// Written at once while the disk is being filled.
const PIECE_BYTES: usize = 64 << 10;
const PAGE_BYTES: usize = 4096;

/// A tmpfs over a home. It goes with this value, and the home is as it was before.
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Moves what is in `home` to a disk of so many bytes that is mounted there. Nobody may run on it.
    pub fn under(home: &Path, bytes: u64) -> Result<Self> {
        let before = home.with_extension("before");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=700"), "tmpfs"]).arg(mount_point(home, &before)?))
            .context("a small disk needs root; without it, run this in a namespace of its own: unshare -Urm COMMAND")?;
        let disk = Self { at: home.to_owned() };
        for entry in fs::read_dir(&before)? {
            let entry = entry?;
            let target = home.join(entry.file_name());
            if entry.file_type()?.is_dir() { copy(&entry.path(), &target)? } else { _ = fs::copy(entry.path(), target)? }
        }
        Ok(disk)
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }

    /// Takes everything that is left of it.
    pub fn fill(&self) -> Result<()> {
        let mut file = File::options().create(true).append(true).open(self.ballast())?;
        for bytes in [PIECE_BYTES, PAGE_BYTES] {
            let piece = vec![0xba; bytes];
            let full = std::iter::repeat_with(|| file.write_all(&piece)).find_map(Result::err);
            full.filter(|error| error.kind() != ErrorKind::StorageFull).map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// Gives it back.
    pub fn make_room(&self) -> Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there keeps it until it is closed.
        let _ = run(Command::new("umount").arg("--lazy").arg(&self.at));
    }
}

/// Moves `home` aside, and puts an empty directory in its place.
fn mount_point<'a>(home: &'a Path, aside: &Path) -> Result<&'a Path> {
    fs::rename(home, aside)?;
    fs::create_dir(home)?;
    Ok(home)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
