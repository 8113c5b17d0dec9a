//! Actors that come back.
//!
//! A [`Tree`] owns a set of children. Each child is an [`Actor`]: a value with a life that handles one message
//! at a time. When it panics, gives up or hangs it is replaced by a fresh incarnation, while its [`Address`],
//! and all that waits in it, stays.
//!
//! ```text
//!   sender --try_send/ask--> Address = mailbox (bounded, three lanes)      survives every crash
//!                               |  doorbell
//!                               v
//!                            incarnation n  --panic, fault, hang-->  fenced, replaced by n + 1
//!                               ^
//!                               |  start, ping, kill
//!                            supervisor --> Snapshot, events, Escalation     one OS thread watches the runtime
//! ```
//!
//! This crate knows nothing of blockchains. Nothing in it is global to the process: two trees in one process
//! share no state. Time is tokio's, so tests may pause it; randomness is seeded by [`Config`].

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod actor;
mod address;
mod backoff;
mod backtrace;
mod budget;
mod chaos;
mod child;
mod children;
mod context;
mod controls;
mod cycles;
mod ending;
mod ends;
mod event;
mod events;
mod exit;
mod falls;
mod family;
mod faults;
mod fence;
mod group;
mod hang;
mod judging;
mod lane;
mod letters;
mod mailbox;
mod metrics;
mod nudge;
mod order;
mod panics;
mod policy;
mod probe;
mod pulse;
mod recovery;
mod registry;
mod reply;
mod report;
mod room;
mod runner;
mod shared;
mod snapshot;
mod spec;
mod stopping;
mod supervisor;
mod task;
mod timer;
mod trace;
mod tree;
mod turn;
mod vitals;
mod watchdog;

pub use actor::{Actor, Fault, Message, POISON_TIMES, WhenFull};
pub use address::{Address, AskError, SendError};
pub use backoff::Backoff;
pub use backtrace::Backtrace;
pub use budget::{Budget, GroupBudget};
pub use chaos::{FaultInjection, FaultKind, InjectError, Strike};
pub use children::{Children, SpawnError};
pub use context::{BlockingError, Context};
pub use controls::{ControlError, Controls};
pub use event::{Event, EventKind};
pub use events::{Events, Subscription};
pub use exit::{EXIT_ESCALATED, EXIT_RUNTIME_STUCK, Escalation, ExitReason};
pub use faults::Faults;
pub use fence::{Fence, Incarnation};
pub use group::{Group, Member, Strategy};
pub use lane::{Lane, MailboxLimits};
pub use letters::{DEAD_LETTERS, DeadLetter, DeadLetters, Unhandled};
pub use nudge::Nudge;
pub use order::TreeError;
pub use panics::note_panic;
pub use policy::Restart;
pub use probe::ProbeSnapshot;
pub use reply::{Reply, answer};
pub use report::{ShutdownReport, StopLine};
pub use snapshot::{ChildSnapshot, ChildState, Snapshot, Snapshots};
pub use spec::ChildSpec;
pub use task::TaskHandle;
pub use timer::Timer;
pub use tree::{Config, NotReady, Running, Tree};
pub use watchdog::{Stuck, Watchdog};
