//! Validators who contradicted themselves.

use std::collections::{BTreeMap, VecDeque};

use primitives::Address;

use crate::core::Evidence;

/// Pieces kept in memory, newest last; older ones are in storage.
const MAX_KEPT: usize = 256;
/// Pieces against one validator at one height. One is proof enough, and each goes to the disk: who signs a thousand votes for one
/// step shall not fill it.
const MAX_PER_HEIGHT: usize = 8;
/// Pieces against one validator in the life of one host, for the same reason.
const MAX_OF_ONE: usize = 256;

#[derive(Debug, Default)]
pub(super) struct EvidenceBook {
    kept: VecDeque<Evidence>,
    /// How many pieces there were against each validator.
    against: BTreeMap<Address, usize>,
}

impl EvidenceBook {
    /// Keeps what is new and returns it.
    pub fn add(&mut self, evidence: Vec<Evidence>) -> Vec<Evidence> {
        let mut new = Vec::new();
        for piece in evidence {
            let against = |known: &&Evidence| (known.validator(), known.height()) == (piece.validator(), piece.height());
            let is_proved = MAX_PER_HEIGHT <= self.kept.iter().filter(against).count();
            let all = self.against.entry(piece.validator()).or_default();
            if !self.kept.contains(&piece) && !is_proved && *all < MAX_OF_ONE {
                *all += 1;
                self.kept.push_back(piece.clone());
                new.push(piece);
            }
        }
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

    fn piece(height: u64, round: u32) -> Evidence {
        let signature = SecretKey::from_bytes([1; 32]).unwrap().sign(B256::ZERO);
        let vote = |value| Vote { kind: VoteKind::Prevote, height: Height(height), round: Round(round), value, validator: Address::ZERO };
        Evidence::Votes(Signed { message: vote(None), signature }, Signed { message: vote(Some(B256::ZERO)), signature })
    }

    #[test]
    fn one_height_of_one_validator_fills_no_disk() {
        let mut book = EvidenceBook::default();
        assert_eq!(book.add((0..1_000).map(|round| piece(1, round)).collect()).len(), MAX_PER_HEIGHT);
        assert!(book.add(vec![piece(1, 2_000)]).is_empty());
        assert_eq!(book.add(vec![piece(2, 0)]).len(), 1);
    }

    #[test]
    fn a_piece_is_new_once_and_one_validator_is_not_accused_for_ever() {
        let mut book = EvidenceBook::default();
        assert_eq!(book.add(vec![piece(1, 0)]).len(), 1);
        assert!(book.add(vec![piece(1, 0)]).is_empty());
        let new: usize = (2..1_000).map(|height| book.add(vec![piece(height, 0)]).len()).sum();
        assert_eq!((new + 1, book.iter().count()), (MAX_OF_ONE, MAX_KEPT));
    }
}
