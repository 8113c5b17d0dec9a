//! The word that opens the admin listener: 32 random bytes as hex, in a file for its owner only.

use std::{fmt, path::Path};

use hmac::digest::CtOutput;
use sha2::{Digest, Sha256};

use crate::{exit::Failure, keys};

const BYTES: usize = 32;

/// The token of a home. Never shown: not in logs, not in errors, not by `Debug`.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The token in `path`, which is made when there is none.
    pub fn ensure(path: &Path) -> Result<Self, Failure> {
        if !path.exists() {
            keys::write_private("writing the admin token", path, &format!("{}\n", hex::encode(rand::random::<[u8; BYTES]>())))?;
        }
        Self::read(path)
    }

    /// The token in `path`; refuses a file that others can read.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = keys::read_private("admin token", path, "start the node once, which makes it, or name the file with --token-file")?;
        let token = text.trim();
        let is_token = token.len() == 2 * BYTES && token.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_token {
            return Ok(Self(token.to_owned()));
        }
        let failure = Failure::config(format!("the admin token is not {BYTES} bytes of hex")).at(path.display().to_string());
        Err(failure.remedy("delete the file; the next start of the node makes a new one"))
    }

    /// Whether `given` is this token. Takes the same time whichever part of it is wrong.
    pub fn is(&self, given: &str) -> bool {
        let digest = |text: &str| CtOutput::<Sha256>::new(Sha256::digest(text.as_bytes()));
        digest(&self.0) == digest(given)
    }

    /// For the `Authorization` header only.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::exit::ExitCode;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn a_token_is_made_once_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.token");
        let made = Token::ensure(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Token::ensure(&path).unwrap().is(made.expose()));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else stays behind");
    }

    #[test]
    fn only_the_whole_token_opens() {
        let directory = tempfile::tempdir().unwrap();
        let token = Token::ensure(&directory.path().join("t")).unwrap();
        let exact = token.expose();
        assert!(token.is(exact));
        for wrong in ["", &exact[1..], &exact[..63], &format!("{exact}0"), &format!(" {exact}"), &"0".repeat(64)] {
            assert!(!token.is(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_token_that_others_can_read_or_that_is_damaged_is_refused_without_showing_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t");
        let token = Token::ensure(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Token::read(&path).unwrap_err();
        assert_eq!((refused.code, refused.remedy), (ExitCode::Config, format!("chmod 600 {}", path.display())));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, &token.expose()[..40]).unwrap();
        let refused = Token::read(&path).unwrap_err();
        assert!(!refused.to_string().contains(&token.expose()[..8]) && refused.remedy.contains("delete"), "{refused}");
        assert!(!format!("{token:?}").contains(&token.expose()[..8]));
    }
}
