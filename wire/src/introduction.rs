//! Two strangers prove to each other who they are, over a stream that is secret already. Reads not one byte beyond that.

use std::{fmt, io};

use primitives::{NodeId, PublicKey};
use rand::TryRngCore;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    HandshakeError, Identity, Limits, Role, Stage,
    hello::{HELLO_BYTES, Hello, PROOF_BYTES},
    stamp::{Challenge, MAX_STAMP_BITS},
};

/// How many bits of work a node must do to come in; 0 is none. It is asked before the node has proved that it is this one.
pub type Demand<'a> = &'a (dyn Fn(NodeId) -> u8 + Sync);

/// Which side we are, and what only this side decides.
#[derive(Clone, Copy)]
pub enum Side<'a> {
    /// With a node, only that one will do.
    Dialler(Option<NodeId>),
    Acceptor(Demand<'a>),
}

impl Side<'_> {
    fn role(&self) -> Role {
        match self {
            Self::Dialler(_) => Role::Dialler,
            Self::Acceptor(_) => Role::Acceptor,
        }
    }
}

impl fmt::Debug for Side<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.role())
    }
}

/// Exchanges hellos, then proofs; returns the peer's key. `exporter` is what only the two ends of `stream` know.
pub async fn introduce<S>(
    stream: &mut S,
    exporter: &[u8; 32],
    identity: &Identity,
    side: Side<'_>,
    limits: &Limits,
) -> Result<PublicKey, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let failed = |error| HandshakeError::at(Stage::Hello, limits, error);
    let ours = Hello::of(identity, side.role(), nonce().map_err(failed)?);
    match side {
        Side::Dialler(expected) => as_dialler(stream, exporter, identity, ours, expected, limits).await,
        Side::Acceptor(demand) => as_acceptor(stream, exporter, identity, ours, demand, limits).await,
    }
}

async fn as_dialler<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    exporter: &[u8; 32],
    identity: &Identity,
    ours: Hello,
    expected: Option<NodeId>,
    limits: &Limits,
) -> Result<PublicKey, HandshakeError> {
    let failed = |error| HandshakeError::at(Stage::Hello, limits, error);
    write(stream, &ours.encode()).await.map_err(failed)?;
    let theirs = Hello::decode(&read::<HELLO_BYTES, _>(stream).await.map_err(failed)?)?;
    ours.check(&theirs, expected)?;
    if MAX_STAMP_BITS < theirs.bits {
        return Err(HandshakeError::TooMuchWork { bits: theirs.bits, max: MAX_STAMP_BITS });
    }
    let stamp = challenge(&ours, &theirs).work().await;
    write(stream, &ours.prove(&theirs, exporter, identity, stamp)).await.map_err(failed)?;
    let proof = read::<PROOF_BYTES, _>(stream).await.map_err(failed)?;
    theirs.check_proof(&ours, exporter, &proof)?;
    Ok(theirs.key)
}

/// Hears who comes before it says what it demands. Whoever must pay gets no signature, and is checked for none, before it has.
async fn as_acceptor<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    exporter: &[u8; 32],
    identity: &Identity,
    ours: Hello,
    demand: Demand<'_>,
    limits: &Limits,
) -> Result<PublicKey, HandshakeError> {
    let failed = |error| HandshakeError::at(Stage::Hello, limits, error);
    let theirs = Hello::decode(&read::<HELLO_BYTES, _>(stream).await.map_err(failed)?)?;
    let ours = Hello { bits: demand(theirs.key.into()), ..ours };
    write(stream, &ours.encode()).await.map_err(failed)?;
    ours.check(&theirs, None)?;
    let proof_of_ours = || ours.prove(&theirs, exporter, identity, 0);
    if ours.bits == 0 {
        write(stream, &proof_of_ours()).await.map_err(failed)?;
    }
    let proof = read::<PROOF_BYTES, _>(stream).await.map_err(failed)?;
    let stamp = theirs.check_stamp(&challenge(&theirs, &ours), &proof);
    stamp.and_then(|()| theirs.check_proof(&ours, exporter, &proof))?;
    if ours.bits != 0 {
        write(stream, &proof_of_ours()).await.map_err(failed)?;
    }
    Ok(theirs.key)
}

fn challenge(dialler: &Hello, acceptor: &Hello) -> Challenge {
    Challenge::new(acceptor.domain.chain_id, dialler.key.into(), &acceptor.nonce, acceptor.bits)
}

/// From the operating system, like the randomness of TLS itself: it decides nothing that a simulation would compare.
fn nonce() -> io::Result<[u8; 32]> {
    let mut nonce = [0; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut nonce).map_err(io::Error::other)?;
    Ok(nonce)
}

pub(crate) async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

pub(crate) async fn read<const N: usize, S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
