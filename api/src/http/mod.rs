//! JSON-RPC and pages over HTTP and WebSocket.

mod guard;
mod pages;
mod ready;
mod router;
mod rpc;
mod websocket;

pub(crate) use router::{State, router};
pub(crate) use websocket::Upgraded;
