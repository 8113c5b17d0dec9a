//! What a tree does, from outside.
#![allow(clippy::unwrap_used)]

mod births;
mod controls;
mod dynamic;
mod edges;
mod groups;
mod hangs;
mod mailboxes;
mod probe;
mod properties;
mod readiness;
mod recovery;
mod restarts;
mod stops;
mod traces;
mod troubles;
mod truth;
