//! The life of the signer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use consensus::{
    host::{Batch, Event, NotReleased, Recipient, judge_signing},
    signer::{Identity, Incarnation as Life, JournalError, OnMissing, Signer, SignerError},
};
use primitives::{B256, ConsensusMessage, Disk, Height, Proposal, Signed};
use supervision::{ChildSpec, Context, Fault, Fence, Incarnation};
use tracing::{info, warn};
use wire::Message as Wire;

use super::{SignerMailbox, mailbox::Message};
use crate::{
    consensus::ConsensusMailbox,
    halt::{EXIT_DISK_FAILED, Halt, Halter},
    p2p::Peers,
    proposals::ProposalsMailbox,
    room::Room,
};

/// A journal sync may take this long before the disk counts as stuck.
const SYNC_LIMIT: Duration = Duration::from_secs(30);
/// How long something rests that found no room on the disk.
const NO_SPACE_PAUSE: Duration = Duration::from_secs(1);
/// What finds no room when the disk is full, as others know it.
const JOURNAL: &str = "the journal";
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long a start waits for room before it counts as failed. Longer than the window of the restart budget, so that a full disk spends none.
const ROOM_LIMIT: Duration = Duration::from_secs(90);
/// How far a promise may be above every peer's tip before the network counts as reset, in heights.
const MAX_AHEAD: u64 = 100;

/// Proposals of one height that the keeper of proposals is reminded of.
const MAX_PROPOSED: usize = 64;

/// What the signer is made of; handed to each incarnation.
#[derive(Clone)]
pub struct Parts {
    pub disk: Arc<dyn Disk>,
    pub identity: Identity,
    pub on_missing: OnMissing,
    pub consensus: ConsensusMailbox,
    pub proposals: ProposalsMailbox,
    pub peers: Peers,
    pub halter: Halter,
    pub room: Room,
    /// 32 fresh random bytes at each call.
    pub seed: Arc<dyn Fn() -> B256 + Send + Sync>,
}

struct Keeper {
    parts: Parts,
    signer: Signer,
    /// Tells which life of consensus lives.
    consensus: Fence,
    /// Proposals that have left, of the latest height.
    proposed: Vec<Signed<Proposal>>,
}

/// The child of the tree.
pub fn child(mailbox: &SignerMailbox, parts: Parts) -> ChildSpec {
    let make = move |_: Incarnation| {
        let parts = parts.clone();
        async move {
            let signer = opened(&parts).await?;
            let consensus = parts.consensus.fence();
            Ok(Keeper { parts, signer, consensus, proposed: Vec::new() })
        }
    };
    ChildSpec::new("signer", mailbox.address.clone(), make).start_limit(START_LIMIT).exclusive()
}

/// What is on the disk, when there is room for what opening mends.
async fn opened(parts: &Parts) -> Result<Signer, Fault> {
    let began = Instant::now();
    loop {
        match tokio::task::block_in_place(|| Signer::open(parts.disk.clone(), parts.identity, (parts.seed)())) {
            Err(full) if full.is_retryable() && began.elapsed() < ROOM_LIMIT => {
                if parts.room.lacks(JOURNAL) {
                    warn!(error = %full, "the disk is full: the journal opens when there is room");
                }
            }
            opened => return Ok(opened?),
        }
        tokio::time::sleep(NO_SPACE_PAUSE).await;
    }
}

impl supervision::Actor for Keeper {
    type Message = Message;

    async fn handle(&mut self, message: Message, context: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::TakeOver(incarnation) => self.signer.take_over(Life(incarnation.0)).or_else(ignore_stale)?,
            Message::Open(incarnation, height) => self.open(incarnation, height).await?,
            Message::MakeJournal(incarnation, height) => self.make_journal(incarnation, height, context).await?,
            Message::Release(incarnation, batch) => self.release(incarnation, *batch, context).await?,
            // Asked by a life that has ended meanwhile; the next one asks for itself.
            Message::Judge { life, .. } | Message::Initialise(life, _) if self.is_stale(life) => {}
            Message::Judge { life, tip, highest_tip, claims } => self.judge(life, tip, highest_tip, claims, context).await?,
            Message::Initialise(life, above) => self.initialise(life, above, context).await?,
            Message::Committed(height) => self.signer.committed(height),
            Message::Recall => self.proposed.iter().for_each(|proposal| _ = self.parts.proposals.note(proposal.clone())),
        }
        Ok(())
    }
}

impl Keeper {
    fn is_stale(&self, life: Incarnation) -> bool {
        !self.consensus.is_current(life)
    }

    async fn open(&mut self, incarnation: Incarnation, height: Height) -> Result<(), Fault> {
        self.signer.committed(height.previous().unwrap_or_default());
        match self.signer.start_height(Life(incarnation.0), height) {
            Ok(()) => {}
            Err(SignerError::Stale { .. }) => return Ok(()),
            Err(error) => return self.survive(Err(error)),
        }
        // What found no room belonged to a height that is over; this one tries for itself.
        self.wrote();
        let (entries, speaks) = (self.signer.entries()?, self.signer.may_speak(height));
        self.parts.consensus.signed(incarnation, Event::JournalOpened { height, entries, speaks }).await?;
        Ok(())
    }

    async fn make_journal(&mut self, incarnation: Incarnation, height: Height, context: &Context<Message>) -> Result<(), Fault> {
        if self.signer.height() != Some(height) {
            return Ok(());
        }
        let signer = &mut self.signer;
        match context.blocking(SYNC_LIMIT, "journal and promise", move || signer.prepare(Life(incarnation.0))).await? {
            Err(SignerError::Stale { .. }) => Ok(()),
            // The first release tries again, and says so.
            Err(error) if error.is_retryable() => Ok(()),
            outcome => self.survive(outcome),
        }
    }

    async fn release(&mut self, incarnation: Incarnation, batch: Batch, context: &Context<Message>) -> Result<(), Fault> {
        let (ticket, recipient) = (batch.ticket, batch.to);
        let signer = &mut self.signer;
        let outcome = match context.blocking(SYNC_LIMIT, "journal sync", move || make_durable(signer, incarnation, batch)).await? {
            Ok(messages) => {
                self.wrote();
                for message in messages {
                    self.publish(message, recipient);
                }
                Event::Released { ticket }
            }
            // Somebody who has been replaced; nobody waits for an answer.
            Err(SignerError::Stale { .. }) => return Ok(()),
            Err(SignerError::Journal(error @ JournalError::Full { .. })) => {
                warn!(%error, "nothing more is signed at this height");
                Event::NotReleased { ticket, why: NotReleased::JournalFull }
            }
            Err(error) if error.is_retryable() => {
                if self.parts.room.lacks(JOURNAL) {
                    warn!(%error, "the disk is full: nothing is signed until there is room");
                }
                Event::NotReleased { ticket, why: NotReleased::NoSpace }
            }
            Err(error) => return self.survive(Err(error)),
        };
        self.parts.consensus.signed(incarnation, outcome).await?;
        Ok(())
    }

    /// What was released leaves. A proposal is also what its parts will be streamed under.
    fn publish(&mut self, message: ConsensusMessage, recipient: Recipient) {
        if let ConsensusMessage::Proposal(proposal) = &message {
            self.proposed.retain(|earlier| earlier.message.height == proposal.message.height);
            self.proposed.drain(..(self.proposed.len() + 1).saturating_sub(MAX_PROPOSED));
            self.proposed.push(proposal.clone());
            self.parts.proposals.note(proposal.clone());
        }
        let peer = match recipient {
            Recipient::Everybody => None,
            Recipient::Peer(peer) => Some(peer),
        };
        self.parts.peers.say_to_listeners(peer, Wire::Consensus(message));
    }

    /// Our own certified tip counts among those of the network: who is ahead of all who answered is not ahead of what was decided.
    async fn judge(
        &mut self,
        life: Incarnation,
        tip: Height,
        highest_tip: Height,
        claims: Vec<ConsensusMessage>,
        context: &Context<Message>,
    ) -> Result<(), Fault> {
        let highest_tip = highest_tip.max(tip);
        let (signer, policy, shown) = (&mut self.signer, (self.parts.on_missing, MAX_AHEAD), &claims);
        match context.blocking(SYNC_LIMIT, "promise sync", move || judge_signing(signer, policy, tip, highest_tip, shown)).await? {
            Ok(verdict) => {
                self.wrote();
                Ok(self.parts.consensus.signed(life, Event::SigningVerdict(verdict)).await?)
            }
            Err(error) if error.is_retryable() => {
                self.retry(&error, Message::Judge { life, tip, highest_tip, claims }, context);
                Ok(())
            }
            Err(error) => self.survive(Err(error)),
        }
    }

    async fn initialise(&mut self, life: Incarnation, above: Height, context: &Context<Message>) -> Result<(), Fault> {
        let signer = &mut self.signer;
        match context.blocking(SYNC_LIMIT, "promise sync", move || signer.initialise(above)).await? {
            Err(error) if error.is_retryable() => {
                self.retry(&error, Message::Initialise(life, above), context);
                Ok(())
            }
            outcome => {
                if outcome.is_ok() {
                    self.wrote();
                }
                self.survive(outcome)
            }
        }
    }

    fn wrote(&self) {
        if self.parts.room.found(JOURNAL) {
            info!("there is room on the disk again; signing resumes");
        }
    }

    fn retry(&self, error: &SignerError, message: Message, context: &Context<Message>) {
        if self.parts.room.lacks(JOURNAL) {
            warn!(%error, "the disk is full: nothing is promised until there is room");
        }
        context.after(NO_SPACE_PAUSE, message).detach();
    }

    /// A failed disk ends the process; what is broken otherwise starts fresh.
    fn survive(&self, outcome: Result<(), SignerError>) -> Result<(), Fault> {
        match outcome {
            Err(error) if error.is_terminal() => {
                (self.parts.halter)(Halt { exit_code: EXIT_DISK_FAILED, reason: error.to_string() });
                Ok(())
            }
            outcome => Ok(outcome?),
        }
    }
}

fn ignore_stale(error: SignerError) -> Result<(), SignerError> {
    if matches!(error, SignerError::Stale { .. }) { Ok(()) } else { Err(error) }
}

fn make_durable(signer: &mut Signer, incarnation: Incarnation, batch: Batch) -> Result<Vec<ConsensusMessage>, SignerError> {
    let life = Life(incarnation.0);
    signer.start_height(life, batch.height)?;
    for entry in &batch.entries {
        signer.append(life, entry)?;
    }
    signer.release(life, batch.messages)
}
