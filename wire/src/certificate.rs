//! What the acceptor shows in TLS.
//!
//! It proves nothing to other nodes, which accept any; an operator's own is for whoever looks at the port from outside, as
//! scanners and rules of a company do.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::TlsSetupError;

/// A chain of certificates, encoded: diallers take at most 4 KiB before a node has proved who it is.
pub const MAX_CERTIFICATE_BYTES: usize = 3 << 10;

/// A chain of certificates and the key of the first.
#[derive(Debug)]
pub struct Certificate {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// Why a certificate is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    #[error("the certificate is no PEM: {0}")]
    Certificate(String),
    #[error("it holds no certificate; one begins with -----BEGIN CERTIFICATE-----")]
    Empty,
    #[error("the key is no PEM of a private key: {0}")]
    Key(String),
    #[error("the chain has {bytes} bytes; at most {} are shown to a stranger, so leave out all but the first certificate", MAX_CERTIFICATE_BYTES)]
    TooLong { bytes: usize },
}

impl Certificate {
    /// Reads a chain, its leaf first, and a key in PKCS #8, SEC1 or PKCS #1.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(|error| CertificateError::Certificate(error.to_string()))?;
        let bytes: usize = chain.iter().map(|certificate| certificate.len()).sum();
        match bytes {
            0 => return Err(CertificateError::Empty),
            _ if MAX_CERTIFICATE_BYTES < bytes => return Err(CertificateError::TooLong { bytes }),
            _ => {}
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| CertificateError::Key(error.to_string()))?;
        Ok(Self { chain, key })
    }

    /// A new one that nobody has signed.
    pub(crate) fn throw_away() -> Result<Self, TlsSetupError> {
        let certified = rcgen::generate_simple_self_signed(vec!["node".into()]).map_err(|error| TlsSetupError(error.to_string()))?;
        let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
        Ok(Self { chain: vec![certified.cert.der().clone()], key })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(label: &str, content: &[u8]) -> String {
        let lines = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, content);
        format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
    }

    fn pem() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["validator.example".into()]).unwrap();
        (text("CERTIFICATE", made.cert.der()), text("PRIVATE KEY", &made.signing_key.serialize_der()))
    }

    #[test]
    fn a_chain_and_its_key_are_read() {
        let (chain, key) = pem();
        assert_eq!(Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap().chain.len(), 1);
        let twice = chain.repeat(2);
        assert_eq!(Certificate::from_pem(twice.as_bytes(), key.as_bytes()).unwrap().chain.len(), 2);
    }

    #[test]
    fn what_is_no_certificate_is_refused_by_name() {
        let (chain, key) = pem();
        assert_eq!(Certificate::from_pem(b"", key.as_bytes()).unwrap_err(), CertificateError::Empty);
        assert!(matches!(Certificate::from_pem(chain.as_bytes(), chain.as_bytes()), Err(CertificateError::Key(_))));
        let long = chain.repeat(20);
        assert!(matches!(Certificate::from_pem(long.as_bytes(), key.as_bytes()), Err(CertificateError::TooLong { .. })));
    }
}
