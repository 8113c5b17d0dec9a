//! What goes into the core.

use primitives::{B256, ConsensusMessage, Height, Round};

use crate::entry::{JudgedEntry, Step};

/// One thing that happened at the height of a core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// From a peer; the core verifies it.
    Message(ConsensusMessage),
    /// Our own block for a round in which we propose. Its body is durable.
    Propose { height: Height, round: Round, value: B256 },
    /// A block was judged. Its body is durable.
    Judged(JudgedEntry),
    /// A wait that the core asked for is over.
    Elapsed(Timer),
}

/// A wait that the core asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    pub height: Height,
    pub round: Round,
    pub wait: Wait,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wait {
    /// One of the protocol's three steps.
    Step(Step),
    /// Saying again what was said in this round.
    Rebroadcast,
}

impl Input {
    /// The height it is about.
    pub fn height(&self) -> Height {
        match self {
            Self::Message(message) => message.height(),
            Self::Propose { height, .. } => *height,
            Self::Judged(judged) => judged.height,
            Self::Elapsed(timer) => timer.height,
        }
    }
}
