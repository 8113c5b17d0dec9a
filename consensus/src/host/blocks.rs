//! Blocks of the current height: the core hears of one only when its verdict is known and, if our key votes, its body is durable.
//!
//! A large body is synced by itself. A small one rides in the journal, and is held here until it may be written there: anybody
//! can send bodies, so only what a verified proposal names, or what we built, is worth the room.

use std::collections::{BTreeMap, VecDeque};

use primitives::{B256, Height, Round};

use super::event::{ProposedBlock, Verdict};
use crate::{
    core::Input,
    entry::{BodyEntry, JudgedEntry},
};

/// Blocks known at one height; beyond them the oldest one without a durable body is forgotten. The core admits fewer.
const MAX_BLOCKS: usize = 256;
/// Bodies held at one height.
const MAX_HELD: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: BTreeMap<B256, Block>,
    /// Values in order of arrival.
    order: VecDeque<B256>,
}

#[derive(Debug, Default)]
struct Block {
    body: Body,
    /// We built it.
    is_ours: bool,
    /// Rounds in which we propose it, as long as the core was not told.
    built: Option<(Height, Round)>,
    judged: Option<(ProposedBlock, Verdict)>,
}

/// Where a body is.
#[derive(Debug, Default)]
enum Body {
    /// Not here.
    #[default]
    Away,
    /// In memory alone.
    Held(BodyEntry),
    /// On disk, or on its way there ahead of anything that follows from it.
    Durable,
}

impl Blocks {
    /// The body is on disk.
    pub fn durable(&mut self, value: B256) {
        self.block(value).body = Body::Durable;
    }

    /// A body that is on no disk yet. Of too many, one goes that `is_proposed` does not know, or else the oldest.
    pub fn hold(&mut self, entry: BodyEntry, is_proposed: impl Fn(B256) -> bool) {
        let block = self.block(entry.value);
        if matches!(block.body, Body::Away) {
            block.body = Body::Held(entry);
            self.limit_held(is_proposed);
        }
    }

    fn limit_held(&mut self, is_proposed: impl Fn(B256) -> bool) {
        let is_held = |value: &&B256| self.blocks.get(*value).is_some_and(|block| matches!(block.body, Body::Held(_)));
        let held: Vec<B256> = self.order.iter().filter(is_held).copied().collect();
        if held.len() <= MAX_HELD {
            return;
        }
        let is_wanted = |value: B256| is_proposed(value) || self.blocks.get(&value).is_some_and(|block| block.is_ours);
        let surplus = held.iter().find(|value| !is_wanted(**value)).or(held.first());
        if let Some(block) = surplus.copied().and_then(|value| self.blocks.get_mut(&value)) {
            block.body = Body::Away;
        }
    }

    /// Takes the held bodies of blocks that are ours or that `is_proposed` knows: from now on they count as durable.
    pub fn take_held(&mut self, is_proposed: impl Fn(B256) -> bool) -> Vec<BodyEntry> {
        let wanted = self.blocks.iter_mut().filter(|(value, block)| block.is_ours || is_proposed(**value));
        wanted.filter_map(|(_, block)| block.take_held()).collect()
    }

    /// We propose this block.
    pub fn built(&mut self, height: Height, round: Round, value: B256) {
        let block = self.block(value);
        block.is_ours = true;
        block.built = Some((height, round));
    }

    /// A verdict; returns whether it is news. Invalid stays invalid; a later verdict replaces none.
    pub fn judged(&mut self, proposed: ProposedBlock, verdict: Verdict) -> bool {
        let block = self.block(proposed.value);
        let is_final = matches!(block.judged, Some((_, Verdict::Invalid { .. })));
        let is_news = verdict != Verdict::None && !is_final;
        if is_news {
            block.judged = Some((proposed, verdict));
        }
        is_news
    }

    /// What the core may be told of a block now; a proposal of ours once.
    pub fn inputs(&mut self, value: B256, needs_disk: bool) -> Vec<Input> {
        let Some(block) = self.blocks.get_mut(&value).filter(|block| block.is_ready(needs_disk)) else { return Vec::new() };
        let built = block.built.take().map(|(height, round)| Input::Propose { height, round, value });
        built.into_iter().chain(block.judgement()).collect()
    }

    /// The rules broken by blocks that were judged invalid.
    pub fn invalid(&self) -> impl Iterator<Item = (B256, &str)> {
        self.blocks.iter().filter_map(|(value, block)| match &block.judged {
            Some((_, Verdict::Invalid { rule })) => Some((*value, rule.as_str())),
            _ => None,
        })
    }

    /// Everything a core may be told again.
    pub fn judgements(&self, needs_disk: bool) -> Vec<Input> {
        self.blocks.values().filter(|block| block.is_ready(needs_disk)).filter_map(Block::judgement).collect()
    }

    fn block(&mut self, value: B256) -> &mut Block {
        if !self.blocks.contains_key(&value) {
            if self.order.len() == MAX_BLOCKS {
                self.forget_one();
            }
            self.order.push_back(value);
        }
        self.blocks.entry(value).or_default()
    }

    fn forget_one(&mut self) {
        let is_loose = |value: &B256| self.blocks.get(value).is_none_or(|block| !matches!(block.body, Body::Durable));
        let position = self.order.iter().position(is_loose).unwrap_or_default();
        if let Some(value) = self.order.remove(position) {
            self.blocks.remove(&value);
        }
    }
}

impl Block {
    fn is_ready(&self, needs_disk: bool) -> bool {
        match self.body {
            Body::Away => false,
            Body::Held(_) => !needs_disk,
            Body::Durable => true,
        }
    }

    fn take_held(&mut self) -> Option<BodyEntry> {
        match std::mem::take(&mut self.body) {
            Body::Held(entry) => {
                self.body = Body::Durable;
                Some(entry)
            }
            other => {
                self.body = other;
                None
            }
        }
    }

    fn judgement(&self) -> Option<Input> {
        let (proposed, verdict) = self.judged.as_ref()?;
        let ProposedBlock { height, round, pol_round, proposer, value } = *proposed;
        let is_valid = *verdict == Verdict::Valid;
        Some(Input::Judged(JudgedEntry { height, round, pol_round, proposer, value, is_valid }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use primitives::Address;

    fn block(byte: u8) -> ProposedBlock {
        ProposedBlock { height: Height(1), round: Round(0), pol_round: None, proposer: Address::ZERO, value: B256::repeat_byte(byte) }
    }

    fn body(byte: u8) -> BodyEntry {
        BodyEntry { height: Height(1), round: Round(0), value: B256::repeat_byte(byte), body: vec![byte].into() }
    }

    fn taken(blocks: &mut Blocks, is_proposed: impl Fn(B256) -> bool) -> Vec<u8> {
        blocks.take_held(is_proposed).iter().map(|entry| entry.body[0]).collect()
    }

    #[test]
    fn nothing_is_fed_before_the_body_is_durable() {
        let (mut blocks, [one, two]) = (Blocks::default(), [1, 2].map(B256::repeat_byte));
        blocks.judged(block(1), Verdict::Valid);
        blocks.built(Height(1), Round(0), two);
        assert!(blocks.inputs(one, true).is_empty() && blocks.inputs(two, true).is_empty());
        blocks.durable(one);
        blocks.durable(two);
        assert!(matches!(blocks.inputs(one, true)[..], [Input::Judged(JudgedEntry { is_valid: true, .. })]));
        assert!(matches!(blocks.inputs(two, true)[..], [Input::Propose { .. }]));
        assert!(blocks.inputs(two, true).is_empty(), "once");
    }

    #[test]
    fn a_held_body_is_enough_for_a_core_that_does_not_vote() {
        let mut blocks = Blocks::default();
        blocks.hold(body(1), |_| true);
        blocks.judged(block(1), Verdict::Valid);
        assert!(blocks.judgements(true).is_empty());
        assert_eq!(blocks.judgements(false).len(), 1);
        assert_eq!(taken(&mut blocks, |_| true), [1]);
        assert_eq!(blocks.judgements(true).len(), 1);
    }

    #[test]
    fn a_body_is_taken_once_and_only_if_it_was_proposed_or_is_ours() {
        let mut blocks = Blocks::default();
        (1..=3).for_each(|byte| blocks.hold(body(byte), |_| false));
        blocks.built(Height(1), Round(0), B256::repeat_byte(3));
        assert_eq!(taken(&mut blocks, |value| value == B256::repeat_byte(2)), [2, 3]);
        blocks.hold(body(2), |_| true);
        assert_eq!(taken(&mut blocks, |_| true), [1]);
    }

    #[test]
    fn of_too_many_bodies_those_stay_that_were_proposed() {
        let (mut blocks, proposed) = (Blocks::default(), |value| value == B256::repeat_byte(1) || value == B256::repeat_byte(2));
        (1..=100).for_each(|byte| blocks.hold(body(byte), proposed));
        let kept = taken(&mut blocks, |_| true);
        assert_eq!(kept[..2], [1, 2]);
        assert_eq!(kept.len(), MAX_HELD);
    }

    #[test]
    fn no_verdict_feeds_nothing_and_may_become_valid_later() {
        let mut blocks = Blocks::default();
        blocks.durable(B256::repeat_byte(1));
        assert!(!blocks.judged(block(1), Verdict::None) && blocks.judgements(true).is_empty());
        assert!(blocks.judged(block(1), Verdict::Valid));
        assert!(matches!(blocks.judgements(true)[..], [Input::Judged(JudgedEntry { is_valid: true, .. })]));
    }

    #[test]
    fn invalid_stays_invalid() {
        let mut blocks = Blocks::default();
        blocks.durable(B256::repeat_byte(1));
        assert!(blocks.judged(block(1), Verdict::Invalid { rule: "gas".into() }));
        assert!(!blocks.judged(block(1), Verdict::Valid));
        assert!(matches!(blocks.judgements(true)[..], [Input::Judged(JudgedEntry { is_valid: false, .. })]));
        assert_eq!(blocks.invalid().collect::<Vec<_>>(), [(B256::repeat_byte(1), "gas")]);
    }
}
