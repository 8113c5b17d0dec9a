//! Crashes that come back.
//!
//! What brings the core down may stand in the journal or be sent again by a peer, and then restarting does not help. After
//! three failures on the same input the core stays out of that height: it is decided by others and fetched.

use std::collections::BTreeMap;

use primitives::{B256, Height, keccak256};

use crate::{Entry, core::Input};

/// Failures on the same input after which the core stays out of the height.
const MAX_FAILURES: u32 = 3;
/// Inputs remembered; further ones count as one.
const MAX_INPUTS: usize = 64;

/// What brought the core down at one height, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    height: Height,
    failures: BTreeMap<B256, u32>,
}

impl Breaker {
    /// The core failed at `height` on the input with this name.
    pub fn failed(&mut self, height: Height, input: B256) {
        if height != self.height {
            *self = Self { height, failures: BTreeMap::new() };
        }
        let has_room = self.failures.len() < MAX_INPUTS || self.failures.contains_key(&input);
        *self.failures.entry(if has_room { input } else { B256::ZERO }).or_default() += 1;
    }

    /// Whether the core stays out of `height`.
    pub fn is_open(&self, height: Height) -> bool {
        height == self.height && self.failures.values().any(|failures| MAX_FAILURES <= *failures)
    }
}

/// A name for an input that is the same whether it comes from the journal or from a peer.
pub(super) fn name(input: &Input) -> B256 {
    use primitives::ConsensusMessage::{Polka, Proposal, Round, Vote};
    match input {
        Input::Message(Proposal(signed)) => name_entry(&Entry::Proposal(signed.clone())),
        Input::Message(Vote(signed)) => name_entry(&Entry::Vote(signed.clone())),
        Input::Message(Polka(polka)) => name_entry(&Entry::Polka(polka.clone())),
        Input::Judged(judged) => name_entry(&Entry::Judged(judged.clone())),
        Input::Message(Round(_)) | Input::Propose { .. } | Input::Elapsed(_) => keccak256(format!("{input:?}")),
    }
}

/// See [`name`].
pub(super) fn name_entry(entry: &Entry) -> B256 {
    keccak256(format!("{entry:?}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn three_failures_on_one_input_open_it_until_the_next_height() {
        let mut breaker = Breaker::default();
        let input = B256::repeat_byte(1);
        breaker.failed(Height(5), input);
        breaker.failed(Height(5), B256::repeat_byte(2));
        breaker.failed(Height(5), input);
        assert!(!breaker.is_open(Height(5)));
        breaker.failed(Height(5), input);
        assert!(breaker.is_open(Height(5)) && !breaker.is_open(Height(6)));
        breaker.failed(Height(6), input);
        assert!(!breaker.is_open(Height(6)));
    }
}
