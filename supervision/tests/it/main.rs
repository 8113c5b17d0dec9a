//! What a tree does, from outside.
#![allow(clippy::unwrap_used)]

mod again;
mod births;
mod controls;
mod cycles;
mod dynamic;
mod edges;
mod floods;
mod groups;
mod hangs;
mod job;
mod letters;
mod mailboxes;
mod probe;
mod properties;
mod readiness;
mod recovery;
mod restarts;
mod rules;
mod stops;
mod troubles;
mod truth;
