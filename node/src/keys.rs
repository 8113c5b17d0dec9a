//! Key files: 32 bytes of hex, readable by their owner only.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use primitives::SecretKey;
use zeroize::Zeroize;

use crate::exit::Failure;

/// A fresh key from the system's randomness.
pub fn generate() -> SecretKey {
    SecretKey::random(&mut rand::rng())
}

/// Writes a new key file, whole or not at all; one that is there is never overwritten.
pub fn write(path: &Path, key: &SecretKey) -> Result<(), Failure> {
    let mut bytes = key.expose();
    let mut text = format!("0x{}\n", hex::encode(bytes));
    let written = write_private("writing a key", path, &text);
    bytes.zeroize();
    text.zeroize();
    written
}

/// Writes a new file that only its owner can read, whole or not at all; one that is there is never overwritten.
pub(crate) fn write_private(doing: &str, path: &Path, text: &str) -> Result<(), Failure> {
    let beside = path.with_extension("new");
    let attempt = || {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // Unlike a rename, a link fails when the name is taken.
        fs::hard_link(&beside, path)
    };
    let written = attempt();
    // If it stays behind, the next key written here replaces it.
    let _ = fs::remove_file(&beside);
    written.map_err(|error| {
        let failure = Failure::unwritten(doing, path, &error);
        let is_there = error.kind() == io::ErrorKind::AlreadyExists;
        if is_there { failure.remedy("it is never overwritten; move the old file away first") } else { failure }
    })
}

/// As [`write`], but the same key may be there already, as after an interrupted `init`.
pub fn ensure(path: &Path, key: &SecretKey) -> Result<(), Failure> {
    match read_if_there(path)? {
        Some(found) if found.address() == key.address() => Ok(()),
        _ => write(path, key),
    }
}

/// Reads a key file; refuses one that others can read or change.
pub fn read(path: &Path) -> Result<SecretKey, Failure> {
    let mut text = read_private("key", path, "make one with `axolotl keys new`, or put your key file there")?;
    let key = text.parse::<SecretKey>();
    text.zeroize();
    let damaged = |error: primitives::MalformedKey| Failure::config(error.to_string()).at(path.display().to_string());
    key.map_err(|error| damaged(error).remedy("restore the file from your backup; nothing was changed"))
}

/// Reads the file of a secret, here a `what`; refuses one that others can read or change. `missing` is what to do when there is none.
pub(crate) fn read_private(what: &str, path: &Path, missing: &str) -> Result<String, Failure> {
    let shown = path.display();
    let unread = |error: std::io::Error| Failure::io(&format!("reading the {what}"), path, &error);
    let metadata = fs::metadata(path).map_err(|error| unread(error).remedy(missing))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let failure = Failure::config(format!("the {what} can be read or changed by others (mode {mode:04o})")).at(shown.to_string());
        return Err(failure.remedy(format!("chmod 600 {shown}")));
    }
    fs::read_to_string(path).map_err(unread)
}

/// As [`read`], or none when there is no such file.
pub fn read_if_there(path: &Path) -> Result<Option<SecretKey>, Failure> {
    if path.exists() { read(path).map(Some) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{development, exit::ExitCode};

    #[test]
    fn a_written_key_is_read_back_and_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.key");
        write(&path, &development::node_key(0)).unwrap();
        assert!(write(&path, &development::node_key(1)).is_err());
        assert_eq!(read(&path).unwrap().address(), development::node_key(0).address());
    }

    #[test]
    fn the_same_key_may_be_there_already_and_another_may_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.key");
        ensure(&path, &development::node_key(0)).unwrap();
        assert_eq!(ensure(&path, &development::node_key(0)), Ok(()));
        assert!(ensure(&path, &development::node_key(1)).is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else stays behind");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.key");
        write(&path, &development::node_key(0)).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = read(&path).unwrap_err();
            assert_eq!(refused.code, ExitCode::Config);
            assert_eq!(refused.remedy, format!("chmod 600 {}", path.display()));
        }
    }

    #[test]
    fn a_damaged_key_is_refused_without_showing_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.key");
        let secret = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff";
        fs::write(&path, secret).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = read(&path).unwrap_err();
        assert!(!refused.to_string().contains("ac0974"), "{refused}");
    }

    #[test]
    fn two_generated_keys_differ() {
        assert_ne!(generate().address(), generate().address());
    }
}
