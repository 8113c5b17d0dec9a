//! Validators who contradicted themselves.

use std::collections::VecDeque;

use crate::core::Evidence;

/// Pieces kept in memory, newest last; older ones are in storage.
const MAX_KEPT: usize = 256;

#[derive(Debug, Default)]
pub(super) struct EvidenceBook {
    kept: VecDeque<Evidence>,
}

impl EvidenceBook {
    /// Keeps what is new and returns it.
    pub fn add(&mut self, evidence: Vec<Evidence>) -> Vec<Evidence> {
        let new: Vec<_> = evidence.into_iter().filter(|piece| !self.kept.contains(piece)).collect();
        self.kept.extend(new.iter().cloned());
        let surplus = self.kept.len().saturating_sub(MAX_KEPT);
        self.kept.drain(..surplus);
        new
    }

    pub fn iter(&self) -> impl Iterator<Item = &Evidence> {
        self.kept.iter()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use primitives::{Address, B256, Height, Round, SecretKey, Signed, Vote, VoteKind};

    fn piece(round: u32) -> Evidence {
        let signature = SecretKey::from_bytes([1; 32]).unwrap().sign(B256::ZERO);
        let vote = |value| Vote { kind: VoteKind::Prevote, height: Height(1), round: Round(round), value, validator: Address::ZERO };
        Evidence::Votes(Signed { message: vote(None), signature }, Signed { message: vote(Some(B256::ZERO)), signature })
    }

    #[test]
    fn a_piece_is_new_once_and_the_newest_are_kept() {
        let mut book = EvidenceBook::default();
        assert_eq!(book.add(vec![piece(1)]).len(), 1);
        assert!(book.add(vec![piece(1)]).is_empty());
        (0..1_000).for_each(|round| drop(book.add(vec![piece(round)])));
        assert_eq!(book.iter().count(), MAX_KEPT);
    }
}
