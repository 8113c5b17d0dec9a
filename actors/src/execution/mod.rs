//! Builds blocks, judges blocks, commits what was decided.
//!
//! | message  | sender    | answer                                                             |
//! |----------|-----------|--------------------------------------------------------------------|
//! | `Build`  | consensus | a block on the head with the best transactions                     |
//! | `Judge`  | consensus | valid, invalid by which rule, or no verdict                        |
//! | `Commit` | consensus | done and durable, or why not; the one entry for live, sync, replay |
//!
//! Building and judging run beside the messages, each in a task of its own that can be cancelled: a panic there leaves that
//! question without an answer, and nothing else. Commits come one after the other. Lost on a crash: undecided overlays, which
//! are executed again when somebody asks.

mod actor;
mod mailbox;
mod metrics;
mod rows;
#[cfg(test)]
mod tests;

pub use actor::{Parts, child};
pub(crate) use mailbox::COMMIT_LIMIT;
pub use mailbox::{BuiltBlock, CommitFailure, Decided, ExecutionMailbox};
pub use metrics::ExecutionMetrics;
