//! What the host is told.

use std::time::Duration;

use primitives::{Address, B256, Bytes, Certificate, Clock, ConsensusMessage, Height, NodeId, Round, Standing, ValidatorSet};

use super::action::TimerId;
use crate::{Entry, signer::Verdict as SigningVerdict};

/// What time it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Since some fixed moment; never goes back.
    pub monotonic: Duration,
    /// Milliseconds since the Unix epoch.
    pub unix_ms: u64,
}

impl Now {
    pub fn of(clock: &(impl Clock + ?Sized)) -> Self {
        Self { monotonic: clock.monotonic(), unix_ms: clock.unix_ms() }
    }
}

/// One thing that happened outside.
#[derive(Clone, Debug)]
pub enum Event {
    /// A peer sent this; nothing about it is verified.
    Message {
        from: NodeId,
        message: ConsensusMessage,
    },
    /// A timer that was scheduled is over.
    Elapsed(TimerId),

    /// The signer made everything of this batch durable and let its messages leave.
    Released {
        ticket: u64,
    },
    /// The signer did not.
    NotReleased {
        ticket: u64,
        why: NotReleased,
    },
    /// What our key may do, now that enough validators have answered.
    SigningVerdict(SigningVerdict),
    /// The signer stands at `height`.
    JournalOpened {
        height: Height,
        /// Everything durable of this height, in order.
        entries: Vec<Entry>,
        /// Whether messages of ours may leave at this height.
        speaks: bool,
    },

    /// The batch of `height` is durable.
    Committed {
        height: Height,
        /// The set of the next height.
        validators: ValidatorSet,
        /// Timestamp of the block, in milliseconds since the Unix epoch.
        block_time_ms: u64,
    },
    /// It is not.
    Uncommitted {
        height: Height,
        why: Uncommitted,
    },
    /// A block that was to be committed is nowhere on this machine: it is fetched with its certificate like any that was missed.
    BodyMissing {
        height: Height,
        value: B256,
    },
    /// There is room again, or storage is back: what was parked is tried once more.
    Retry,

    /// Our own block for a round in which we propose.
    Built {
        height: Height,
        round: Round,
        value: B256,
    },
    /// A proposed block was judged.
    Judged {
        block: ProposedBlock,
        verdict: Verdict,
    },
    /// The body and blobs of a block are synced to disk; or the body is small and comes along, to ride in the journal.
    BodyDurable {
        height: Height,
        round: Round,
        value: B256,
        body: Option<Bytes>,
    },

    /// A session is up, with a node that proved to be this validator.
    PeerUp {
        node: NodeId,
        validator: Option<Address>,
    },
    PeerDown {
        node: NodeId,
    },
    /// The slowest round trip to a validator.
    RoundTrip(Duration),
    /// A peer asks for the current round.
    RoundAsked {
        by: NodeId,
    },
    /// A validator asks where we are and what of it we hold.
    StandingAsked {
        question: u64,
        by: Address,
    },
    /// A validator answered that question of ours.
    StandingAnswered {
        by: Address,
        standing: Standing,
    },

    /// A block above our tip is at hand, body and blobs included, with its certificate, which nobody has verified yet.
    Synced(Certificate),
    /// Whether an executable transaction waits.
    TransactionsWaiting(bool),
}

/// Why a batch was not released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReleased {
    /// The disk is full. The signer keeps the batch; it leaves with the next release that succeeds.
    NoSpace,
    /// The journal of this height is full: nothing of ours leaves at this height any more.
    JournalFull,
}

/// Why a decided block was not committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uncommitted {
    /// The disk is full.
    NoSpace,
    /// Storage or execution is away.
    Unavailable,
    /// Execution says that the block breaks a rule.
    Rejected { rule: String },
}

/// A block as it was proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProposedBlock {
    pub height: Height,
    pub round: Round,
    pub pol_round: Option<Round>,
    pub proposer: Address,
    pub value: B256,
}

/// What execution says about a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Valid,
    /// It breaks this rule, whoever looks at it and whenever.
    Invalid {
        rule: String,
    },
    /// No verdict for now; it may become valid later.
    None,
}
