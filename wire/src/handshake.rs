//! From a raw stream to a proved peer: TLS, hello, proof, WebSocket.
//!
//! Nothing of a stranger is parsed but TLS and two frames of fixed length; the WebSocket upgrade comes after the proof.

use std::{fmt, future::Future, io, time::Duration};

use primitives::{B256, NodeId, PublicKey};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config, client_async_with_config,
    tungstenite::{
        self,
        client::IntoClientRequest,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderMap, HeaderValue, StatusCode, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::WebSocketConfig,
    },
};

use crate::{
    Codec, Identity, Limits,
    allowance::{Metered, UsedUp},
    introduction::{Demand, Side, introduce},
    tls::{self, ANY_NAME},
};

/// What a WebSocket message or frame may have, in bytes: a turn of writing, twice.
const MAX_WEBSOCKET_BYTES: usize = 256 << 10;
const READ_BUFFER_BYTES: usize = 64 << 10;
const WRITE_BUFFER_BYTES: usize = 128 << 10;
const MAX_WRITE_BUFFER_BYTES: usize = 1 << 20;

/// What lies under a link.
pub(crate) type Socket<S> = WebSocketStream<TlsStream<Metered<S>>>;

/// Why two nodes did not become peers.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    #[error("{stage} was not done within {limit:?}")]
    Late { stage: Stage, limit: Duration },
    #[error("more than {max_bytes} bytes came before {stage} was done")]
    TooManyBytes { stage: Stage, max_bytes: usize },
    #[error("the peer closed the connection during {stage}")]
    Closed { stage: Stage },
    #[error("{stage} failed: {error}")]
    Io { stage: Stage, error: io::Error },
    #[error("the hello cannot be read: {0}")]
    Malformed(&'static str),
    #[error("the peer speaks version {theirs} of the handshake; this node speaks {ours}")]
    WrongVersion { ours: u8, theirs: u8 },
    #[error("the peer is on chain {theirs}; this node is on chain {ours}")]
    WrongChain { ours: u64, theirs: u64 },
    #[error("the peer's genesis is {theirs}; this node's is {ours}")]
    WrongGenesis { ours: B256, theirs: B256 },
    #[error("node {expected} was expected, but node {got} answered")]
    WrongPeer { expected: NodeId, got: NodeId },
    #[error("the peer sent our own side of the handshake back")]
    Reflected,
    #[error("the connection leads back to this node, {node}")]
    SelfConnection { node: NodeId },
    #[error(
        "the peer claims to be node {node} and cannot prove it on this connection: most likely a proxy between us ends TLS, unless \
         somebody poses as that node; let the proxy pass TCP through to the P2P port as it is"
    )]
    Forged { node: NodeId },
    #[error("node {node} has not done the {bits} bits of work that were demanded")]
    Unstamped { node: NodeId, bits: u8 },
    #[error("the peer demands {bits} bits of work; this node does at most {max}")]
    TooMuchWork { bits: u8, max: u8 },
    #[error("no codec in common: the peer offers {theirs:?}, this node has {ours:?}")]
    NoCodec { ours: String, theirs: String },
    #[error("the WebSocket upgrade failed: {0}")]
    Upgrade(String),
}

/// Where a handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Tls,
    Hello,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "TLS",
            Self::Hello => "the hello",
        })
    }
}

impl HandshakeError {
    /// The word for it in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Late { .. } => "late",
            Self::TooManyBytes { .. } => "too_many_bytes",
            Self::Closed { .. } => "closed",
            Self::Io { .. } => "io",
            Self::Malformed(_) => "malformed",
            Self::WrongVersion { .. } => "wrong_version",
            Self::WrongChain { .. } => "wrong_chain",
            Self::WrongGenesis { .. } => "wrong_genesis",
            Self::WrongPeer { .. } => "wrong_peer",
            Self::Reflected => "reflected",
            Self::SelfConnection { .. } => "self",
            Self::Forged { .. } => "forged",
            Self::Unstamped { .. } => "unstamped",
            Self::TooMuchWork { .. } => "too_much_work",
            Self::NoCodec { .. } => "no_codec",
            Self::Upgrade(_) => "upgrade",
        }
    }

    pub(crate) fn at(stage: Stage, limits: &Limits, error: io::Error) -> Self {
        match error.get_ref() {
            Some(inner) if inner.is::<UsedUp>() => Self::TooManyBytes { stage, max_bytes: limits.handshake_bytes },
            _ if is_end(error.kind()) => Self::Closed { stage },
            _ => Self::Io { stage, error },
        }
    }
}

fn is_end(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

/// A peer that has proved who it is, on an open WebSocket.
pub(crate) struct Proved<S> {
    pub peer: PublicKey,
    pub codec: Codec,
    pub socket: Socket<S>,
}

/// The dialler's side.
pub(crate) async fn dial<S>(stream: S, identity: &Identity, expected: Option<NodeId>, limits: &Limits) -> Result<Proved<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = Metered::new(stream, limits.handshake_bytes);
    let name = ServerName::try_from(ANY_NAME).expect("it is a valid DNS name");
    let connecting = TlsConnector::from(identity.tls().client.clone()).connect(name, stream);
    let tls = in_time(Stage::Tls, limits, connecting).await?;
    let exporter = tls::exporter(tls.get_ref().1).map_err(no_exporter)?;
    let tls = TlsStream::Client(tls);
    hello_in_time(limits, async {
        let (peer, tls) = prove(tls, &exporter, identity, Side::Dialler(expected), limits).await?;
        let (codec, socket) = upgrade_as_client(tls, limits).await?;
        Ok(Proved { peer, codec, socket })
    })
    .await
}

/// The acceptor's side.
pub(crate) async fn accept<S>(stream: S, identity: &Identity, limits: &Limits, demand: Demand<'_>) -> Result<Proved<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = Metered::new(stream, limits.handshake_bytes);
    let accepting = TlsAcceptor::from(identity.tls().server.clone()).accept(stream);
    let tls = in_time(Stage::Tls, limits, accepting).await?;
    let exporter = tls::exporter(tls.get_ref().1).map_err(no_exporter)?;
    let tls = TlsStream::Server(tls);
    hello_in_time(limits, async {
        let (peer, tls) = prove(tls, &exporter, identity, Side::Acceptor(demand), limits).await?;
        let (codec, socket) = upgrade_as_server(tls, limits).await?;
        Ok(Proved { peer, codec, socket })
    })
    .await
}

async fn in_time<T>(stage: Stage, limits: &Limits, work: impl Future<Output = io::Result<T>>) -> Result<T, HandshakeError> {
    let limit = limits.tls;
    let done = tokio::time::timeout(limit, work).await.map_err(|_| HandshakeError::Late { stage, limit })?;
    done.map_err(|error| HandshakeError::at(stage, limits, error))
}

async fn hello_in_time<T>(limits: &Limits, work: impl Future<Output = Result<T, HandshakeError>>) -> Result<T, HandshakeError> {
    let limit = limits.hello;
    tokio::time::timeout(limit, work).await.map_err(|_| HandshakeError::Late { stage: Stage::Hello, limit })?
}

fn no_exporter(error: rustls::Error) -> HandshakeError {
    HandshakeError::Io { stage: Stage::Tls, error: io::Error::other(error) }
}

async fn prove<S>(
    mut tls: TlsStream<Metered<S>>,
    exporter: &[u8; 32],
    identity: &Identity,
    side: Side<'_>,
    limits: &Limits,
) -> Result<(PublicKey, TlsStream<Metered<S>>), HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    tls.get_mut().0.allow(limits.handshake_bytes);
    let peer = introduce(&mut tls, exporter, identity, side, limits).await?;
    Ok((peer, tls))
}

fn websocket() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MAX_WEBSOCKET_BYTES))
        .max_frame_size(Some(MAX_WEBSOCKET_BYTES))
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
}

async fn upgrade_as_client<S>(mut tls: TlsStream<Metered<S>>, limits: &Limits) -> Result<(Codec, Socket<S>), HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    tls.get_mut().0.allow(limits.handshake_bytes);
    let offer = Codec::offer(&limits.codecs);
    let refused = |theirs: &str| HandshakeError::NoCodec { ours: offer.clone(), theirs: theirs.to_owned() };
    let mut request = format!("wss://{ANY_NAME}/").into_client_request().map_err(upgrade)?;
    let header = HeaderValue::from_str(&offer).map_err(|error| HandshakeError::Upgrade(error.to_string()))?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, header);
    let (mut socket, response) = match client_async_with_config(request, tls, Some(websocket())).await {
        Ok(open) => open,
        Err(tungstenite::Error::Http(response)) if response.status() == StatusCode::NOT_ACCEPTABLE => {
            return Err(refused(subprotocols(response.headers())));
        }
        Err(error) => return Err(upgrade(error)),
    };
    let chosen = subprotocols(response.headers());
    let codec = Codec::choose(chosen, &limits.codecs).ok_or_else(|| refused(chosen))?;
    socket.get_mut().get_mut().0.set_free();
    Ok((codec, socket))
}

async fn upgrade_as_server<S>(mut tls: TlsStream<Metered<S>>, limits: &Limits) -> Result<(Codec, Socket<S>), HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    tls.get_mut().0.allow(limits.handshake_bytes);
    let (mut offered, mut chosen) = (String::new(), None);
    #[expect(clippy::result_large_err, reason = "tungstenite's callback has this type")]
    let choose = |request: &Request, response: Response| {
        offered = subprotocols(request.headers()).to_owned();
        chosen = Codec::choose(&offered, &limits.codecs);
        answer_upgrade(chosen, &limits.codecs, response)
    };
    let opened = accept_hdr_async_with_config(tls, choose, Some(websocket())).await;
    match (opened, chosen) {
        (Ok(mut socket), Some(codec)) => {
            socket.get_mut().get_mut().0.set_free();
            Ok((codec, socket))
        }
        (Err(error), Some(_)) => Err(upgrade(error)),
        (Err(error), None) if offered.is_empty() => Err(upgrade(error)),
        (_, None) => Err(HandshakeError::NoCodec { ours: Codec::offer(&limits.codecs), theirs: offered }),
    }
}

#[expect(clippy::result_large_err, reason = "tungstenite's callback has this type")]
fn answer_upgrade(chosen: Option<Codec>, ours: &[Codec], mut response: Response) -> Result<Response, ErrorResponse> {
    let Some(codec) = chosen else {
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = StatusCode::NOT_ACCEPTABLE;
        if let Ok(header) = HeaderValue::from_str(&Codec::offer(ours)) {
            refusal.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, header);
        }
        return Err(refusal);
    };
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(codec.subprotocol()));
    Ok(response)
}

fn subprotocols(headers: &HeaderMap) -> &str {
    headers.get(SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn upgrade(error: tungstenite::Error) -> HandshakeError {
    HandshakeError::Upgrade(error.to_string())
}

#[cfg(test)]
mod tests;
