//! Facts about whole blocks.
#![allow(clippy::unwrap_used)]

mod branches;
mod calls;
mod overrides;
mod proofs;
mod rules;
mod system;
mod traces;
mod transactions;
