//! Blocks of the current height: the core hears of one only when its body is durable and its verdict is known.

use std::collections::BTreeMap;

use primitives::{B256, Height, Round};

use super::event::{ProposedBlock, Verdict};
use crate::{core::Input, entry::JudgedEntry};

/// Blocks known at one height; the oldest is forgotten first. The core admits fewer.
const MAX_BLOCKS: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: BTreeMap<B256, Block>,
    /// Values in order of arrival.
    order: std::collections::VecDeque<B256>,
}

#[derive(Debug, Default)]
struct Block {
    is_durable: bool,
    /// Rounds in which we propose it.
    built: Option<(Height, Round)>,
    judged: Option<(ProposedBlock, Verdict)>,
}

impl Blocks {
    /// The body is on disk. Returns what may be fed now.
    pub fn durable(&mut self, value: B256) -> Vec<Input> {
        let block = self.block(value);
        block.is_durable = true;
        let built = block.built.take().map(|(height, round)| Input::Propose { height, round, value });
        built.into_iter().chain(block.judgement()).collect()
    }

    /// We propose this block. Returns what may be fed now.
    pub fn built(&mut self, height: Height, round: Round, value: B256) -> Option<Input> {
        let block = self.block(value);
        if block.is_durable {
            return Some(Input::Propose { height, round, value });
        }
        block.built = Some((height, round));
        None
    }

    /// A verdict. Returns what may be fed now. Invalid stays invalid; a later verdict replaces none.
    pub fn judged(&mut self, proposed: ProposedBlock, verdict: Verdict) -> Option<Input> {
        let block = self.block(proposed.value);
        let is_final = matches!(block.judged, Some((_, Verdict::Invalid { .. })));
        if verdict == Verdict::None || is_final {
            return None;
        }
        block.judged = Some((proposed, verdict));
        block.judgement()
    }

    /// The rules broken by blocks that were judged invalid.
    pub fn invalid(&self) -> impl Iterator<Item = (B256, &str)> {
        self.blocks.iter().filter_map(|(value, block)| match &block.judged {
            Some((_, Verdict::Invalid { rule })) => Some((*value, rule.as_str())),
            _ => None,
        })
    }

    /// Everything a core may be told again.
    pub fn judgements(&self) -> Vec<Input> {
        self.blocks.values().filter_map(Block::judgement).collect()
    }

    fn block(&mut self, value: B256) -> &mut Block {
        if !self.blocks.contains_key(&value) {
            if self.order.len() == MAX_BLOCKS
                && let Some(oldest) = self.order.pop_front()
            {
                self.blocks.remove(&oldest);
            }
            self.order.push_back(value);
        }
        self.blocks.entry(value).or_default()
    }
}

impl Block {
    fn judgement(&self) -> Option<Input> {
        let (proposed, verdict) = self.judged.as_ref().filter(|_| self.is_durable)?;
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

    #[test]
    fn nothing_is_fed_before_the_body_is_durable() {
        let mut blocks = Blocks::default();
        assert_eq!(blocks.judged(block(1), Verdict::Valid), None);
        assert_eq!(blocks.built(Height(1), Round(0), B256::repeat_byte(2)), None);
        assert!(matches!(blocks.durable(B256::repeat_byte(1))[..], [Input::Judged(JudgedEntry { is_valid: true, .. })]));
        assert!(matches!(blocks.durable(B256::repeat_byte(2))[..], [Input::Propose { .. }]));
    }

    #[test]
    fn no_verdict_feeds_nothing_and_may_become_valid_later() {
        let mut blocks = Blocks::default();
        blocks.durable(B256::repeat_byte(1));
        assert_eq!(blocks.judged(block(1), Verdict::None), None);
        assert!(matches!(blocks.judged(block(1), Verdict::Valid), Some(Input::Judged(JudgedEntry { is_valid: true, .. }))));
    }

    #[test]
    fn invalid_stays_invalid() {
        let mut blocks = Blocks::default();
        blocks.durable(B256::repeat_byte(1));
        let invalid = Verdict::Invalid { rule: "gas".into() };
        assert!(matches!(blocks.judged(block(1), invalid), Some(Input::Judged(JudgedEntry { is_valid: false, .. }))));
        assert_eq!(blocks.judged(block(1), Verdict::Valid), None);
        assert_eq!(blocks.invalid().collect::<Vec<_>>(), [(B256::repeat_byte(1), "gas")]);
    }
}
