//! The rules of a host: stories of a few nodes in a [`World`](super::testing::World), and rules of a single one.
#![allow(clippy::unwrap_used)]

mod bodies;
mod commits;
mod crashes;
mod incarnation;
mod messages;
mod network;
mod signing;
mod support;
mod verdicts;
