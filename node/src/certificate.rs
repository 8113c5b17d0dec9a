//! The operator's own certificate for the P2P listener.

use std::path::Path;

use wire::Certificate;

use crate::{exit::Failure, keys};

/// Reads a chain and its key, which nobody but the owner may read. Paths are below `home` unless they begin with `/`.
pub fn load(home: &Path, (certificate, key): &(impl AsRef<Path>, impl AsRef<Path>)) -> Result<Certificate, Failure> {
    let (certificate, key) = (home.join(certificate), home.join(key));
    let chain = std::fs::read(&certificate).map_err(|error| {
        let failure = Failure::config(format!("the certificate of p2p.certificate cannot be read: {error}")).at(certificate.display().to_string());
        failure.remedy("put the PEM file there, or leave p2p.certificate and p2p.key empty")
    })?;
    let key_text = keys::read_private("TLS key", &key, "put the PEM file of p2p.key there, or leave p2p.certificate and p2p.key empty")?;
    Certificate::from_pem(&chain, key_text.as_bytes()).map_err(|error| {
        let failure = Failure::config(error.to_string()).at(certificate.display().to_string()).at(key.display().to_string());
        failure.remedy("name PEM files of a certificate and its key, or leave p2p.certificate and p2p.key empty")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::exit::ExitCode;

    #[test]
    fn files_that_are_no_certificate_are_refused_with_their_paths() {
        let home = tempfile::tempdir().unwrap();
        let missing = load(home.path(), &("cert.pem", "key.pem")).unwrap_err();
        assert_eq!(missing.code, ExitCode::Config);
        std::fs::write(home.path().join("cert.pem"), "no PEM").unwrap();
        std::fs::write(home.path().join("key.pem"), "no PEM").unwrap();
        let readable = load(home.path(), &("cert.pem", "key.pem")).unwrap_err();
        assert!(readable.to_string().contains("TLS key"), "{readable}");
        std::fs::set_permissions(home.path().join("key.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
        let refused = load(home.path(), &("cert.pem", "key.pem")).unwrap_err();
        assert!(refused.to_string().contains("holds no certificate"), "{refused}");
    }
}
