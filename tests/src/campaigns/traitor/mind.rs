//! What a validator that follows the chain from its links alone knows of it. No I/O.

use std::collections::{BTreeMap, HashMap};

use primitives::{
    B256, Body, Certificate, CommitSignature, ConsensusMessage, Header, Height, Round, ValidatorSet, VoteKind, block_hash, limits::MAX_BODY_BYTES,
};
use wire::{Assembly, Message, Part, PartsStart};

/// Heights that are remembered.
const KEPT: u64 = 8;

/// Proposals, blocks and precommits of the latest heights.
#[derive(Default)]
pub struct Mind {
    streams: HashMap<(Height, B256), Assembly>,
    headers: BTreeMap<(Height, B256), Header>,
    precommits: BTreeMap<(Height, Round, B256), Vec<CommitSignature>>,
    tip: Height,
}

/// What a block stands on: its parent, and the proof that it was decided.
#[derive(Clone, Debug)]
pub struct Ground {
    pub parent: Header,
    pub certificate: Certificate,
}

impl Mind {
    /// Takes in a message; the ground of the next height when this was what it took to decide one.
    pub fn hear(&mut self, message: &Message, set: &ValidatorSet) -> Option<Ground> {
        match message {
            Message::PartsStart(PartsStart { proposal, outline }) => {
                let key = (proposal.message.height, proposal.message.value);
                if let Ok(assembly) = Assembly::new(*outline, MAX_BODY_BYTES) {
                    self.streams.entry(key).or_insert(assembly);
                }
            }
            Message::Part(part) => self.part(part),
            Message::Consensus(ConsensusMessage::Vote(signed)) if signed.message.kind == VoteKind::Precommit => {
                let vote = &signed.message;
                if let (Some(value), Some(_)) = (vote.value, set.get(&vote.validator)) {
                    let votes = self.precommits.entry((vote.height, vote.round, value)).or_default();
                    if votes.iter().all(|known| known.validator != vote.validator) {
                        votes.push(CommitSignature { validator: vote.validator, signature: signed.signature });
                    }
                }
            }
            _ => return None,
        }
        self.decided(set)
    }

    fn part(&mut self, part: &Part) {
        let key = (part.height, part.value);
        let Some(assembly) = self.streams.get_mut(&key) else { return };
        // One that came on another link already is no news.
        if !matches!(assembly.insert(part.index, part.bytes.clone()), Ok(true)) {
            return;
        }
        let whole = self.streams.remove(&key).and_then(|assembly| assembly.finish().ok().flatten());
        let opened = whole.and_then(|whole| Body::decode(&whole).ok()?.open().ok());
        if let Some((block, _)) = opened.filter(|(block, _)| block_hash(block) == part.value) {
            self.headers.insert(key, block.header);
        }
    }

    fn decided(&mut self, set: &ValidatorSet) -> Option<Ground> {
        let is_decided = |votes: &[CommitSignature]| set.quorum() <= votes.iter().map(|vote| set.power_of(&vote.validator)).sum::<u64>();
        let (tip, headers) = (self.tip, &self.headers);
        let mut decided = self.precommits.iter().rev().filter(|((height, ..), votes)| tip < *height && is_decided(votes));
        let ((height, round, value), votes) = decided.find(|((height, _, value), _)| headers.contains_key(&(*height, *value)))?;
        let certificate = Certificate { height: *height, round: *round, value: *value, signatures: votes.clone() }.canonical();
        let parent = headers.get(&(*height, *value))?.clone();
        self.tip = *height;
        let oldest = Height(self.tip.0.saturating_sub(KEPT));
        self.streams.retain(|(height, _), _| oldest < *height);
        self.headers.retain(|(height, _), _| oldest < *height);
        self.precommits.retain(|(height, ..), _| oldest < *height);
        Some(Ground { parent, certificate })
    }
}
