//! Somebody from outside who speaks the protocol, as far as it suits them.
//!
//! ```text
//!   Raw      bytes inside TLS: hello, proof, upgrade and WebSocket frames made by hand, each of them as wrong as wanted
//!   Polite   a peer with an identity that answers pings, so that nothing but what it says makes it unwelcome
//! ```
//!
//! `Raw` shares no code with the node's own handshake: `docs/wire.md` is what it is made from.

mod hello;
mod liar;
mod polite;
mod raw;

use std::{io, net::Ipv4Addr, time::Duration};

use primitives::{Domain, PublicKey, SecretKey, ValidatorSet};
use tokio::net::{TcpSocket, TcpStream};

pub use hello::Hello;
pub use liar::{Liar, Lie};
pub use polite::{Ear, Polite};
pub use raw::{Raw, frame};

/// How long a step that an attack needs from the victim may take.
pub const STEP_LIMIT: Duration = Duration::from_secs(30);

/// Whom to turn against.
#[derive(Clone, Debug)]
pub struct Target {
    pub port: u16,
    pub domain: Domain,
    pub validators: ValidatorSet,
    /// The victim's node key.
    pub node: PublicKey,
    /// Where the attacker comes from, so that no IP address but its own is in disrepute.
    pub from: Ipv4Addr,
}

impl Target {
    pub async fn connect(&self) -> io::Result<TcpStream> {
        self.connect_from(self.from).await
    }

    pub async fn connect_from(&self, from: Ipv4Addr) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let stream = socket.connect((Ipv4Addr::LOCALHOST, self.port).into()).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// A key that nobody knows.
pub fn fresh_key() -> SecretKey {
    SecretKey::random(&mut rand::rng())
}
