//! JSON-RPC and pages over HTTP and WebSocket.

mod guard;
mod ids;
mod limited;
mod pages;
mod ready;
mod router;
mod rpc;
mod websocket;

pub(crate) use limited::CameFrom;
#[cfg(test)]
pub(crate) use router::ROUTES;
pub(crate) use router::{State, router};
pub(crate) use rpc::is_large;
pub(crate) use websocket::Upgraded;
