//! What is known of contradictions, bounded in every direction.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use primitives::{Address, Evidence, Offence};

/// Pairs that are kept of one validator. The first convicts it.
pub const MAX_OF_ONE: usize = 64;
/// Pieces that a peer is told when it comes, the newest.
const MAX_RECENT: usize = 32;

/// What a piece is before anybody looks at its signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    New,
    /// Another pair proves the same already.
    Known,
    /// Of this validator there are enough.
    Enough,
}

#[derive(Debug, Default)]
pub struct Book {
    known: BTreeMap<Address, BTreeSet<Offence>>,
    /// The newest last.
    recent: VecDeque<Evidence>,
}

impl Book {
    /// Knows what is on disk, where nothing tells what came first: the highest counts as the newest.
    pub fn restored(mut kept: Vec<Evidence>) -> Self {
        let mut book = Self::default();
        kept.sort_by_key(Evidence::offence);
        kept.sort_by_key(Evidence::height);
        for piece in kept {
            book.learn(piece);
        }
        book
    }

    pub fn standing(&self, piece: &Evidence) -> Standing {
        let offence = piece.offence();
        match self.known.get(&offence.validator) {
            Some(known) if known.contains(&offence) => Standing::Known,
            Some(known) if MAX_OF_ONE <= known.len() => Standing::Enough,
            _ => Standing::New,
        }
    }

    /// Knows a piece that holds from now on; says whether that is news.
    pub fn learn(&mut self, piece: Evidence) -> bool {
        if self.standing(&piece) != Standing::New {
            return false;
        }
        let offence = piece.offence();
        self.known.entry(offence.validator).or_default().insert(offence);
        self.recent.push_back(piece);
        if MAX_RECENT < self.recent.len() {
            self.recent.pop_front();
        }
        true
    }

    /// What whoever comes should know, the newest last.
    pub fn recent(&self) -> impl Iterator<Item = &Evidence> {
        self.recent.iter()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use primitives::{B256, Height, Round, SecretKey, Signed, Vote, VoteKind};

    use super::*;

    fn piece(validator: u8, height: u64, value: u8) -> Evidence {
        let signature = SecretKey::from_bytes([1; 32]).unwrap().sign(B256::ZERO);
        let validator = Address::repeat_byte(validator);
        let vote = |value| Vote { kind: VoteKind::Prevote, height: Height(height), round: Round(0), value, validator };
        Evidence::Votes(Signed { message: vote(None), signature }, Signed { message: vote(Some(B256::repeat_byte(value))), signature })
    }

    #[test]
    fn an_offence_is_news_once_whatever_pair_proves_it() {
        let mut book = Book::default();
        assert_eq!([book.learn(piece(1, 1, 1)), book.learn(piece(1, 1, 2)), book.learn(piece(1, 2, 1))], [true, false, true]);
        assert_eq!(book.recent().count(), 2);
    }

    #[test]
    fn one_validator_fills_neither_memory_nor_disk_and_others_are_heard_all_the_same() {
        let mut book = Book::default();
        assert_eq!((0..1_000).filter(|height| book.learn(piece(1, *height, 1))).count(), MAX_OF_ONE);
        assert_eq!((book.standing(&piece(1, 1_000, 1)), book.standing(&piece(2, 1, 1))), (Standing::Enough, Standing::New));
        assert_eq!(book.recent().count(), MAX_RECENT);
    }

    #[test]
    fn what_is_on_disk_is_known_and_the_highest_counts_as_the_newest() {
        let book = Book::restored((0..50).rev().map(|height| piece(1, height, 1)).collect());
        assert_eq!(book.standing(&piece(1, 7, 9)), Standing::Known);
        assert_eq!(book.recent().last(), Some(&piece(1, 49, 1)));
    }
}
