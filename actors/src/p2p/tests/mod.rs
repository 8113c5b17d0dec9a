#![allow(clippy::unwrap_used)]
//! Whole p2p subtrees in one process, over real loopback sockets.

mod addresses;
mod conduct;
mod links;
mod metrics;
mod recovery;
mod stamps;
mod strangers;
mod support;
