//! The API from outside: a real server on loopback, a node in memory behind it.
#![allow(clippy::unwrap_used)]

mod client;
mod counted;
mod decided;
mod events;
mod filters;
mod guard;
mod light;
mod limits;
mod methods;
mod node;
mod offer;
mod pages;
mod rates;
mod rest;
mod rubbish;
mod schemas;
mod server;
mod shapes;
mod stopping;
mod subscriptions;
mod traces;
mod tree;
mod websocket;
