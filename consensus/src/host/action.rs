//! What the host wants done, in order.

use std::time::Duration;

use primitives::{Address, B256, Certificate, ConsensusMessage, Height, NodeId, Proposal, Round, Signed, Standing};

use super::signing_state::Signing;
use crate::{
    Entry, Unreleased,
    core::{Evidence, Fatal, Timer},
    entry::BodyEntry,
};

/// One thing to do. The actions of a list are carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Append the entries, sync, then let the messages leave; answered by `Released` or `NotReleased`. At most one batch is
    /// under way.
    Release(Batch),
    /// Start this timer, replacing one of the same name.
    Schedule {
        timer: TimerId,
        after: Duration,
    },
    Cancel(TimerId),
    /// A round began.
    RoundStarted {
        height: Height,
        round: Round,
        proposer: Address,
    },
    /// Build a block, or give the one that is already on disk for this round; answered by `Built` and `BodyDurable`.
    GetValue {
        height: Height,
        round: Round,
    },
    /// This proposal is verified: parts of its block may be accepted.
    Accept(Signed<Proposal>),
    /// The proposal has left: send the parts of its block.
    Stream {
        height: Height,
        round: Round,
        pol_round: Option<Round>,
        proposer: Address,
        value: B256,
    },
    /// The journal held this body: give it back to those who keep undecided blocks.
    Restore(BodyEntry),
    /// Commit this block; answered by `Committed` or `Uncommitted`. May come again after `Retry`.
    Commit {
        certificate: Certificate,
        origin: CommitOrigin,
    },
    /// Ask every validator where it is and what of us it holds.
    AskStandings,
    /// Enough validators have answered and we stand where they stood: ask the signer what our key may do; answered by
    /// `SigningVerdict`.
    JudgeSigning {
        tip: Height,
        /// The highest certified height among the answers.
        highest_tip: Height,
        /// Messages of ours above our tip that others hold, verified. One that the journal lacks is a regression.
        claims: Vec<ConsensusMessage>,
    },
    /// Bring the signer to this height, whose predecessor is committed; answered by `JournalOpened`.
    OpenJournal {
        height: Height,
    },
    /// Make journal and promise of this height while there is nothing to say yet.
    MakeJournal {
        height: Height,
    },
    /// Make the first promise of a key without a record: it signs above this height.
    InitialiseSigning {
        above: Height,
    },
    /// The answer to a question of another validator.
    Answer {
        question: u64,
        standing: Standing,
    },
    /// Ask every peer for the current round.
    AskRound,
    /// Tell this peer our tip: it speaks of a height that is over.
    AnnounceTip {
        to: NodeId,
    },
    /// Others are at this height: fetch the blocks below it.
    Sync {
        height: Height,
    },
    /// Newly seen contradictions, to be kept and gossiped.
    Evidence(Vec<Evidence>),
    /// This peer said something whose signature does not hold. Honest nodes pass on only what they have verified.
    Misconduct {
        by: NodeId,
    },
    /// What our key may do has changed.
    SigningChanged(Signing),
    /// This host is of no more use: drop it and start another.
    Fault {
        fatal: Fatal,
    },
}

/// Entries and the messages that follow from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub ticket: u64,
    pub height: Height,
    pub to: Recipient,
    pub entries: Vec<Entry>,
    pub messages: Vec<Unreleased<ConsensusMessage>>,
}

/// Who gets the messages of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    Everybody,
    Peer(NodeId),
}

/// How a block came to be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitOrigin {
    /// We saw the votes.
    Decided,
    /// A peer showed us the certificate.
    Synced,
}

/// The timers of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerId {
    /// Of the protocol.
    Core(Timer),
    /// The next height may begin.
    Pace,
    /// Ask again who has not answered.
    Gate,
    /// The chain has been standing for long.
    Stall,
}
