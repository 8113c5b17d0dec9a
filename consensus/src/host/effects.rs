//! What the core says, and what follows.

use std::time::Duration;

use primitives::{Address, ConsensusMessage, Height, Round};

use super::{
    Host, ProposeWait,
    action::{Action, TimerId},
    breaker,
    outbox::Left,
    status::LastSigned,
    timeouts,
};
use crate::{
    Entry, Origin, Unreleased,
    core::{Effect, Evidence, Input, Timer, Wait},
    entry::Step,
};

impl Host {
    /// Feeds the core whatever waits for it.
    pub(super) fn pump(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            let Some(core) = self.core.as_mut() else { return self.inputs.clear() };
            match core.step(input.clone(), &mut self.crypto) {
                Ok(effects) => self.carry(effects),
                Err(fatal) => return self.core_failed(fatal, breaker::name(&input)),
            }
        }
    }

    /// Turns effects into actions, in order. After a decision the core has done its work.
    pub(super) fn carry(&mut self, effects: Vec<Effect>) {
        let mut decision = None;
        for effect in effects {
            match effect {
                Effect::Append(entry) => self.append(entry),
                Effect::Publish(message) => self.publish(message),
                Effect::Schedule(timer) => self.schedule(timer),
                Effect::Cancel(timer) => self.cancel(timer),
                Effect::CancelAll => self.cancel_timers(),
                Effect::StartRound { height, round, proposer } => self.start_round(height, round, proposer),
                Effect::GetValue { height, round } => self.actions.push(Action::GetValue { height, round }),
                Effect::Restream { height, round, pol_round, proposer, value } => {
                    self.outbox.then(height, Action::Stream { height, round, pol_round, proposer, value });
                }
                Effect::Evidence(evidence) => self.keep_evidence(evidence),
                // Our own precommit may come after it, and goes first.
                Effect::Decide(certificate) => decision = Some(certificate),
            }
        }
        if let Some(certificate) = decision {
            self.decided(certificate);
            self.drop_core();
        }
        self.leave_lost_round();
        self.check_certified();
    }

    fn append(&mut self, entry: Entry) {
        self.log.record(&entry);
        if let Entry::Proposal(signed) = &entry {
            self.proposers.heard(signed.message.proposer);
            self.actions.push(Action::Accept(signed.clone()));
        }
        // Without a vote of ours nothing has to be remembered.
        let is_proposal = matches!(entry, Entry::Proposal(_));
        if self.speaks == Some(true) {
            self.outbox.append(entry);
        }
        if is_proposal {
            self.settle_bodies();
        }
    }

    fn publish(&mut self, message: Unreleased<ConsensusMessage>) {
        match message.content() {
            ConsensusMessage::Round(certificate) => self.log.record_entered(certificate),
            ConsensusMessage::Polka(polka) => self.log.record(&Entry::Polka(polka.clone())),
            ConsensusMessage::Vote(_) | ConsensusMessage::Proposal(_) => {}
        }
        if !self.may_leave(&message) {
            return;
        }
        let fresh = self.fresh_proposal(&message);
        self.outbox.publish(message);
        fresh.into_iter().for_each(|stream| self.outbox.then(self.height, stream));
    }

    /// Whether the signer should be asked to let this leave.
    pub(super) fn may_leave(&self, message: &Unreleased<ConsensusMessage>) -> bool {
        let is_mute = self.speaks != Some(true) || self.remembered.mute_through(self.height).is_some_and(|through| message.round() <= through);
        self.is_validator() && !(is_mute && message.origin() == Origin::Ours)
    }

    /// The parts of a block of ours follow its proposal. A block that is proposed again is streamed at the core's request.
    fn fresh_proposal(&self, message: &Unreleased<ConsensusMessage>) -> Option<Action> {
        let ConsensusMessage::Proposal(signed) = message.content() else { return None };
        let proposal = &signed.message;
        let is_fresh = Some(proposal.proposer) == self.crypto.address() && proposal.pol_round.is_none();
        let (height, round, proposer, value) = (proposal.height, proposal.round, proposal.proposer, proposal.value);
        is_fresh.then_some(Action::Stream { height, round, pol_round: None, proposer, value })
    }

    fn start_round(&mut self, height: Height, round: Round, proposer: Address) {
        self.proposers.round_started(proposer);
        self.actions.push(Action::RoundStarted { height, round, proposer });
        self.settle_bodies();
    }

    fn schedule(&mut self, timer: Timer) {
        self.timers.insert(timer);
        let granted = timeouts::wait(&self.config.parameters.timeouts, &timer);
        let mut after = granted;
        if timer.wait == Wait::Step(Step::Propose) {
            let now = self.now.monotonic;
            after = self.patience(timer.round, granted);
            self.proposing = Some(ProposeWait { timer, until: now + after, granted_until: now + after.max(granted) });
        }
        self.actions.push(Action::Schedule { timer: TimerId::Core(timer), after });
    }

    /// The proposer that is waited for may just have gone: the wait is cut short then, and never made longer.
    pub(super) fn lose_patience(&mut self) {
        let Some(wait) = self.proposing.filter(|wait| self.timers.contains(&wait.timer)) else { return };
        let granted = timeouts::wait(&self.config.parameters.timeouts, &wait.timer);
        let until = self.now.monotonic + self.patience(wait.timer.round, granted);
        if until < wait.until {
            self.wait_for_proposal(ProposeWait { until, ..wait });
        }
    }

    /// Whether a wait that was cut short is over, and the proposer has shown meanwhile that it deserves what is left of it.
    fn regains_patience(&mut self, timer: Timer) -> bool {
        let Some(wait) = self.proposing.filter(|wait| wait.timer == timer && self.now.monotonic < wait.granted_until) else { return false };
        let granted = timeouts::wait(&self.config.parameters.timeouts, &timer);
        let is_regained = wait.until < wait.granted_until && granted <= self.patience(timer.round, granted);
        if is_regained {
            self.wait_for_proposal(ProposeWait { until: wait.granted_until, ..wait });
        }
        is_regained
    }

    fn wait_for_proposal(&mut self, wait: ProposeWait) {
        self.proposing = Some(wait);
        let after = wait.until.saturating_sub(self.now.monotonic);
        self.actions.push(Action::Schedule { timer: TimerId::Core(wait.timer), after });
    }

    /// How long to wait for the proposer. In the first round it may still be idle where we are not.
    fn patience(&self, round: Round, granted: Duration) -> Duration {
        let proposer = self.set.proposer(self.height, round).address;
        if Some(proposer) == self.crypto.address() {
            return granted;
        }
        let patience = self.proposers.patience(proposer, (self.height, round), &self.set, granted, self.config.propose_floor);
        let may_be_idle = round == Round::ZERO && patience == granted;
        if may_be_idle { granted.saturating_add(self.pace.until_overdue(self.now)) } else { patience }
    }

    /// The wait after the precommits is for those that might still decide. When a quorum precommitted nil, none can.
    fn leave_lost_round(&mut self) {
        let waiting = self.timers.iter().find(|timer| timer.wait == Wait::Step(Step::Precommit)).copied();
        let Some(timer) = waiting.filter(|timer| self.log.is_lost(timer.round, &self.set)) else { return };
        if self.left.replace(timer) != Some(timer) {
            self.actions.push(Action::Schedule { timer: TimerId::Core(timer), after: Duration::ZERO });
        }
    }

    fn cancel(&mut self, timer: Timer) {
        if self.timers.remove(&timer) {
            self.actions.push(Action::Cancel(TimerId::Core(timer)));
        }
    }

    pub(super) fn cancel_timers(&mut self) {
        let timers = std::mem::take(&mut self.timers);
        self.actions.extend(timers.into_iter().map(|timer| Action::Cancel(TimerId::Core(timer))));
    }

    pub(super) fn keep_evidence(&mut self, evidence: Vec<Evidence>) {
        let new = self.evidence.add(evidence);
        if let Some(piece) = new.iter().find(|piece| Some(piece.validator()) == self.crypto.address()) {
            self.halt_for_doppelganger(piece.height());
        }
        if !new.is_empty() {
            self.actions.push(Action::Evidence(new));
        }
    }

    pub(super) fn on_elapsed(&mut self, timer: TimerId) {
        match timer {
            TimerId::Core(timer) => {
                if !self.regains_patience(timer) && self.timers.remove(&timer) {
                    self.inputs.push_back(Input::Elapsed(timer));
                    self.pump();
                    if timer.wait == Wait::Rebroadcast {
                        self.rebroadcast();
                    }
                }
            }
            TimerId::Pace => self.check_pace(),
            TimerId::Gate => self.ask_standings(),
            TimerId::Stall => self.on_stalled(),
        }
    }

    pub(super) fn on_released(&mut self, ticket: u64) {
        let Left { messages, then } = self.outbox.released(ticket);
        for message in messages.iter().filter(|message| message.origin() == Origin::Ours) {
            self.last_signed = LastSigned::of(message.content()).or(self.last_signed.take());
        }
        self.actions.extend(then);
    }

    /// The core stays silent when others certify a block that is invalid here, so it is looked for.
    pub(super) fn check_certified(&mut self) {
        let rejected = self.blocks.invalid().find(|(value, _)| self.log.is_certified(*value, &self.set));
        if let Some((value, rule)) = rejected.map(|(value, rule)| (value, rule.to_owned()))
            && self.remembered.trouble.is_none()
        {
            self.reject_certified(value, &rule);
        }
    }
}
