//! TLS 1.3 with certificates that nobody looks at.
//!
//! A certificate here proves nothing: it is made at start unless the operator has one, and accepted from anyone. Who the peer is, the handshake inside
//! proves by signing this connection's exporter (RFC 9266), which no one in the middle can have on both sides.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
    version::TLS13,
};

use crate::Certificate;

/// TLS wants a name to connect to; nobody looks at it.
pub(crate) const ANY_NAME: &str = "node";
/// Label of the exporter, from RFC 9266.
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";

/// TLS as both sides of a link need it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub client: Arc<ClientConfig>,
    pub server: Arc<ServerConfig>,
}

/// No certificate could be made, or the one at hand and its key do not fit each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot prepare TLS: {0}")]
pub struct TlsSetupError(pub(crate) String);

impl Tls {
    /// Shows `certificate` to whoever comes.
    pub fn new(certificate: &Certificate) -> Result<Self, TlsSetupError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let Certificate { chain, key } = certificate;
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain.clone(), key.clone_key()));
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .map(|builder| builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider))).with_no_client_auth());
        let failed = |error: rustls::Error| TlsSetupError(error.to_string());
        let (mut server, mut client) = (server.map_err(failed)?, client.map_err(failed)?);
        // Each session is a new proof of identity, so nothing is ever resumed.
        server.send_tls13_tickets = 0;
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }
}

/// The secret that only the two ends of this TLS connection know.
pub(crate) fn exporter<Data>(connection: &rustls::ConnectionCommon<Data>) -> Result<[u8; 32], rustls::Error> {
    connection.export_keying_material([0; 32], EXPORTER, None)
}

/// Accepts any certificate, and checks that the peer holds its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
