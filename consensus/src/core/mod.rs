//! Tendermint for one height, hosted: Malachite's sans-I/O core behind our own vocabulary.
//!
//! A [`Core`] lives for one height. It is always made the same way, with the journal of that height: an empty one starts the
//! height, any other brings the core back to where it was. Signing and verifying are answered inside of a step from
//! [`Crypto`]; all else comes out as [`Effect`]s in order. Any error is fatal for the instance: it is dropped, rebuilt and
//! replayed. No type of the hosted crates leaves this module.

mod context;
mod convert;
mod crypto;
mod effect;
mod effects;
mod input;
mod instance;
mod verified;

pub use crypto::Crypto;
pub use effect::Effect;
pub use input::{Input, Timer, Wait};
pub use instance::{Core, Fatal, Start, Unrecoverable};
pub use primitives::Evidence;

#[cfg(test)]
mod tests;
