//! JSON-RPC and pages over HTTP and WebSocket.

mod actors;
mod events;
mod guard;
mod health;
mod ids;
mod limited;
mod pages;
mod ready;
mod router;
mod rpc;
mod tree;
mod websocket;

pub(crate) use limited::CameFrom;
#[cfg(test)]
pub(crate) use router::ROUTES;
pub(crate) use router::{State, router};
pub(crate) use rpc::is_large;
pub(crate) use websocket::Upgraded;
