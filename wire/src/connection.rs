//! A link between two nodes that know each other.

use futures_util::StreamExt;
use primitives::{NodeId, PublicKey};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    Codec, HandshakeError, Identity, Limits, Role,
    handshake::{self, Proved},
    inbound::Inbound,
    introduction::Demand,
    outbound::{Outbound, Writer},
};

/// An open link. Its owner runs [`Writer::run`] beside [`Inbound::next`]; nothing else runs. When both halves are dropped the
/// socket is closed.
pub struct Connection<S> {
    /// Who the peer is, proved.
    pub peer: NodeId,
    /// The peer's node key.
    pub peer_key: PublicKey,
    /// Our side.
    pub role: Role,
    pub codec: Codec,
    pub inbound: Inbound<S>,
    pub outbound: Outbound,
    pub writer: Writer<S>,
}

/// Proves to each other who we are, over a stream that we opened. With `expected`, only that node will do.
pub async fn dial<S>(stream: S, identity: &Identity, expected: Option<NodeId>, limits: &Limits) -> Result<Connection<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let proved = handshake::dial(stream, identity, expected, limits).await?;
    Ok(open(proved, Role::Dialler, identity, limits))
}

/// The same over a stream that somebody opened to us.
pub async fn accept<S>(stream: S, identity: &Identity, limits: &Limits) -> Result<Connection<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    accept_for_work(stream, identity, limits, &|_| 0).await
}

/// The same, for those only who do the work that `demand` says; of more than [`MAX_STAMP_BITS`](crate::MAX_STAMP_BITS) bits nobody does.
pub async fn accept_for_work<S>(stream: S, identity: &Identity, limits: &Limits, demand: Demand<'_>) -> Result<Connection<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let proved = handshake::accept(stream, identity, limits, demand).await?;
    Ok(open(proved, Role::Acceptor, identity, limits))
}

fn open<S>(proved: Proved<S>, role: Role, identity: &Identity, limits: &Limits) -> Connection<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Proved { peer, codec, socket } = proved;
    let (sink, stream) = socket.split();
    let outbound = Outbound::new(codec, limits);
    let writer = Writer::new(sink, &outbound, limits);
    let inbound = Inbound::new(stream, codec, identity.domain().chain_id);
    Connection { peer: peer.into(), peer_key: peer, role, codec, inbound, outbound, writer }
}

impl<S> std::fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({} {} by {})", self.role.direction(), self.peer, self.codec)
    }
}
