//! Facts about whole blocks.
#![allow(clippy::unwrap_used)]

mod branches;
mod calls;
mod rules;
mod system;
mod transactions;
