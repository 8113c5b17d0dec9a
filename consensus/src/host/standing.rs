//! Where are you, and what of mine do you hold? Both sides of the question.

use std::time::Duration;

use primitives::{Address, Certificate, ConsensusMessage, Height, Standing};

use super::{
    Action, Host, Phase, TimerId,
    gate::{Answered, Asker},
    signing_state::Trouble,
};
use crate::{
    Entry,
    signer::{Action as Permission, Facts, Network, OnMissing, Signer, SignerError, Verdict, verdict},
};

/// How often those who have not answered are asked again.
const ASK_PERIOD: Duration = Duration::from_secs(1);
/// After how long a validator that has just come is asked.
const ASK_SOON: Duration = Duration::from_millis(20);

/// Carries out [`Action::JudgeSigning`] on a signer: what its journal lacks of `claims` is a regression.
pub fn judge_signing(
    signer: &mut Signer,
    (policy, max_ahead): (OnMissing, u64),
    tip: Height,
    highest_tip: Height,
    claims: &[ConsensusMessage],
) -> Result<Verdict, SignerError> {
    let regressed = claims.iter().filter(|claim| !signer.holds(claim)).map(ConsensusMessage::height).max();
    let network = Some(Network { highest_tip, regressed });
    let verdict = verdict(&Facts { record: signer.record().clone(), tip, network, policy, max_ahead });
    signer.settle(verdict.action)?;
    Ok(verdict)
}

impl Host {
    pub(super) fn enter_gate(&mut self) {
        self.phase = Phase::Gate;
        self.has_read_journal = false;
        // What others ask us is answered from the journal, so that nodes which start together can answer each other.
        self.actions.push(Action::OpenJournal { height: self.height });
        self.ask_standings();
        self.check_gate();
    }

    /// A validator has come: it was not there when everybody was asked. Sessions that come up together are asked together.
    pub(super) fn ask_soon(&mut self) {
        if self.phase == Phase::Gate {
            self.actions.push(Action::Schedule { timer: TimerId::Gate, after: ASK_SOON });
        }
    }

    pub(super) fn ask_standings(&mut self) {
        if self.phase == Phase::Gate {
            self.actions.push(Action::AskStandings);
            self.actions.push(Action::Schedule { timer: TimerId::Gate, after: ASK_PERIOD });
            self.check_gate();
        }
    }

    pub(super) fn on_standing_answered(&mut self, by: Address, standing: Standing) {
        let Some(us) = self.crypto.address().filter(|_| self.phase == Phase::Gate) else { return };
        let asker = Asker { us, tip: self.tip.as_ref(), set: &self.set };
        match self.gate.answer(by, standing, &asker, &mut self.crypto) {
            Answered::Counted => {
                self.remembered.signed_elsewhere = self.gate.signed_elsewhere();
                self.check_gate();
            }
            Answered::Worthless => tracing::debug!(%by, "an answer that proves nothing"),
            Answered::Fork(theirs) => self.halt_for_fork(&theirs),
        }
    }

    /// Passes the gate once enough have answered and we stand where they stood.
    fn check_gate(&mut self) {
        let Some(us) = self.crypto.address().filter(|_| self.phase == Phase::Gate) else { return };
        if !self.gate.is_answered(us, &self.set) {
            return;
        }
        let tip = self.height.previous().unwrap_or_default();
        let highest_tip = self.gate.highest_tip();
        if tip < highest_tip {
            return self.hint_sync(highest_tip.next());
        }
        self.phase = Phase::Judging;
        self.actions.push(Action::Cancel(TimerId::Gate));
        self.actions.push(Action::JudgeSigning { tip, highest_tip, claims: self.gate.claims_above(tip) });
    }

    /// A block was fetched while we ask.
    pub(super) fn gate_moved(&mut self) {
        if let (Some(us), Some(tip)) = (self.crypto.address(), &self.tip) {
            self.gate.fetched(tip, us);
            self.remembered.signed_elsewhere = self.gate.signed_elsewhere();
        }
        self.has_read_journal = false;
        self.actions.push(Action::OpenJournal { height: self.height });
        self.check_gate();
    }

    pub(super) fn on_signing_verdict(&mut self, verdict: Verdict) {
        if self.phase != Phase::Judging {
            return;
        }
        if verdict.action == Permission::AskNetwork {
            return self.enter_gate();
        }
        if let Some(code) = verdict.code {
            tracing::warn!(code, reason = verdict.text, commands = ?verdict.commands, "our key is restricted");
        }
        self.remembered.verdict = Some(verdict);
        if self.committing.is_some() { self.phase = Phase::Following } else { self.open() }
    }

    pub(super) fn on_journal_read(&mut self, entries: &[Entry]) {
        if self.keeps_asking() {
            entries.iter().for_each(|entry| self.log.record(entry));
        }
        self.has_read_journal = true;
    }

    /// Answers those who asked before the journal was read.
    pub(super) fn answer_waiting(&mut self) {
        if self.has_read_journal {
            for (by, question) in std::mem::take(&mut self.questions) {
                self.answer(question, by);
            }
        }
    }

    pub(super) fn on_standing_asked(&mut self, question: u64, by: Address) {
        if self.set.get(&by).is_none() {
            return;
        }
        let must_wait = self.is_validator() && !self.has_read_journal;
        if must_wait {
            self.questions.insert(by, question);
        } else {
            self.answer(question, by);
        }
    }

    fn answer(&mut self, question: u64, by: Address) {
        let mut standing = Standing { tip: self.tip.clone(), votes: self.log.votes_of(by), proposals: self.log.proposals_of(by) };
        for message in [self.height, self.height.next()].into_iter().flat_map(|height| self.future.at(height)) {
            match message {
                ConsensusMessage::Vote(signed) if signed.message.validator == by => standing.votes.push(signed.clone()),
                ConsensusMessage::Proposal(signed) if signed.message.proposer == by => standing.proposals.push(signed.clone()),
                _ => {}
            }
        }
        self.actions.push(Action::Answer { question, standing });
    }

    /// Two valid certificates for one height: more than a third of the power is faulty, and nobody knows which chain will live.
    pub(super) fn halt_for_fork(&mut self, theirs: &Certificate) {
        let text = format!("height {} has two valid certificates; the other one is for block {}", theirs.height, theirs.value);
        self.halt(Trouble { code: "E-CONFLICTING-CERTIFICATES", text });
    }
}
