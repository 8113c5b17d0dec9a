//! What nodes say to each other, and how it travels.
//!
//! ```text
//!   Message -> Envelope -> frame ending in \n -> lane -> WebSocket -> TLS 1.3 -> Net
//! ```
//!
//! Nothing here decides anything about the chain and nothing runs by itself: [`dial`] and [`accept`] give a
//! [`Connection`] whose halves its owner drives. Bytes from outside become a [`Message`] or a typed error.
//! `docs/wire.md` specifies every byte.

mod ascii;
pub mod chunks;
pub mod cobs;
mod codec;
mod decided;
mod encoded;
mod envelope;
mod frames;
mod lane;
pub mod message;
mod octets;
mod proof;
mod trace;

pub use chunks::{Assembly, ChunkError, Outline};
pub use codec::Codec;
pub use decided::{DecidedBlock, MalformedDecidedBlock};
pub use encoded::Encoded;
pub use envelope::{DecodeError, Decoded, Envelope, TooLarge, VERSION};
pub use frames::{FrameTooLong, Frames};
pub use lane::Lane;
pub use message::Message;
pub use proof::ValidatorProof;
pub use trace::{MalformedTraceParent, TraceParent};
