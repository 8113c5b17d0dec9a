//! The API from outside: a real server on loopback, a node in memory behind it.
#![allow(clippy::unwrap_used)]

mod client;
mod counted;
mod filters;
mod guard;
mod light;
mod limits;
mod methods;
mod node;
mod pages;
mod rubbish;
mod server;
mod shapes;
mod stopping;
mod subscriptions;
mod websocket;
