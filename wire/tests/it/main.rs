//! Links over real loopback sockets.

#![allow(clippy::unwrap_used)]

mod handshake;
mod link;
mod support;
