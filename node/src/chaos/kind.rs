//! What goes wrong in an actor.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;
use supervision::{FaultInjection, FaultKind, Strike};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The handler panics
    Panic,
    /// The handler returns a fault
    Error,
    /// Its supervisor ends it without asking
    Kill,
    /// The handler never returns
    Hang,
    /// The handler blocks its thread
    Block,
    /// Its mailbox is full of messages that mean nothing, and full again as soon as there is room
    Flood,
    /// It panics, and its next three starts fail
    Start,
}

/// Starts that fail, one after the other.
const FAILED_STARTS: u32 = 3;
/// How long a blocked thread sleeps: beyond every hang limit, so that it is replaced while it still blocks.
const BLOCKED_MS: u64 = 8_000;

impl Kind {
    /// All of them, the quick ones first.
    pub const ALL: [Self; 7] = [Self::Panic, Self::Error, Self::Kill, Self::Flood, Self::Start, Self::Hang, Self::Block];

    /// What is armed for it, in order; a kill is ordered instead.
    pub fn injections(self, actor: &str) -> Vec<FaultInjection> {
        let fault = |kind, on| FaultInjection { child: actor.to_owned(), kind, on };
        let next = |kind| vec![fault(kind, Strike::NextMessage)];
        match self {
            Self::Panic => next(FaultKind::Panic),
            Self::Error => next(FaultKind::Error),
            Self::Kill => Vec::new(),
            Self::Hang => next(FaultKind::Hang { ms: None }),
            Self::Block => next(FaultKind::Block { ms: BLOCKED_MS }),
            // As many as there is room for.
            Self::Flood => next(FaultKind::Flood { messages: u32::MAX }),
            Self::Start => vec![fault(FaultKind::Panic, Strike::Start { times: FAILED_STARTS }), fault(FaultKind::Panic, Strike::NextMessage)],
        }
    }

    /// How often the actor ends because of it.
    pub fn exits(self) -> u32 {
        match self {
            Self::Flood => 0,
            Self::Start => 1 + FAILED_STARTS,
            Self::Panic | Self::Error | Self::Kill | Self::Hang | Self::Block => 1,
        }
    }

    /// Whether the actor is stuck until its limit ends. An exclusive one ends the process then, because nothing may stand in for it.
    pub fn is_stuck(self) -> bool {
        matches!(self, Self::Hang | Self::Block)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panic => "panic",
            Self::Error => "error",
            Self::Kill => "kill",
            Self::Hang => "hang",
            Self::Block => "block",
            Self::Flood => "flood",
            Self::Start => "start",
        })
    }
}
