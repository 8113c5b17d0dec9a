//! Two nodes and the sockets between them.

use std::{future::Future, time::Duration};

use primitives::{B256, Domain, Height, Round, SecretKey};
use tokio::net::{TcpListener, TcpStream};
use wire::{
    Codec, Connection, Encoded, HandshakeError, Identity, Limits, Message,
    message::{Part, Ping},
};

pub const DOMAIN: Domain = Domain { chain_id: 1337, genesis_hash: B256::repeat_byte(9) };

/// No step of a test takes longer unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub type Link = Connection<TcpStream>;

pub fn identity(byte: u8) -> Identity {
    identity_on(byte, DOMAIN)
}

pub fn identity_on(byte: u8, domain: Domain) -> Identity {
    Identity::new(SecretKey::from_bytes([byte; 32]).unwrap(), domain).unwrap()
}

pub fn limits() -> Limits {
    Limits::standard(vec![Codec::Msgpack])
}

/// Two ends of a loopback connection: the one that connected, and the one that accepted.
pub async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connecting = TcpStream::connect(listener.local_addr().unwrap());
    let (connected, accepted) = tokio::join!(connecting, listener.accept());
    prompt(connected.unwrap(), accepted.unwrap().0)
}

/// Both ends of a handshake.
pub async fn meet(
    dialler: &Identity,
    acceptor: &Identity,
    dialler_limits: &Limits,
    acceptor_limits: &Limits,
) -> (Result<Link, HandshakeError>, Result<Link, HandshakeError>) {
    let (near, far) = sockets().await;
    let both = async { tokio::join!(wire::dial(near, dialler, None, dialler_limits), wire::accept(far, acceptor, acceptor_limits)) };
    soon(both).await
}

/// An open link between nodes 1 and 2.
pub async fn link(limits: &Limits) -> (Link, Link) {
    let (near, far) = meet(&identity(1), &identity(2), limits, limits).await;
    (near.unwrap(), far.unwrap())
}

pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("this should have happened by now")
}

pub fn ping(nonce: u64) -> Encoded {
    encoded(Message::Ping(Ping { nonce, sent_ms: 0 }))
}

pub fn part(index: u32, length: usize) -> Encoded {
    let bytes = vec![b'\n'; length].into();
    encoded(Message::Part(Part { height: Height(1), round: Round(0), value: B256::ZERO, index, bytes }))
}

pub fn encoded(message: Message) -> Encoded {
    Encoded::new(DOMAIN.chain_id, message, None).unwrap()
}

/// Without this the kernel waits for more to send.
fn prompt(near: TcpStream, far: TcpStream) -> (TcpStream, TcpStream) {
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    (near, far)
}
