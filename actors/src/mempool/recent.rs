//! Hashes that came up lately, for telling nothing twice.

use std::collections::HashSet;

use primitives::B256;

/// Two generations of at most so many hashes each: what was not seen for as long as one lasts is forgotten.
#[derive(Debug)]
pub struct Recent {
    young: HashSet<B256>,
    old: HashSet<B256>,
    max: usize,
}

impl Recent {
    pub fn new(max: usize) -> Self {
        Self { young: HashSet::new(), old: HashSet::new(), max }
    }

    /// Remembers `hash`; says whether that is news.
    pub fn insert(&mut self, hash: B256) -> bool {
        if self.max <= self.young.len() {
            self.age();
        }
        !self.old.contains(&hash) & self.young.insert(hash)
    }

    pub fn contains(&self, hash: &B256) -> bool {
        self.young.contains(hash) || self.old.contains(hash)
    }

    /// Begins a new generation and forgets the one before the last.
    pub fn age(&mut self) {
        self.old = std::mem::take(&mut self.young);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_news_once_and_forgotten_after_two_generations() {
        let mut recent = Recent::new(10);
        let hash = B256::repeat_byte(1);
        assert_eq!([recent.insert(hash), recent.insert(hash)], [true, false]);
        recent.age();
        assert!(recent.contains(&hash));
        recent.age();
        assert!(!recent.contains(&hash));
    }

    #[test]
    fn a_flood_is_forgotten_in_turn_and_the_last_are_known() {
        let mut recent = Recent::new(10);
        (0..=255).for_each(|byte| _ = recent.insert(B256::repeat_byte(byte)));
        assert!(recent.young.len() + recent.old.len() <= 20);
        assert!((246..=255).all(|byte| recent.contains(&B256::repeat_byte(byte))));
    }
}
