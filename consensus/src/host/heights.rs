//! Which height begins when, and how it ends.

use std::time::Duration;

use primitives::{B256, Certificate, Height, Round, ValidatorSet};

use super::{
    Committing, Help, Host, NotReleased, Phase, Uncommitted,
    action::{Action, CommitOrigin, TimerId},
    blocks::Blocks,
    breaker,
    log::HeightLog,
    pace::Others,
    recovery,
    signing_state::Trouble,
};
use crate::{
    Entry,
    core::{Core, Fatal, Input, Start as CoreStart, Timer, Wait},
    entry::Step,
    signer::Action as Permission,
};

/// How often a height that is left to others is asked for.
const FOLLOW_PERIOD: Duration = Duration::from_secs(2);
/// How long the chain must stand before a key without a record may help it.
const STALL_LIMIT: Duration = Duration::from_secs(30);

impl Host {
    /// Withholds the height until its time has come.
    pub(super) fn enter_pace(&mut self) {
        self.phase = Phase::Paced;
        self.check_pace();
    }

    /// Begins the height if it is time, or looks again when it may be.
    pub(super) fn check_pace(&mut self) {
        if self.phase != Phase::Paced || self.committing.is_some() {
            return;
        }
        let wait = if self.is_validator() { self.withheld() } else { Duration::ZERO };
        if wait.is_zero() {
            self.actions.push(Action::Cancel(TimerId::Pace));
            self.open();
        } else {
            self.actions.push(Action::Schedule { timer: TimerId::Pace, after: wait });
        }
    }

    /// How long the height must still wait.
    fn withheld(&self) -> Duration {
        let power: u64 = self.future.authors(self.height).map(|author| self.set.power_of(author)).sum();
        let others = match () {
            () if self.set.total_power() / 3 < power => Others::ManyBegan,
            () if self.future.has(self.height) => Others::SomeBegan,
            () => Others::Wait,
        };
        let proposes = self.crypto.address() == Some(self.set.proposer(self.height, Round(0)).address);
        self.pace.wait(others, proposes, self.now)
    }

    pub(super) fn on_transactions_waiting(&mut self, waiting: bool) {
        self.pace.transactions_wait = waiting;
        self.check_pace();
    }

    /// Reads the journal of the height, then starts the core. A height that had begun before goes on at once.
    pub(super) fn open(&mut self) {
        if self.is_validator() {
            self.phase = Phase::Opening;
            self.end_observing();
            self.actions.push(Action::OpenJournal { height: self.height });
        } else {
            self.speaks = None;
            self.start_core(&[], false);
        }
    }

    pub(super) fn on_journal_opened(&mut self, height: Height, entries: Vec<Entry>, speaks: bool) {
        if height != self.height {
            return;
        }
        self.on_journal_read(&entries);
        if self.phase != Phase::Opening || self.committing.is_some() {
            return;
        }
        let is_fresh = entries.is_empty() && self.remembered.mute_through(height).is_none();
        if is_fresh && !self.withheld().is_zero() {
            return self.enter_pace();
        }
        let votes = speaks && !self.remembered.is_silenced(height);
        self.speaks = Some(votes);
        if self.remembered.breaker.is_open(height) {
            self.follow();
        } else {
            self.start_core(&entries, votes);
        }
    }

    /// Starts the core where the journal ends. Messages that came early are fed last.
    fn start_core(&mut self, entries: &[Entry], votes: bool) {
        self.pace.started(self.now);
        self.know_bodies(entries);
        // What was verified at this height without a journal is told again.
        let again: Vec<Input> = self.log.messages().into_iter().map(Input::Message).chain(self.blocks.judgements(votes)).collect();
        entries.iter().for_each(|entry| self.log.record(entry));
        let start = CoreStart { height: self.height, validators: self.set.clone(), votes, entries };
        let (core, effects) = match Core::start(start, &mut self.crypto) {
            Ok(started) => started,
            Err(unrecoverable) => {
                let input = unrecoverable.position.map(|position| breaker::name_entry(&entries[position]));
                return self.core_failed(unrecoverable.fatal, input.unwrap_or_default());
            }
        };
        self.phase = Phase::Running;
        if votes {
            self.actions.push(Action::MakeJournal { height: self.height });
        }
        self.restore(entries);
        let is_recovered = recovery::is_recovery(entries);
        let effects = if is_recovered { self.recovered(&core, effects, entries) } else { effects };
        self.core = Some(core);
        self.carry(effects);
        let settled = std::mem::take(&mut self.inputs);
        self.inputs.extend(recovery::held_proposal(entries, self.core.as_ref(), self.crypto.address()));
        self.inputs.extend(self.skipped_rounds(votes));
        self.inputs.extend(again);
        self.inputs.extend(settled);
        self.settle_bodies();
        let early = self.future.take(self.height);
        self.inputs.extend(early.into_iter().map(Input::Message));
        self.pump();
        if is_recovered || !self.has_asked_round {
            self.has_asked_round = true;
            self.actions.push(Action::AskRound);
        }
        if self.waits_to_recover() {
            self.actions.push(Action::Schedule { timer: TimerId::Stall, after: STALL_LIMIT });
        }
    }

    /// Rounds in which our key must stay mute are left before anything is said in them.
    fn skipped_rounds(&self, votes: bool) -> Vec<Input> {
        let wait = Wait::Step(Step::Precommit);
        let timer = |round| Timer { height: self.height, round: Round(round), wait };
        let through = self.remembered.mute_through(self.height).filter(|_| votes);
        through.into_iter().flat_map(|through| 0..=through.0).map(|round| Input::Elapsed(timer(round))).collect()
    }

    /// Leaves the height to others: it ends when its block is fetched.
    fn follow(&mut self) {
        self.phase = Phase::Following;
        self.actions.push(Action::Sync { height: self.height.next() });
        self.actions.push(Action::Schedule { timer: TimerId::Stall, after: FOLLOW_PERIOD });
    }

    pub(super) fn on_stalled(&mut self) {
        match self.phase {
            Phase::Following if self.committing.is_none() => self.follow(),
            Phase::Running if self.waits_to_recover() => self.recover_signing(),
            _ => {}
        }
    }

    /// A key without a record that has watched long enough begins to sign here.
    fn end_observing(&mut self) {
        let (height, verdict) = (self.height, self.remembered.verdict.as_mut());
        let Some(verdict) = verdict.filter(|verdict| matches!(verdict.action, Permission::Recover { from } if from <= height)) else { return };
        verdict.action = Permission::Sign { height, replay: false };
        self.actions.push(Action::InitialiseSigning { above: height.previous().unwrap_or_default() });
    }

    fn waits_to_recover(&self) -> bool {
        let is_recovering = self.remembered.verdict.as_ref().is_some_and(|verdict| matches!(verdict.action, Permission::Recover { .. }));
        is_recovering && self.is_validator() && self.speaks == Some(false) && !self.remembered.is_silenced(self.height)
    }

    /// The chain stands for want of our vote. Our key has no record of what it signed, so it stays mute in every round that
    /// anybody has spoken of, and follows the core above.
    fn recover_signing(&mut self) {
        self.remembered.mute_through = Some((self.height, self.log.highest_round()));
        self.drop_core();
        self.phase = Phase::Opening;
        let above = self.height.previous().unwrap_or_default();
        self.actions.push(Action::InitialiseSigning { above });
        self.actions.push(Action::OpenJournal { height: self.height });
    }

    /// The core came to its end. A fresh incarnation tries again, unless that has failed too often or would be unsafe.
    pub(super) fn core_failed(&mut self, fatal: Fatal, input: B256) {
        self.drop_core();
        self.outbox.forget_through(self.height);
        tracing::error!(height = %self.height, error = %fatal, "the core failed");
        if let Fatal::Diverged { .. } = fatal {
            self.halt(Trouble { code: "E-SIGN-DIVERGED", text: fatal.to_string() });
            return self.follow();
        }
        self.remembered.breaker.failed(self.height, input);
        if self.remembered.breaker.is_open(self.height) {
            self.speaks = Some(false);
            self.follow();
        } else {
            self.phase = Phase::Ended;
            self.actions.push(Action::Fault { fatal });
        }
    }

    /// Safety is in doubt: nothing of ours leaves any more. The chain is followed.
    pub(super) fn halt(&mut self, trouble: Trouble) {
        tracing::error!(height = %self.height, code = trouble.code, reason = trouble.text, "signing has stopped");
        self.remembered.trouble.get_or_insert(trouble);
        self.fall_silent();
    }

    /// Ends the core of this height; what it knows of others' contradictions is kept.
    pub(super) fn drop_core(&mut self) {
        if let Some(mut core) = self.core.take() {
            let evidence = core.take_evidence();
            self.keep_evidence(evidence);
        }
        self.inputs.clear();
        self.cancel_timers();
    }

    /// Hands a decided block to storage. The one entry for what we decided and for what was fetched.
    pub(super) fn commit(&mut self, committing: Committing) {
        self.remembered.handed_over = Some(committing.certificate.clone());
        self.committing = Some(committing);
    }

    /// An earlier incarnation handed a block to storage and did not hear what became of it: it is committed again, which
    /// changes nothing if it is there. Nobody else would ever tell, because peers are asked for what storage lacks.
    pub(super) fn commit_again(&mut self) -> bool {
        let Some(certificate) = self.remembered.handed_over.clone().filter(|certificate| certificate.height == self.height) else { return false };
        self.commit(Committing { certificate, origin: CommitOrigin::Synced, is_parked: false, is_again: true });
        let commit = self.commit_action();
        self.actions.extend(commit);
        true
    }

    pub(super) fn commit_action(&self) -> Option<Action> {
        let Committing { certificate, origin, .. } = self.committing.as_ref()?;
        Some(Action::Commit { certificate: certificate.clone(), origin: *origin })
    }

    pub(super) fn on_committed(&mut self, height: Height, validators: ValidatorSet, block_time_ms: u64) {
        let Some(committing) = self.committing.take_if(|committing| committing.certificate.height == height) else { return };
        self.pace.committed(block_time_ms);
        self.outbox.forget_through(height);
        self.tip = Some(committing.certificate);
        self.height = height.next();
        self.set = validators;
        self.crypto.advance(self.height);
        self.log = HeightLog::new(self.height);
        self.blocks = Blocks::default();
        self.proposers.height_is_over();
        self.future.forget_below(self.height);
        self.helped.retain(|(_, help), _| *help == Help::Tip);
        match self.phase {
            Phase::Gate => self.gate_moved(),
            Phase::Judging => {}
            _ if self.is_validator() && !self.remembered.is_judged() => self.enter_gate(),
            _ => self.enter_pace(),
        }
    }

    pub(super) fn on_uncommitted(&mut self, height: Height, why: Uncommitted) {
        let Some(committing) = self.committing.as_mut().filter(|committing| committing.certificate.height == height) else { return };
        match why {
            Uncommitted::NoSpace | Uncommitted::Unavailable => committing.is_parked = true,
            Uncommitted::Rejected { rule } => {
                let value = committing.certificate.value;
                self.committing = None;
                self.reject_certified(value, &rule);
            }
        }
    }

    /// The block to be committed is not here: the height is left to those who have it.
    pub(super) fn on_body_missing(&mut self, height: Height, value: B256) {
        let is_missing = |certificate: &Certificate| certificate.height == height && certificate.value == value;
        let Some(missing) = self.committing.take_if(|committing| is_missing(&committing.certificate)) else { return };
        tracing::warn!(%height, %value, "a decided block is not here, and is asked for");
        self.remembered.handed_over = None;
        // A small body rode in the journal: an earlier life decided it, and this one reads it there.
        match () {
            () if self.keeps_asking() => self.actions.push(Action::Sync { height: height.next() }),
            () if missing.is_again => {
                self.actions.push(Action::Sync { height: height.next() });
                self.open();
            }
            () => self.follow(),
        }
    }

    /// Whether blocks come and go while what our key may do is still being asked.
    pub(super) fn keeps_asking(&self) -> bool {
        matches!(self.phase, Phase::Gate | Phase::Judging)
    }

    /// More than 2/3 of the power decided a block that breaks a rule here: either they or we compute wrongly.
    pub(super) fn reject_certified(&mut self, value: B256, rule: &str) {
        let text = format!("block {value} of height {} is certified, and execution says it breaks a rule: {rule}", self.height);
        self.halt(Trouble { code: "E-EXEC-REJECT", text });
    }

    pub(super) fn on_retry(&mut self) {
        let release = self.outbox.retry();
        self.actions.extend(release);
        if self.committing.as_ref().is_some_and(|committing| committing.is_parked) {
            self.committing.iter_mut().for_each(|committing| committing.is_parked = false);
            let commit = self.commit_action();
            self.actions.extend(commit);
        }
    }

    pub(super) fn on_not_released(&mut self, ticket: u64, why: NotReleased) {
        match why {
            NotReleased::NoSpace => self.outbox.park(ticket),
            NotReleased::JournalFull => {
                let then = self.outbox.give_up(ticket);
                self.actions.extend(then);
                self.fall_silent();
            }
        }
    }

    /// The core decided, and nothing more is fed to it. What it still has to say leaves before the height ends here: others may
    /// need it to decide, too. What it only heard needs no sync: the batch of the height holds the certificate.
    pub(super) fn decided(&mut self, certificate: Certificate) {
        self.commit(Committing { certificate, origin: CommitOrigin::Decided, is_parked: false, is_again: false });
        let (commit, height) = (self.commit_action(), self.height);
        if self.outbox.owes(height) {
            commit.into_iter().for_each(|commit| self.outbox.then(height, commit));
        } else {
            self.actions.extend(commit);
        }
        self.phase = Phase::Following;
    }
}
