//! The product from outside, in one binary.
#![allow(clippy::unwrap_used)]

mod command_line;
mod layering;
