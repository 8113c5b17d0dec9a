//! The storage from outside, on real files.
#![allow(clippy::unwrap_used)]

mod chain;
mod commit;
mod crash;
mod damage;
mod full;
mod lease;
mod lock;
mod open;
