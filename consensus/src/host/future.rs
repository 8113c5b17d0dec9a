//! Verified messages that came early: of the next height, or of a height that has not begun here.

use std::collections::BTreeMap;

use primitives::{Address, ConsensusMessage, Height, limits::MAX_FUTURE_MESSAGES_PER_VALIDATOR};

/// Messages by height and by who signed them. Certificates, which many signed, share one place.
#[derive(Debug, Default)]
pub(super) struct Future {
    heights: BTreeMap<Height, BTreeMap<Option<Address>, Vec<ConsensusMessage>>>,
}

impl Future {
    /// Whether there is room for `message`, and it is not here yet. Asked before its signature is checked.
    pub fn wants(&self, message: &ConsensusMessage) -> bool {
        let kept = self.heights.get(&message.height()).and_then(|authors| authors.get(&author(message)));
        kept.is_none_or(|kept| kept.len() < MAX_FUTURE_MESSAGES_PER_VALIDATOR && !kept.contains(message))
    }

    /// Keeps a verified message.
    pub fn keep(&mut self, message: ConsensusMessage) {
        if self.wants(&message) {
            self.heights.entry(message.height()).or_default().entry(author(&message)).or_default().push(message);
        }
    }

    /// Everything kept for `height`: proposals first, so that votes find what they are about.
    pub fn take(&mut self, height: Height) -> Vec<ConsensusMessage> {
        let mut messages: Vec<_> = self.heights.remove(&height).into_iter().flat_map(BTreeMap::into_values).flatten().collect();
        messages.sort_by_key(|message| (message.round(), !matches!(message, ConsensusMessage::Proposal(_))));
        messages
    }

    /// Everything kept for `height`, which stays.
    pub fn at(&self, height: Height) -> impl Iterator<Item = &ConsensusMessage> {
        self.heights.get(&height).into_iter().flat_map(BTreeMap::values).flatten()
    }

    /// Whose messages of `height` are kept, each once.
    pub fn authors(&self, height: Height) -> impl Iterator<Item = &Address> {
        self.heights.get(&height).into_iter().flat_map(|authors| authors.keys().flatten())
    }

    pub fn has(&self, height: Height) -> bool {
        self.heights.contains_key(&height)
    }

    /// Forgets everything below `height`.
    pub fn forget_below(&mut self, height: Height) {
        self.heights = self.heights.split_off(&height);
    }
}

fn author(message: &ConsensusMessage) -> Option<Address> {
    match message {
        ConsensusMessage::Proposal(signed) => Some(signed.message.proposer),
        ConsensusMessage::Vote(signed) => Some(signed.message.validator),
        ConsensusMessage::Polka(_) | ConsensusMessage::Round(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use primitives::{B256, Proposal, Round, SecretKey, Signed, Vote, VoteKind};

    fn vote(byte: u8, round: u32) -> ConsensusMessage {
        let vote = Vote { kind: VoteKind::Prevote, height: Height(2), round: Round(round), value: None, validator: Address::repeat_byte(byte) };
        ConsensusMessage::Vote(Signed { message: vote, signature: SecretKey::from_bytes([1; 32]).unwrap().sign(B256::ZERO) })
    }

    #[test]
    fn each_validator_has_its_own_room() {
        let mut future = Future::default();
        (0..100).for_each(|round| future.keep(vote(1, round)));
        future.keep(vote(2, 0));
        assert!(!future.wants(&vote(1, 200)) && future.wants(&vote(2, 1)) && !future.wants(&vote(2, 0)));
        assert_eq!(future.take(Height(2)).len(), MAX_FUTURE_MESSAGES_PER_VALIDATOR + 1);
        assert!(!future.has(Height(2)));
    }

    #[test]
    fn a_proposal_comes_before_the_votes_of_its_round() {
        let mut future = Future::default();
        future.keep(vote(1, 0));
        let proposal = Proposal { height: Height(2), round: Round(0), value: B256::ZERO, pol_round: None, proposer: Address::repeat_byte(9) };
        let signature = SecretKey::from_bytes([1; 32]).unwrap().sign(B256::ZERO);
        future.keep(ConsensusMessage::Proposal(Signed { message: proposal, signature }));
        assert_eq!(future.take(Height(2))[0].name(), "proposal");
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let mut future = Future::default();
        future.keep(vote(1, 0));
        future.forget_below(Height(3));
        assert!(future.take(Height(2)).is_empty());
    }
}
