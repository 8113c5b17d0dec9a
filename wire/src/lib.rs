//! What nodes say to each other, and how it travels.
//!
//! ```text
//!   Message -> Envelope -> frame ending in \n -> lane -> WebSocket -> TLS 1.3 -> Net
//! ```
//!
//! Nothing here decides anything about the chain and nothing runs by itself: [`dial`] and [`accept`] give a
//! [`Connection`] whose halves its owner drives. Bytes from outside become a [`Message`] or a typed error.
//! `docs/wire.md` specifies every byte.

mod allowance;
mod ascii;
mod bare;
mod certificate;
pub mod chunks;
pub mod cobs;
mod codec;
mod connection;
mod decided;
mod encoded;
mod envelope;
mod frames;
mod handshake;
mod hello;
mod identity;
mod inbound;
mod introduction;
mod lane;
mod limits;
pub mod message;
mod net;
mod octets;
mod outbound;
mod proof;
mod queues;
mod record;
#[cfg(test)]
mod samples;
mod stamp;
mod tls;
mod trace;

pub use bare::{Bare, bare};
pub use certificate::{Certificate, CertificateError, MAX_CERTIFICATE_BYTES};
pub use chunks::{Assembly, ChunkError, Outline};
pub use codec::Codec;
pub use connection::{Connection, accept, accept_for_work, dial};
pub use decided::{DecidedBlock, MalformedDecidedBlock};
pub use encoded::Encoded;
pub use envelope::{DecodeError, Decoded, Envelope, TooLarge, VERSION};
pub use frames::{FrameTooLong, Frames};
pub use handshake::{HandshakeError, Stage};
pub use hello::{HELLO_VERSION, Role};
pub use identity::Identity;
pub use inbound::{Inbound, InboundError, Received};
pub use introduction::{Demand, Side, introduce};
pub use lane::Lane;
pub use limits::{Limits, QueueLimits};
pub use message::{
    Addrs, BlockChunk, CurrentRequest, Farewell, GetAddrs, GetBlocks, GetParts, Goodbye, Message, Part, PartsStart, Ping, Pong, StandingAnswer,
    StandingRequest, Status, Transactions,
};
pub use net::{Listener, Net, Tcp, TcpDoor};
pub use outbound::{Outbound, SendError, WriteError, Writer};
pub use proof::ValidatorProof;
pub use queues::{Full, MAX_TURN_BYTES};
pub use record::{AddressRecord, BadRecord, MAX_RECORDS, Services, Whereabouts, is_dialable};
pub use stamp::{Challenge, MAX_STAMP_BITS};
pub use tls::TlsSetupError;
pub use trace::{MalformedTraceParent, TraceParent};
