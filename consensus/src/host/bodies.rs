//! What becomes of blocks that arrive: when their bodies are journalled, and when the core hears of them.

use primitives::{B256, Bytes, ConsensusMessage, Height, Round};

use super::{
    Host, Phase,
    event::{ProposedBlock, Verdict},
};
use crate::{Entry, core::Input, entry::BodyEntry};

/// Small bodies of rounds further ahead of the core's are not looked at.
const MAX_ROUNDS_AHEAD: u32 = 4;

impl Host {
    pub(super) fn on_built(&mut self, height: Height, round: Round, value: B256) {
        if height == self.height && self.phase == Phase::Running {
            self.blocks.built(height, round, value);
            self.settle_bodies();
            self.feed_block(value);
        }
    }

    pub(super) fn on_judged(&mut self, block: ProposedBlock, verdict: Verdict) {
        if block.height == self.height {
            if self.blocks.judged(block, verdict) {
                self.feed_block(block.value);
            }
            self.check_certified();
        }
    }

    pub(super) fn on_body_durable(&mut self, height: Height, round: Round, value: B256, body: Option<Bytes>) {
        if height != self.height {
            return;
        }
        match body {
            None => self.blocks.durable(value),
            Some(body) if self.is_near(round) => self.hold(BodyEntry { height, round, value, body }),
            Some(_) => {}
        }
        self.feed_block(value);
    }

    fn hold(&mut self, entry: BodyEntry) {
        let (log, future, height) = (&self.log, &self.future, self.height);
        let is_named = |value: B256| {
            let mut early = future.at(height);
            log.is_proposed(value, Round(u32::MAX)) || early.any(|message| names(message, value))
        };
        self.blocks.hold(entry, is_named);
        self.settle_bodies();
    }

    fn is_near(&self, round: Round) -> bool {
        self.last_near_round().is_none_or(|last| round <= last)
    }

    fn last_near_round(&self) -> Option<Round> {
        self.core.as_ref().map(|core| Round(core.round().0.saturating_add(MAX_ROUNDS_AHEAD)))
    }

    /// Bodies of proposed blocks become durable with the entries and messages that follow from them, once a core votes.
    pub(super) fn settle_bodies(&mut self) {
        let Some(last) = self.last_near_round().filter(|_| self.speaks == Some(true)) else { return };
        let log = &self.log;
        for entry in self.blocks.take_held(|value| log.is_proposed(value, last)) {
            let value = entry.value;
            self.outbox.append(Entry::Body(entry));
            self.feed_block(value);
        }
    }

    /// What stands in the journal need not be written again.
    pub(super) fn know_bodies(&mut self, entries: &[Entry]) {
        let bodies = entries.iter().filter_map(|entry| if let Entry::Body(body) = entry { Some(body.value) } else { None });
        bodies.for_each(|value| self.blocks.durable(value));
    }

    /// Our key was silenced while the core runs: what it hears of needs no disk any more.
    pub(super) fn fall_silent(&mut self) {
        self.speaks = Some(false);
        self.outbox.drop_ours();
        if let Some(core) = &mut self.core {
            core.stop_voting();
            self.inputs.extend(self.blocks.judgements(false));
        }
    }

    fn feed_block(&mut self, value: B256) {
        if self.core.is_some() {
            let needs_disk = self.speaks == Some(true);
            let inputs: Vec<Input> = self.blocks.inputs(value, needs_disk);
            self.inputs.extend(inputs);
        }
    }
}

fn names(message: &ConsensusMessage, value: B256) -> bool {
    matches!(message, ConsensusMessage::Proposal(signed) if signed.message.value == value)
}
