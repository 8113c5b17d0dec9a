//! What peers say, and what they say in our name.

use std::time::Duration;

use primitives::{CertificateError, CommitSignature, ConsensusMessage, Height, NodeId, Signed, Vote, VoteKind};

use super::{Action, Help, Host, Phase, signing_state::Trouble};
use crate::core::Input;

/// The shortest time between two hints that others are ahead.
const SYNC_HINT_PERIOD: Duration = Duration::from_secs(1);

/// What a message says in our name.
enum InOurName {
    /// Nothing.
    Nothing,
    /// Only what we said, too.
    Known,
    /// Something we never said, with our signature.
    Forged,
}

impl Host {
    pub(super) fn on_message(&mut self, from: NodeId, message: ConsensusMessage) {
        let height = message.height();
        if let ConsensusMessage::Vote(Signed { message: vote, .. }) = &message {
            self.proposers.spoke(from, vote.validator, height, self.height);
        }
        if height < self.height {
            // Ordinary for the last height, whose stragglers arrive late. A peer that is stuck there speaks again and again.
            return self.help(from, Help::Tip, Action::AnnounceTip { to: from });
        }
        if self.outbox.is_full() {
            return;
        }
        if height == self.height && self.phase == Phase::Running {
            return self.hear(from, message);
        }
        let is_over = height == self.height && self.committing.is_some();
        if !is_over {
            self.keep_early(from, message);
        }
    }

    /// Checked here and not in the core alone, because only here it is known who said it. The core finds it in the cache.
    fn hear(&mut self, from: NodeId, message: ConsensusMessage) {
        if !self.crypto.verify(&message, &self.set) {
            return self.accuse(from, &message);
        }
        match self.in_our_name(&message) {
            InOurName::Nothing => self.inputs.push_back(Input::Message(message)),
            InOurName::Known if matches!(message, ConsensusMessage::Vote(_) | ConsensusMessage::Proposal(_)) => {}
            InOurName::Known => self.inputs.push_back(Input::Message(message)),
            InOurName::Forged => self.halt_for_doppelganger(message.height()),
        }
        self.pump();
    }

    /// A message of this height before it began, or of a later one. Its signatures are checked before it is kept.
    fn keep_early(&mut self, from: NodeId, message: ConsensusMessage) {
        let height = message.height();
        let is_near = height <= self.height.next();
        if is_near && !self.future.wants(&message) {
            return;
        }
        if !self.crypto.verify(&message, &self.set) {
            return self.accuse(from, &message);
        }
        let is_ahead = self.height < height;
        if is_ahead && self.speaks == Some(true) && matches!(self.in_our_name(&message), InOurName::Forged) {
            return self.halt_for_doppelganger(height);
        }
        if !is_near {
            return self.hint_sync(height);
        }
        self.future.keep(message);
        self.check_pace();
    }

    /// `message` does not hold. Of a certificate only a bad signature is nobody honest's; a core may build one that another refuses.
    fn accuse(&mut self, from: NodeId, message: &ConsensusMessage) {
        let outcome = match message {
            ConsensusMessage::Vote(_) | ConsensusMessage::Proposal(_) => return self.actions.push(Action::Misconduct { by: from }),
            ConsensusMessage::Polka(polka) => self.crypto.verify_polka(polka, &self.set),
            ConsensusMessage::Round(certificate) => self.crypto.verify_round(certificate, &self.set),
        };
        if matches!(outcome, Err(CertificateError::BadSignature { .. })) {
            self.actions.push(Action::Misconduct { by: from });
        }
    }

    /// Others are at `height`: the blocks below it can be fetched.
    pub(super) fn hint_sync(&mut self, height: Height) {
        let is_due = self.last_sync_hint.is_none_or(|last| SYNC_HINT_PERIOD <= self.now.monotonic.saturating_sub(last));
        if is_due {
            self.last_sync_hint = Some(self.now.monotonic);
            self.actions.push(Action::Sync { height });
        }
    }

    /// Looks for our signature. Only while our key signs: otherwise what it said in an earlier life is expected to come back.
    fn in_our_name(&mut self, message: &ConsensusMessage) -> InOurName {
        let Some(us) = self.crypto.address().filter(|_| self.speaks == Some(true)) else { return InOurName::Nothing };
        match message {
            ConsensusMessage::Proposal(signed) if signed.message.proposer == us => match () {
                () if self.log.knows_proposal(&signed.message) => InOurName::Known,
                () if self.crypto.verify_proposal(signed, &self.set) => InOurName::Forged,
                () => InOurName::Nothing,
            },
            ConsensusMessage::Vote(signed) if signed.message.validator == us => self.vote_in_our_name(signed),
            ConsensusMessage::Polka(polka) => {
                let ours = polka.signatures.iter().find(|signed| signed.validator == us);
                let vote = ours.map(|CommitSignature { validator, signature }| {
                    let (height, round, value) = (polka.height, polka.round, Some(polka.value));
                    Signed { message: Vote { kind: VoteKind::Prevote, height, round, value, validator: *validator }, signature: *signature }
                });
                vote.map_or(InOurName::Nothing, |vote| self.vote_in_our_name(&vote))
            }
            ConsensusMessage::Round(certificate) => {
                let ours = certificate.votes.iter().find(|vote| vote.validator == us);
                let vote = ours.map(|vote| {
                    let (height, round) = (certificate.height, certificate.round);
                    Signed { message: Vote { kind: vote.kind, height, round, value: vote.value, validator: us }, signature: vote.signature }
                });
                vote.map_or(InOurName::Nothing, |vote| self.vote_in_our_name(&vote))
            }
            ConsensusMessage::Proposal(_) | ConsensusMessage::Vote(_) => InOurName::Nothing,
        }
    }

    fn vote_in_our_name(&mut self, signed: &Signed<Vote>) -> InOurName {
        let is_known = signed.message.height == self.height && self.log.knows_vote(&signed.message);
        match () {
            () if is_known => InOurName::Known,
            () if self.crypto.verify_vote(signed, &self.set) => InOurName::Forged,
            () => InOurName::Nothing,
        }
    }

    pub(super) fn halt_for_doppelganger(&mut self, height: Height) {
        let text = format!("a message of height {height} carries our signature, and we never signed it: a second process uses this key");
        self.halt(Trouble { code: "E-DOPPELGANGER", text });
    }
}
