//! What a dishonest proposer may do with its turn. No I/O.

use alloy_eips::eip1559::BaseFeeParams;
use primitives::{
    B256, Block, Body, Bytes, ConsensusMessage, Domain, Header, Height, Metadata, Proposal, Round, SecretKey, Signed, ValidatorSet, block_hash,
};
use wire::{Message, Outline, Part, PartsStart, chunks};

use super::mind::Ground;

/// A misuse of a turn as the proposer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trick {
    /// Two proposals for one round, each with its block.
    TwoProposals,
    /// A proposal whose parts never come.
    NoParts,
    WrongStateRoot,
    /// More `extraData` than any header may have, and many parts of it.
    Oversized,
    /// A timestamp an hour ahead.
    Future,
    /// A parent that nobody knows.
    Unparented,
}

impl Trick {
    pub const ALL: [Self; 6] = [Self::TwoProposals, Self::NoParts, Self::WrongStateRoot, Self::Oversized, Self::Future, Self::Unparented];
}

const OVERSIZE_BYTES: usize = 3 << 20;
const AN_HOUR: u64 = 3_600;

/// Who plays tricks.
pub struct Cheat {
    pub key: SecretKey,
    pub domain: Domain,
    pub set: ValidatorSet,
}

impl Cheat {
    /// All that is said for this trick, in order.
    pub fn play(&self, trick: Trick, ground: &Ground, now: u64) -> Vec<Message> {
        let block = |bend: &dyn Fn(&mut Header)| self.block(ground, now, bend);
        match trick {
            Trick::TwoProposals => {
                let two = [[1; 32], [2; 32]].map(|root| block(&|header| header.state_root = B256::new(root)));
                two.iter().flat_map(|block| self.propose(block, true)).collect()
            }
            Trick::NoParts => self.propose(&block(&|_| {}), false),
            Trick::WrongStateRoot => self.propose(&block(&|header| header.state_root = B256::repeat_byte(3)), true),
            Trick::Oversized => self.propose(&block(&|header| header.extra_data = vec![7; OVERSIZE_BYTES].into()), true),
            Trick::Future => self.propose(&block(&|header| header.timestamp = now + AN_HOUR), true),
            Trick::Unparented => self.propose(&block(&|header| header.parent_hash = B256::repeat_byte(4)), true),
        }
    }

    /// An empty block on `ground` whose every field is right but for the state root, and for what is bent.
    fn block(&self, ground: &Ground, now: u64, bend: &dyn Fn(&mut Header)) -> (Block, Metadata) {
        let hash = self.set.hash();
        let metadata = Metadata { parent_certificate: Some(ground.certificate.clone()), validators_hash: hash, next_validators_hash: hash };
        let parent = &ground.parent;
        let mut header = Header {
            number: parent.number + 1,
            parent_hash: ground.certificate.value,
            timestamp: now.max(parent.timestamp + 1),
            base_fee_per_gas: parent.next_block_base_fee(BaseFeeParams::ethereum()),
            parent_beacon_block_root: Some(metadata.hash()),
            mix_hash: metadata.mix_hash(),
            beneficiary: self.key.address(),
            ..parent.clone()
        };
        bend(&mut header);
        let mut block = Block { header, ..Block::default() };
        block.body.withdrawals = Some(Vec::new().into());
        (block, metadata)
    }

    fn propose(&self, (block, metadata): &(Block, Metadata), has_parts: bool) -> Vec<Message> {
        let (height, round, value) = (Height(block.header.number), Round(0), block_hash(block));
        let body = Body::new(block, metadata).encode();
        let proposal = Proposal { height, round, value, pol_round: None, proposer: self.key.address() };
        let proposal = Signed::new(proposal, &self.key, &self.domain);
        let start = Message::PartsStart(PartsStart { proposal: proposal.clone(), outline: Outline::of(&body) });
        let part = |(index, bytes): (u32, Bytes)| Message::Part(Part { height, round, value, index, bytes });
        let parts = chunks::cut(&body).filter(|_| has_parts).map(part);
        [start].into_iter().chain(parts).chain([Message::Consensus(ConsensusMessage::Proposal(proposal))]).collect()
    }
}
