//! The tree of executed blocks above the last one that is written.
//!
//! ```text
//!                      .-- 8b
//!   finalised 7 --- 8a --- 9a          decided: 8a, being written
//!                      `-- 9b
//! ```
//!
//! When 8a is decided, 8b and all above it can only lose: nothing more is built there, and once 8a is written it is
//! dropped and its transactions go back to whoever keeps those that wait. What is decided never changes.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
};

use alloy_primitives::B256;
use primitives::{Header, RecoveredTransaction, limits};

use crate::{Executed, Overlay, Rule, StateReader, trie::StateTrie};

/// Broken blocks that are remembered, so that they are refused without being run again.
const MAX_REMEMBERED_RULES: usize = 64;

/// Where a block can be executed.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    pub header: Header,
    pub hash: B256,
    pub state: Overlay,
    pub trie: StateTrie,
}

/// Why no block can be executed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoParent {
    Unknown,
    Conflict,
}

pub(crate) struct Branches {
    base: Arc<dyn StateReader>,
    root: Header,
    root_hash: B256,
    root_trie: StateTrie,
    /// Sorted, so that whoever walks over them finds the same order everywhere.
    blocks: BTreeMap<B256, Entry>,
    broken: VecDeque<(B256, Rule)>,
    /// Decided and not yet finalised, lowest first.
    decided: VecDeque<B256>,
    /// Counts insertions: the age of an entry.
    age: u64,
}

struct Entry {
    executed: Arc<Executed>,
    /// Whether every rule was checked, not just executed: a block that we built has not been judged.
    is_judged: bool,
    age: u64,
}

impl Branches {
    pub fn new(base: Arc<dyn StateReader>, root: Header, root_hash: B256) -> Self {
        let root_trie = StateTrie::open(root.state_root);
        Self { base, root, root_hash, root_trie, blocks: BTreeMap::new(), broken: VecDeque::new(), decided: VecDeque::new(), age: 0 }
    }

    /// The last block that is written, and the state after it.
    pub fn finalised(&self) -> (B256, &Header, &Arc<dyn StateReader>) {
        (self.root_hash, &self.root, &self.base)
    }

    /// The last block that is decided, written or not.
    pub fn last_decided(&self) -> (B256, u64) {
        self.decided.back().and_then(|hash| self.get(hash)).map_or((self.root_hash, self.root.number), |block| (block.hash, block.number()))
    }

    pub fn get(&self, hash: &B256) -> Option<&Arc<Executed>> {
        self.blocks.get(hash).map(|entry| &entry.executed)
    }

    pub fn is_judged(&self, hash: &B256) -> bool {
        self.blocks.get(hash).is_some_and(|entry| entry.is_judged)
    }

    /// How many heights are decided and not yet finalised.
    pub fn unwritten(&self) -> usize {
        self.decided.len()
    }

    /// What is decided and not yet finalised at `number`.
    pub fn decided_at(&self, number: u64) -> Option<B256> {
        let index = number.checked_sub(self.root.number + 1)?;
        self.decided.get(usize::try_from(index).ok()?).copied()
    }

    pub fn is_decided(&self, hash: &B256) -> bool {
        self.decided.contains(hash)
    }

    pub fn broken_rule(&self, hash: &B256) -> Option<&Rule> {
        self.broken.iter().find(|(broken, _)| broken == hash).map(|(_, rule)| rule)
    }

    /// Where the block with this parent, number and hash is to be executed, unless something else is decided there.
    pub fn parent_of(&self, parent: &B256, number: u64, hash: Option<&B256>) -> Result<Parent, NoParent> {
        let (_, last_decided) = self.last_decided();
        if number <= last_decided && hash.is_none_or(|hash| !self.is_decided(hash)) {
            return Err(NoParent::Conflict);
        }
        let layers = self.path_to(parent).ok_or(NoParent::Unknown)?;
        if !self.agrees_with_decided(&layers) {
            return Err(NoParent::Conflict);
        }
        Ok(self.place(layers))
    }

    /// The state after a block of the tree, or after the root.
    pub fn state_after(&self, hash: &B256) -> Option<Overlay> {
        self.path_to(hash).map(|layers| Overlay::new(self.base.clone(), layers))
    }

    /// Adds a block; the oldest at its height makes room if there are too many.
    pub fn insert(&mut self, executed: Arc<Executed>, is_judged: bool) {
        let (hash, number) = (executed.hash, executed.number());
        if let Some(entry) = self.blocks.get_mut(&hash) {
            entry.is_judged |= is_judged;
            return;
        }
        // Its parent may have been dropped, or something else decided, while it was being executed.
        if self.parent_of(&executed.header().parent_hash, number, Some(&hash)).is_err() {
            return;
        }
        self.age += 1;
        self.blocks.insert(hash, Entry { executed, is_judged, age: self.age });
        while let Some(oldest) = self.excess_at(number) {
            self.remove_with_descendants(oldest);
        }
    }

    /// Remembers that a block breaks a rule.
    pub fn remember_broken(&mut self, hash: B256, rule: Rule) {
        if self.broken.len() >= MAX_REMEMBERED_RULES {
            self.broken.pop_front();
        }
        self.broken.push_back((hash, rule));
    }

    /// Marks a block of the tree as decided. It must stand on the last decided one.
    pub fn decide(&mut self, hash: B256) {
        if !self.is_decided(&hash) {
            self.decided.push_back(hash);
        }
    }

    /// Transactions of blocks that lost against the decided ones and are not in the decided ones themselves.
    pub fn dropped_by(&self, decided: &Executed) -> Vec<RecoveredTransaction> {
        let mut seen: HashSet<B256> = decided.transaction_hashes().collect();
        let mut dropped = Vec::new();
        for entry in self.blocks.values() {
            if entry.executed.number() == decided.number() && entry.executed.hash != decided.hash {
                let lost = self.with_descendants(entry.executed.hash);
                let transactions = lost.iter().filter_map(|hash| self.get(hash)).flat_map(|block| block.transactions());
                dropped.extend(transactions.filter(|transaction| seen.insert(*transaction.tx_hash())));
            }
        }
        dropped
    }

    /// Moves the root up to `hash`, which is decided and written: `base` is the state after it.
    pub fn finalise(&mut self, hash: B256, base: Arc<dyn StateReader>) -> Option<Arc<Executed>> {
        let position = self.decided.iter().position(|decided| *decided == hash)?;
        let executed = self.get(&hash)?.clone();
        self.decided.drain(..=position);
        let kept = self.with_descendants(hash);
        self.blocks.retain(|block, _| *block != hash && kept.contains(block));
        (self.root, self.root_hash, self.root_trie, self.base) = (executed.header().clone(), hash, executed.trie.clone(), base);
        self.broken.clear();
        Some(executed)
    }

    /// The best undecided tip: longest, then lowest hash. It never influences a vote.
    pub fn head(&self) -> (B256, u64) {
        let agreeing = self.blocks.values().filter(|entry| self.path_to(&entry.executed.hash).is_some_and(|path| self.agrees_with_decided(&path)));
        let tips = agreeing.map(|entry| (entry.executed.number(), std::cmp::Reverse(entry.executed.hash)));
        tips.max().map_or((self.root_hash, self.root.number), |(number, hash)| (hash.0, number))
    }

    fn place(&self, layers: Vec<Arc<Executed>>) -> Parent {
        let (header, hash, trie) = match layers.last() {
            Some(block) => (block.header().clone(), block.hash, block.trie.clone()),
            None => (self.root.clone(), self.root_hash, self.root_trie.clone()),
        };
        Parent { header, hash, trie, state: Overlay::new(self.base.clone(), layers) }
    }

    /// The blocks from above the root up to `hash`, oldest first; none if it is not in the tree.
    fn path_to(&self, hash: &B256) -> Option<Vec<Arc<Executed>>> {
        let (mut path, mut at) = (Vec::new(), *hash);
        while at != self.root_hash {
            let block = self.get(&at)?;
            path.push(block.clone());
            at = block.header().parent_hash;
        }
        path.reverse();
        Some(path)
    }

    fn agrees_with_decided(&self, path: &[Arc<Executed>]) -> bool {
        path.iter().zip(&self.decided).all(|(block, decided)| block.hash == *decided)
    }

    fn with_descendants(&self, hash: B256) -> Vec<B256> {
        let mut found = vec![hash];
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            found.extend(self.blocks.values().filter(|entry| entry.executed.header().parent_hash == parent).map(|entry| entry.executed.hash));
            next += 1;
        }
        found
    }

    fn remove_with_descendants(&mut self, hash: B256) {
        for hash in self.with_descendants(hash) {
            self.blocks.remove(&hash);
        }
    }

    fn excess_at(&self, number: u64) -> Option<B256> {
        let at_height = self.blocks.values().filter(|entry| entry.executed.number() == number);
        let (count, undecided) = (at_height.clone().count(), at_height.filter(|entry| !self.is_decided(&entry.executed.hash)));
        (count > limits::MAX_OVERLAYS_PER_HEIGHT).then(|| undecided.min_by_key(|entry| entry.age).map(|entry| entry.executed.hash))?
    }
}
