//! The rules around the core, as one plain value: events in, actions out, no clock and no I/O of its own.
//!
//! ```text
//!   Gate ──▶ Judging ──▶ Paced ──▶ Opening ──▶ Running ──▶ decided ──▶ committed ──▶ Paced at the next height
//!  who holds  may our    is it     journal     the core    our last     storage
//!  what?      key sign?  time?     replayed    at work     word first   says so
//! ```
//!
//! The actor and the simulator carry out the [`Action`]s of each [`Host::handle`], in order, and report back as [`Event`]s.
//!
//! | subject                                        | file            |
//! |------------------------------------------------|-----------------|
//! | which height begins when, and how it ends      | `heights`       |
//! | what the core says, and what follows           | `effects`       |
//! | blocks that arrive, on their way to the core   | `bodies`, `blocks` |
//! | what a restarted core says again               | `recovery`      |
//! | messages of peers; our key in others' hands    | `hearing`       |
//! | the gate and its questions, both sides         | `gate`, `standing` |
//! | helping a peer that missed something           | `resend`        |
//! | certified blocks from peers                    | `sync`          |
//! | whether our key signs, and why not             | `signing_state` |
//!
//! Lost when it is dropped: everything but [`Remembered`] and what the signer and storage hold; the rest is asked for again.

mod action;
mod blocks;
mod bodies;
mod breaker;
mod effects;
mod event;
mod evidence;
mod future;
mod gate;
mod hearing;
mod heights;
mod log;
mod outbox;
mod pace;
mod proposers;
mod recovery;
mod resend;
mod signing_state;
mod standing;
mod status;
mod sync;
mod timeouts;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use primitives::{Address, Certificate, Height, NodeId, ValidatorSet, genesis::ConsensusParameters};

pub use action::{Action, Batch, CommitOrigin, Recipient, TimerId};
pub use event::{Event, NotReleased, Now, ProposedBlock, Uncommitted, Verdict};
pub use signing_state::{Remembered, Signing, SigningState};
pub use standing::judge_signing;
pub use status::{LastSigned, Status};

use crate::core::{Core, Crypto, Evidence, Input, Timer};
use blocks::Blocks;
use evidence::EvidenceBook;
use future::Future;
use gate::Gate;
use log::HeightLog;
use outbox::Outbox;
use pace::Pace;
use proposers::Proposers;

/// What a host needs to know of its network and its operator.
#[derive(Clone, Debug)]
pub struct Config {
    pub parameters: ConsensusParameters,
    /// The shortest wait for a proposer that is likely to be away.
    pub propose_floor: Duration,
}

/// Where a host begins.
#[derive(Debug)]
pub struct Start {
    /// Certificate of the highest committed height; none at genesis.
    pub tip: Option<Certificate>,
    /// Timestamp of that block, in milliseconds since the Unix epoch.
    pub tip_time_ms: u64,
    /// The set of the height after it.
    pub validators: ValidatorSet,
    pub crypto: Crypto,
    /// Number of the first batch. What is answered to another life must be told from what is answered to this one, so no two
    /// lives in one process share numbers.
    pub first_ticket: u64,
    /// From the previous incarnation in this process; empty at a process start.
    pub remembered: Remembered,
}

/// Consensus of one node.
pub struct Host {
    config: Config,
    crypto: Crypto,
    /// The set of `height`.
    set: ValidatorSet,
    tip: Option<Certificate>,
    /// The height after the tip.
    height: Height,
    phase: Phase,
    core: Option<Core>,
    committing: Option<Committing>,
    /// Whether messages of ours may leave at this height, once the signer was asked.
    speaks: Option<bool>,
    gate: Gate,
    log: HeightLog,
    blocks: Blocks,
    future: Future,
    outbox: Outbox,
    pace: Pace,
    proposers: Proposers,
    evidence: EvidenceBook,
    remembered: Remembered,
    /// Waits of the core that are running.
    timers: BTreeSet<Timer>,
    /// The wait that was cut short because its round was lost.
    left: Option<Timer>,
    /// The last wait for a proposal.
    proposing: Option<ProposeWait>,
    /// What the core is fed next.
    inputs: VecDeque<Input>,
    /// Questions that wait until the journal has been read, by who asks.
    questions: BTreeMap<Address, u64>,
    has_read_journal: bool,
    has_asked_round: bool,
    /// When each peer was last helped, and last told our tip.
    helped: HashMap<(NodeId, Help), Duration>,
    last_sync_hint: Option<Duration>,
    last_signed: Option<LastSigned>,
    signing: Signing,
    actions: Vec<Action>,
    now: Now,
}

/// Where a host is between two commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Asks validators what they hold of us.
    Gate,
    /// The signer is asked what our key may do.
    Judging,
    /// The height is withheld.
    Paced,
    /// The journal is read.
    Opening,
    /// The core is at work.
    Running,
    /// Decided here, or left to others: the height ends with a commit.
    Following,
    /// The core failed; this host is of no more use.
    Ended,
}

/// How long a proposal is waited for. It can be cut short and given back, and never grows beyond what was granted at first.
#[derive(Clone, Copy, Debug)]
struct ProposeWait {
    timer: Timer,
    /// On the monotonic clock, as the other.
    until: Duration,
    granted_until: Duration,
}

/// A block on its way into storage.
#[derive(Clone, Debug)]
struct Committing {
    certificate: Certificate,
    origin: CommitOrigin,
    /// It was handed over, and storage had no room or was away.
    is_parked: bool,
    /// An earlier incarnation handed it over.
    is_again: bool,
}

/// Kinds of help whose rate is limited for each peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Help {
    Resend,
    Tip,
}

impl Host {
    /// A host that has done nothing yet; [`Host::begin`] comes first.
    pub fn new(config: Config, start: Start) -> Self {
        let Start { tip, tip_time_ms, validators, mut crypto, first_ticket, remembered } = start;
        let height = tip.as_ref().map(|tip| tip.height).unwrap_or_default().next();
        crypto.advance(height);
        Self {
            pace: Pace::new(&config.parameters, tip.as_ref().map(|_| tip_time_ms)),
            config,
            crypto,
            set: validators,
            tip,
            height,
            phase: Phase::Paced,
            core: None,
            committing: None,
            speaks: None,
            gate: Gate::default(),
            log: HeightLog::new(height),
            blocks: Blocks::default(),
            future: Future::default(),
            outbox: Outbox::starting_at(first_ticket),
            proposers: Proposers::default(),
            evidence: EvidenceBook::default(),
            remembered,
            timers: BTreeSet::new(),
            left: None,
            proposing: None,
            inputs: VecDeque::new(),
            questions: BTreeMap::new(),
            has_read_journal: false,
            has_asked_round: false,
            helped: HashMap::new(),
            last_sync_hint: None,
            last_signed: None,
            signing: Signing::default(),
            actions: Vec::new(),
            now: Now::default(),
        }
    }

    /// Begins: a validator asks the others first, unless an earlier incarnation in this process did.
    pub fn begin(&mut self, now: Now) -> Vec<Action> {
        self.now = now;
        let is_committing = self.commit_again();
        match () {
            () if self.is_validator() && !self.remembered.is_judged() => self.enter_gate(),
            () if is_committing => self.phase = Phase::Following,
            () => self.open(),
        }
        self.finish()
    }

    /// What follows from `event`. Events that are out of date have no effect.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Action> {
        self.now = now;
        if self.phase == Phase::Ended {
            return Vec::new();
        }
        match event {
            Event::Message { from, message } => self.on_message(from, message),
            Event::Elapsed(timer) => self.on_elapsed(timer),
            Event::Released { ticket } => self.on_released(ticket),
            Event::NotReleased { ticket, why } => self.on_not_released(ticket, why),
            Event::SigningVerdict(verdict) => self.on_signing_verdict(verdict),
            Event::JournalOpened { height, entries, speaks } => self.on_journal_opened(height, entries, speaks),
            Event::Committed { height, validators, block_time_ms } => self.on_committed(height, validators, block_time_ms),
            Event::Uncommitted { height, why } => self.on_uncommitted(height, why),
            Event::BodyMissing { height, value } => self.on_body_missing(height, value),
            Event::Retry => self.on_retry(),
            Event::Built { height, round, value } => self.on_built(height, round, value),
            Event::Judged { block, verdict } => self.on_judged(block, verdict),
            Event::BodyDurable { height, round, value, body } => self.on_body_durable(height, round, value, body),
            Event::PeerUp { node, validator } => self.on_peer_up(node, validator),
            Event::PeerDown { node } => self.on_peer_down(node),
            Event::RoundTrip(round_trip) => self.proposers.set_round_trip(round_trip),
            Event::RoundAsked { by } => self.resend(by),
            Event::StandingAsked { question, by } => self.on_standing_asked(question, by),
            Event::StandingAnswered { by, standing } => self.on_standing_answered(by, standing),
            Event::Synced(certificate) => self.on_synced(certificate),
            Event::TransactionsWaiting(waiting) => self.on_transactions_waiting(waiting),
        }
        self.finish()
    }

    /// What the next incarnation in this process must know.
    pub fn remembered(&self) -> Remembered {
        self.remembered.clone()
    }

    /// Validators who contradicted themselves, as far as this host saw it.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.evidence.iter()
    }

    fn is_validator(&self) -> bool {
        self.crypto.address().is_some_and(|us| self.set.get(&us).is_some())
    }

    fn finish(&mut self) -> Vec<Action> {
        self.pump();
        self.answer_waiting();
        let released = self.outbox.next();
        self.actions.extend(released);
        let signing = self.remembered.signing(self.is_validator(), self.height, self.speaks);
        if signing != self.signing {
            self.signing = signing.clone();
            self.actions.push(Action::SigningChanged(signing));
        }
        std::mem::take(&mut self.actions)
    }
}
