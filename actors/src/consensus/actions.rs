//! Carrying out what the host wants done, in order.

use consensus::{
    core::Evidence,
    host::{Action, CommitOrigin, Event, Signing, SigningState, TimerId},
};
use opentelemetry::KeyValue;
use primitives::{B256, Body, Certificate, Height, Proposal, Signed, Standing};
use supervision::{Context, Fault};
use tracing::{debug, error, info, warn};
use wire::{
    Message as Wire,
    message::{CurrentRequest, StandingAnswer, StandingRequest, Status},
};

use super::{actor::Consensus, mailbox::Message, tasks};
use crate::{evidence, execution::Decided, p2p::Offence, proposals::Arrived, storage::Batch};

const EVIDENCE_PAUSE: std::time::Duration = std::time::Duration::from_secs(5);
const EVIDENCE_LIMIT: std::time::Duration = std::time::Duration::from_secs(30);
/// Proposals kept for a keeper that forgets them; the oldest give way.
const MAX_ACCEPTED: usize = 64;

impl Consensus {
    pub(super) fn carry_out(&mut self, actions: Vec<Action>, context: &mut Context<Message>) -> Result<(), Fault> {
        self.remember();
        for action in actions {
            self.carry_out_one(action, context)?;
        }
        let status = self.host.status();
        self.parts.metrics.power_online.record(status.power_online, &[]);
        self.parts.view.show(status);
        Ok(())
    }

    /// The next incarnation knows what this one has learnt before anything is done about it.
    fn remember(&self) {
        let remembered = self.host.remembered();
        let mut kept = self.parts.remembered.lock();
        if *kept != remembered {
            *kept = remembered;
        }
    }

    fn carry_out_one(&mut self, action: Action, context: &mut Context<Message>) -> Result<(), Fault> {
        let (parts, incarnation) = (&self.parts, context.incarnation());
        match action {
            Action::Release(batch) => require(parts.signer.release(incarnation, batch), "the signer has no room for a release")?,
            // Without room in the mailbox the first release makes them.
            Action::MakeJournal { height } => drop(parts.signer.make_journal(incarnation, height)),
            Action::OpenJournal { height } => require(parts.signer.open(incarnation, height), "the signer has no room")?,
            Action::JudgeSigning { tip, highest_tip, claims } => {
                require(parts.signer.judge(incarnation, tip, highest_tip, claims), "the signer has no room")?;
            }
            Action::InitialiseSigning { above } => require(parts.signer.initialise(incarnation, above), "the signer has no room")?,
            Action::Schedule { timer, after } => self.schedule(timer, after, context),
            Action::Cancel(timer) => drop(self.timers.remove(&timer)),
            Action::RoundStarted { height, round, proposer } => {
                debug!(%height, round = round.0, %proposer, "round started");
                parts.metrics.height.record(height.0, &[]);
                parts.metrics.round.record(u64::from(round.0), &[]);
                parts.metrics.rounds.add(1, &[]);
                parts.proposals.round_started(height, round);
            }
            Action::GetValue { height, round } => tasks::build(parts, context, height, round),
            Action::Accept(proposal) => self.accept(proposal, context)?,
            Action::Stream { height, round, .. } => drop(parts.proposals.stream(height, round)),
            Action::Restore(entry) => {
                parts.proposals.keep(entry.height, entry.value, entry.body.clone());
                self.bodies.insert((entry.height, entry.value), entry.body);
            }
            Action::Commit { certificate, origin } => self.commit(certificate, origin, context)?,
            Action::AskStandings => self.ask_standings(),
            Action::Answer { question, standing } => self.answer(question, standing),
            // Who asks hears everything from then on, and a follower is not one to judge it.
            Action::AskRound if !parts.votes() => {}
            Action::AskRound => parts.peers.say(None, Wire::CurrentRequest(CurrentRequest { height: self.height })),
            Action::AnnounceTip { to } => {
                if let Ok(head) = parts.ledger.head() {
                    parts.peers.say(Some(to), Wire::Status(Status { height: Height(head.header.number), hash: head.hash }));
                }
            }
            Action::Sync { height } => drop(parts.sync.behind(height)),
            Action::Evidence(evidence) => self.keep_evidence(evidence, context),
            Action::Misconduct { by } => drop(parts.peers.offence(&by, Offence::BadSignature, "a signature in a message of consensus does not hold")),
            Action::SigningChanged(signing) => self.signing_changed(&signing),
            Action::Fault { fatal } => return Err(fatal.into()),
        }
        Ok(())
    }

    /// A verified proposal: its block is wanted, unless it was examined already. One that came back from the journal was not.
    fn accept(&mut self, proposal: Signed<Proposal>, context: &mut Context<Message>) -> Result<(), Fault> {
        let place = (proposal.message.height, proposal.message.value);
        self.accepted.insert((proposal.message.height, proposal.message.round), proposal.clone());
        if MAX_ACCEPTED < self.accepted.len() {
            self.accepted.pop_first();
        }
        match self.bodies.get(&place).cloned() {
            None => _ = self.parts.proposals.accept(proposal),
            Some(_) if self.examined.contains(&place) => {}
            Some(body) => self.arrived(Arrived { proposal, body }, context)?,
        }
        Ok(())
    }

    fn schedule(&mut self, timer: TimerId, after: std::time::Duration, context: &Context<Message>) {
        let started = context.after(after, Message::Happened(Box::new(Event::Elapsed(timer))));
        self.timers.insert(timer, started);
    }

    fn commit(&mut self, certificate: Certificate, origin: CommitOrigin, context: &mut Context<Message>) -> Result<(), Fault> {
        let (height, value) = (certificate.height, certificate.value);
        let origin = match origin {
            CommitOrigin::Decided => "decided",
            CommitOrigin::Synced => "synced",
        };
        self.parts.metrics.decisions.add(1, &[KeyValue::new("origin", origin)]);
        match self.body(height, value) {
            Some(body) => {
                self.under_way.begin(height, self.parts.clock.monotonic());
                tasks::commit(&self.parts, context, Decided { certificate, body }, value);
            }
            None => {
                warn!(%height, %value, "a decided block is not here; it is fetched");
                return self.tell(Event::BodyMissing { height, value }, context);
            }
        }
        Ok(())
    }

    fn body(&self, height: Height, value: B256) -> Option<Body> {
        let bytes = match self.bodies.get(&(height, value)) {
            Some(bytes) => bytes.clone(),
            None => self.parts.ledger.undecided_body(&value).ok()??,
        };
        Body::decode(&bytes).ok()
    }

    fn ask_standings(&self) {
        if let Some(validator) = self.us() {
            self.parts.peers.say(None, Wire::StandingRequest(StandingRequest { nonce: self.nonce, validator }));
        }
    }

    fn answer(&mut self, question: u64, standing: Standing) {
        if let Some((peer, nonce)) = self.questions.answer(question) {
            self.parts.peers.say(Some(peer), Wire::Standing(StandingAnswer { nonce, standing }));
        }
    }

    /// Contradictions are kept for ever, each once, and then told to all peers.
    fn keep_evidence(&self, evidence: Vec<Evidence>, context: &Context<Message>) {
        self.parts.metrics.evidence.add(evidence.len() as u64, &[]);
        let mut batch = Batch::loose();
        for piece in &evidence {
            warn!(validator = %piece.validator(), height = %piece.height(), "a validator contradicted itself");
            evidence::put(&mut batch, piece);
        }
        let (storage, keeper) = (self.parts.storage.clone(), self.parts.evidence.clone());
        context.task("evidence", async move {
            while let Err(error) = storage.commit(batch.clone(), EVIDENCE_LIMIT).await {
                warn!(%error, "evidence is not written yet");
                tokio::time::sleep(EVIDENCE_PAUSE).await;
            }
            // Without room the keeper is restarting, and reads it from disk.
            keeper.found(evidence);
        });
    }

    fn signing_changed(&self, signing: &Signing) {
        for state in ["enabled", "sync_only", "observing", "refused", "halted", "none"] {
            let is_it = state == word(signing.state);
            self.parts.metrics.signing_state.record(u64::from(is_it), &[KeyValue::new("state", state)]);
        }
        let (state, code, reason) = (word(signing.state), signing.code.unwrap_or_default(), &signing.text);
        match signing.state {
            SigningState::Halted | SigningState::Refused => error!(state, code, reason, "signing"),
            _ if signing.code.is_some() => warn!(state, code, reason, "signing"),
            _ => info!(state, reason, "signing"),
        }
    }
}

/// A mailbox of ours that has no room has lost its actor: only a fresh start brings order back.
fn require(had_room: bool, what: &'static str) -> Result<(), Fault> {
    if had_room { Ok(()) } else { Err(Fault::new(what)) }
}

fn word(state: SigningState) -> &'static str {
    match state {
        SigningState::Enabled => "enabled",
        SigningState::SyncOnly => "sync_only",
        SigningState::Observing => "observing",
        SigningState::Refused => "refused",
        SigningState::Halted => "halted",
        SigningState::None => "none",
    }
}
