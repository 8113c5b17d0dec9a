//! Signatures that were checked before.

use std::collections::{BTreeMap, HashSet};

use primitives::{B256, Height, Signature};

/// Signatures remembered for one height; more are checked each time they are seen.
const MAX_REMEMBERED_PER_HEIGHT: usize = 1 << 16;

/// The signatures of the current height and the next, whose first messages arrive early. A digest names its signer, so the
/// pair says all. Other heights are never remembered: a validator who signs for a far height must not push out what counts.
#[derive(Debug, Default)]
pub(super) struct Verified {
    current: Height,
    heights: BTreeMap<Height, HashSet<(B256, Signature)>>,
}

impl Verified {
    /// Forgets everything below `height`.
    pub fn advance(&mut self, height: Height) {
        self.current = height;
        self.heights = self.heights.split_off(&height);
    }

    pub fn contains(&self, height: Height, digest: B256, signature: &Signature) -> bool {
        self.heights.get(&height).is_some_and(|known| known.contains(&(digest, *signature)))
    }

    /// Remembers a signature that holds.
    pub fn insert(&mut self, height: Height, digest: B256, signature: Signature) {
        if height != self.current && height != self.current.next() {
            return;
        }
        let known = self.heights.entry(height).or_default();
        if known.len() < MAX_REMEMBERED_PER_HEIGHT {
            known.insert((digest, signature));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use primitives::SecretKey;

    #[test]
    fn two_heights_are_remembered_and_no_others() {
        let signature = SecretKey::from_bytes([1; 32]).unwrap().sign(B256::ZERO);
        let mut verified = Verified::default();
        let known =
            |verified: &Verified| -> Vec<u64> { (3..9).filter(|height| verified.contains(Height(*height), B256::ZERO, &signature)).collect() };
        verified.advance(Height(5));
        (3..9).for_each(|height| verified.insert(Height(height), B256::ZERO, signature));
        assert_eq!(known(&verified), [5, 6]);
        verified.advance(Height(6));
        assert_eq!(known(&verified), [6]);
    }
}
