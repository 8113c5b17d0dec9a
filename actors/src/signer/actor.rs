//! The life of the signer.

use std::{sync::Arc, time::Duration};

use consensus::{
    host::{Batch, Event, NotReleased, Recipient, judge_signing},
    signer::{Identity, Incarnation as Life, JournalError, OnMissing, Signer, SignerError},
};
use primitives::{B256, ConsensusMessage, Disk, Height};
use supervision::{ChildSpec, Context, Fault, Incarnation};
use tracing::warn;
use wire::Message as Wire;

use super::{SignerMailbox, mailbox::Message};
use crate::{
    consensus::ConsensusMailbox,
    halt::{EXIT_DISK_FAILED, Halt, Halter},
    p2p::Peers,
    proposals::ProposalsMailbox,
};

/// A journal sync may take this long before the disk counts as stuck.
const SYNC_LIMIT: Duration = Duration::from_secs(30);
/// How far a promise may be above every peer's tip before the network counts as reset, in heights.
const MAX_AHEAD: u64 = 100;

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
    /// 32 fresh random bytes at each call.
    pub seed: Arc<dyn Fn() -> B256 + Send + Sync>,
}

struct Keeper {
    parts: Parts,
    signer: Signer,
}

/// The child of the tree.
pub fn child(mailbox: &SignerMailbox, parts: Parts) -> ChildSpec {
    let make = move |_: Incarnation| {
        let parts = parts.clone();
        async move {
            let open = || Signer::open(parts.disk.clone(), parts.identity, (parts.seed)());
            let signer = tokio::task::block_in_place(open)?;
            Ok(Keeper { parts, signer })
        }
    };
    ChildSpec::new("signer", mailbox.address.clone(), make).exclusive()
}

impl supervision::Actor for Keeper {
    type Message = Message;

    async fn handle(&mut self, message: Message, context: &mut Context<Message>) -> Result<(), Fault> {
        match message {
            Message::TakeOver(incarnation) => self.signer.take_over(Life(incarnation.0)).or_else(ignore_stale)?,
            Message::Open(incarnation, height) => self.open(incarnation, height).await?,
            Message::Release(incarnation, batch) => self.release(incarnation, *batch, context).await?,
            Message::Judge { tip, highest_tip, claims } => self.judge(tip, highest_tip, &claims, context).await?,
            Message::Initialise(above) => {
                let signer = &mut self.signer;
                let initialised = context.blocking(SYNC_LIMIT, "promise sync", move || signer.initialise(above)).await?;
                self.survive(initialised)?;
            }
            Message::Committed(height) => self.signer.committed(height),
        }
        Ok(())
    }
}

impl Keeper {
    async fn open(&mut self, incarnation: Incarnation, height: Height) -> Result<(), Fault> {
        self.signer.committed(height.previous().unwrap_or_default());
        match self.signer.start_height(Life(incarnation.0), height) {
            Ok(()) => {}
            Err(SignerError::Stale { .. }) => return Ok(()),
            Err(error) => return self.survive(Err(error)),
        }
        let (entries, speaks) = (self.signer.entries()?, self.signer.may_speak(height));
        self.parts.consensus.tell(Event::JournalOpened { height, entries, speaks }).await?;
        Ok(())
    }

    async fn release(&mut self, incarnation: Incarnation, batch: Batch, context: &Context<Message>) -> Result<(), Fault> {
        let (ticket, recipient) = (batch.ticket, batch.to);
        let signer = &mut self.signer;
        let outcome = match context.blocking(SYNC_LIMIT, "journal sync", move || make_durable(signer, incarnation, batch)).await? {
            Ok(messages) => {
                messages.into_iter().for_each(|message| self.publish(message, recipient));
                Event::Released { ticket }
            }
            // Somebody who has been replaced; nobody waits for an answer.
            Err(SignerError::Stale { .. }) => return Ok(()),
            Err(SignerError::Journal(error @ JournalError::Full { .. })) => {
                warn!(%error, "nothing more is signed at this height");
                Event::NotReleased { ticket, why: NotReleased::JournalFull }
            }
            Err(error) if error.is_retryable() => {
                warn!(%error, "nothing is signed until there is room on the disk");
                Event::NotReleased { ticket, why: NotReleased::NoSpace }
            }
            Err(error) => return self.survive(Err(error)),
        };
        self.parts.consensus.tell(outcome).await?;
        Ok(())
    }

    /// What was released leaves. A proposal is also what its parts will be streamed under.
    fn publish(&self, message: ConsensusMessage, recipient: Recipient) {
        if let ConsensusMessage::Proposal(proposal) = &message {
            self.parts.proposals.note(proposal.clone());
        }
        let peer = match recipient {
            Recipient::Everybody => None,
            Recipient::Peer(peer) => Some(peer),
        };
        self.parts.peers.say(peer, Wire::Consensus(message));
    }

    /// Our own certified tip counts among those of the network: who is ahead of all who answered is not ahead of what was decided.
    async fn judge(&mut self, tip: Height, highest_tip: Height, claims: &[ConsensusMessage], context: &Context<Message>) -> Result<(), Fault> {
        let (signer, policy) = (&mut self.signer, (self.parts.on_missing, MAX_AHEAD));
        let highest_tip = highest_tip.max(tip);
        match context.blocking(SYNC_LIMIT, "promise sync", move || judge_signing(signer, policy, tip, highest_tip, claims)).await? {
            Ok(verdict) => Ok(self.parts.consensus.tell(Event::SigningVerdict(verdict)).await?),
            Err(error) => self.survive(Err(error)),
        }
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
