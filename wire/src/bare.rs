//! The encrypted stream below hello, proof and WebSocket, for those who test what a peer does with bytes that no honest node sends.

use std::io;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::{
    Certificate,
    tls::{self, Tls},
};

/// TLS over a stream that we opened, and nothing proved yet: what comes next is the hello.
pub async fn bare<S>(stream: S) -> io::Result<Bare<impl AsyncRead + AsyncWrite + Send + Unpin + use<S>>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let name = ServerName::try_from(tls::ANY_NAME).expect("it is a valid DNS name");
    let tls = Certificate::throw_away().and_then(|certificate| Tls::new(&certificate)).map_err(io::Error::other)?;
    let stream = TlsConnector::from(tls.client).connect(name, stream).await?;
    let exporter = tls::exporter(stream.get_ref().1).map_err(io::Error::other)?;
    Ok(Bare { stream, exporter })
}

/// An encrypted stream and the secret that only its two ends know.
pub struct Bare<T> {
    pub stream: T,
    pub exporter: [u8; 32],
}
