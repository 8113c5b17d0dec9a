//! What a tree does, from outside.
#![allow(clippy::unwrap_used)]

mod births;
mod dynamic;
mod edges;
mod hangs;
mod mailboxes;
mod probe;
mod restarts;
mod stops;
mod traces;
mod truth;
