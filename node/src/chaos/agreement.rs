//! What every validator says about each height, held against what the others say: a rule over what was read.

use std::collections::BTreeMap;

use primitives::B256;

/// A block as a validator shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub height: u64,
    pub hash: B256,
    pub parent: B256,
    pub transactions: Vec<B256>,
}

/// All that was read, and what contradicts itself in it.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    /// The first block that was shown at each height.
    blocks: BTreeMap<u64, Block>,
    /// In which block each transaction is.
    places: BTreeMap<B256, u64>,
    tips: BTreeMap<usize, u64>,
    read: u64,
    forks: Vec<String>,
    repeats: Vec<String>,
}

impl Agreement {
    /// A validator called `name` says that this is the block at its height.
    pub fn block(&mut self, name: &str, block: Block) {
        self.read += 1;
        let Block { height, hash, parent, .. } = block;
        if let Some(known) = self.blocks.get(&height) {
            if known.hash != hash {
                self.forks.push(format!("height {height}: {name} has {hash}, another validator or an earlier answer {}", known.hash));
            }
            return;
        }
        let next = self.blocks.get(&(height + 1));
        let before = height.checked_sub(1).and_then(|height| self.blocks.get(&height));
        if let Some(before) = before.filter(|before| before.hash != parent) {
            self.forks.push(format!("height {height}: {name} has {hash} on {parent}, but the block before is {}", before.hash));
        }
        if let Some(next) = next.filter(|next| next.parent != hash) {
            self.forks.push(format!("height {height}: {name} has {hash}, but the next block stands on {}", next.parent));
        }
        for transaction in &block.transactions {
            if let Some(earlier) = self.places.insert(*transaction, height) {
                self.repeats.push(format!("transaction {transaction} is in blocks {earlier} and {height}"));
            }
        }
        self.blocks.insert(height, block);
    }

    /// `validator`, called `name`, says that this is its latest height.
    pub fn tip(&mut self, validator: usize, name: &str, height: u64) {
        let tip = self.tips.entry(validator).or_default();
        if height < *tip {
            self.repeats.push(format!("{name} stood at height {tip} and stands at {height} now"));
        }
        *tip = height;
    }

    /// Two blocks at one height.
    pub fn forks(&self) -> &[String] {
        &self.forks
    }

    /// What happened again, or was taken back.
    pub fn repeats(&self) -> &[String] {
        &self.repeats
    }

    /// Blocks that were read, each from each validator.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// The heights that were seen, and which of them have transactions.
    pub fn heights(&self) -> impl DoubleEndedIterator<Item = (u64, bool)> {
        self.blocks.values().map(|block| (block.height, !block.transactions.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> B256 {
        B256::repeat_byte(byte)
    }

    fn block(height: u64, own: u8, parent: u8) -> Block {
        Block { height, hash: hash(own), parent: hash(parent), transactions: Vec::new() }
    }

    #[test]
    fn validators_that_agree_contradict_nobody_in_whatever_order_they_are_read() {
        let mut agreement = Agreement::default();
        for (validator, height) in [(0, 1), (1, 1), (0, 3), (1, 2), (0, 2), (1, 3)] {
            agreement.block("v", block(height, height as u8, height as u8 - 1));
            agreement.tip(validator, "v", 3);
        }
        assert_eq!((agreement.forks(), agreement.repeats(), agreement.read()), (&[][..], &[][..], 6));
    }

    #[test]
    fn another_hash_at_the_same_height_is_a_fork_that_names_both() {
        let mut agreement = Agreement::default();
        agreement.block("a", block(1, 1, 0));
        agreement.block("b", block(1, 9, 0));
        let [fork] = agreement.forks() else { panic!("{:?}", agreement.forks()) };
        assert!(fork.contains("height 1: b has 0x0909") && fork.contains("0x0101"), "{fork}");
    }

    #[test]
    fn a_block_that_does_not_stand_on_the_one_before_is_a_fork() {
        for order in [[1, 2], [2, 1]] {
            let mut agreement = Agreement::default();
            order.into_iter().for_each(|height| agreement.block("a", if height == 1 { block(1, 1, 0) } else { block(2, 2, 7) }));
            assert_eq!(agreement.forks().len(), 1, "{order:?}");
        }
    }

    #[test]
    fn a_tip_that_falls_and_a_transaction_in_two_blocks_are_told() {
        let mut agreement = Agreement::default();
        agreement.tip(0, "a", 5);
        agreement.tip(1, "b", 4);
        agreement.tip(0, "a", 3);
        assert_eq!(agreement.repeats(), ["a stood at height 5 and stands at 3 now"]);
        let mut agreement = Agreement::default();
        for height in [1, 2] {
            agreement.block("a", Block { transactions: vec![hash(42)], ..block(height, height as u8, height as u8 - 1) });
        }
        assert_eq!(agreement.repeats().len(), 1);
    }
}
