//! Tendermint consensus without a runtime and without I/O: values in, values out.
//!
//! ```text
//!  Event ──▶ Host ──▶ Action          all rules on top of the protocol (module `host`)
//!             │ ▲
//!       Input ▼ │ Effect
//!            Core                     Tendermint itself, hosted (module `core`)
//!
//!  Action::Release ──▶ Signer ──▶ messages that may leave (module `signer`)
//! ```
//!
//! Whatever is signed here is [`Unreleased`] and can be read by the signer's release alone, after the journal is on disk and
//! the guard has agreed. The consensus actor and the simulator drive exactly the same values.

pub mod core;
pub mod entry;
pub mod host;
pub mod signer;
mod unreleased;

pub use entry::Entry;
pub use unreleased::{Origin, Unreleased};
