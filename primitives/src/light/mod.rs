//! The light client: what a stranger's answers prove to somebody who trusts a genesis or a checkpoint, and nobody else.
//!
//! ```text
//!   trust: domain, height, block hash, set that decides the next height
//!     |
//!     |  set.hash  = metadata.validators_hash            who had to decide this block
//!     |  metadata  = header.parentBeaconBlockRoot        the header binds the metadata
//!     |  header    = certificate.value, at its height    the certificate binds the header
//!     |  signatures of more than 2/3 of the set          with the domain: no other chain's
//!     v
//!   trust in this block; metadata.next_validators_hash names the set that decides the next height
//!     |
//!     |  header.stateRoot -> account -> storage root -> slot      Merkle proofs (EIP-1186)
//!     v
//!   what the state holds
//! ```
//!
//! A block may be far above what is trusted as long as the set is still the same: only a height at which it changes has to be
//! shown. Going back is not possible: who had to decide an earlier block is not said by a later one.

mod account;
mod bundle;
mod follow;
mod forms;
mod refused;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod trust;

pub use account::{AccountProof, ProvedAccount, ProvedSlot, StateAccount};
pub use bundle::Bundle;
pub use follow::{Decided, SignedBy};
pub use forms::{Malformed, header};
pub use refused::{Refused, Step};
pub use trust::{MalformedCheckpoint, Trust};
