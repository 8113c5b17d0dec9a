//! Builds blocks, judges blocks, commits what was decided.
//!
//! | message  | sender    | answer                                                             |
//! |----------|-----------|--------------------------------------------------------------------|
//! | `Build`  | consensus | a block on the head with the best transactions                     |
//! | `Judge`  | consensus | valid, invalid by which rule, or no verdict                        |
//! | `Commit` | consensus | done and durable, or why not; the one entry for live, sync, replay |
//!
//! Building and judging run beside the messages, each in a task of its own that can be cancelled: a panic there leaves that
//! question without an answer, and nothing else. Commits come one after the other.
//!
//! | lost on a crash                 | comes back from                                                                |
//! |---------------------------------|--------------------------------------------------------------------------------|
//! | a block in the making           | consensus, which asks again after 100 ms, five times                           |
//! | a verdict under way             | nobody: that vote is nil, and the height goes on without it                    |
//! | a commit in hand                | consensus, which asks again after 200 ms; what was written already is found so |
//! | undecided overlays              | the blocks, executed again when somebody asks                                  |
//! | word of a block that is written | word of the next one; the mempool finds out when a block is built              |

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
