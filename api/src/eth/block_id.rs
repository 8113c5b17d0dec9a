//! Which block a client means: a tag, a number, a hash, or an EIP-1898 object.

use alloy_eips::{BlockId, BlockNumberOrTag};
use primitives::Height;

use crate::BlockRef;

/// The block behind a number or a tag.
pub(super) fn by_number(number: BlockNumberOrTag) -> BlockRef {
    match number {
        BlockNumberOrTag::Latest | BlockNumberOrTag::Safe | BlockNumberOrTag::Finalized | BlockNumberOrTag::Pending => BlockRef::Latest,
        BlockNumberOrTag::Earliest => BlockRef::Height(Height::GENESIS),
        BlockNumberOrTag::Number(number) => BlockRef::Height(Height(number)),
    }
}

/// The block behind any form; `requireCanonical` always holds, because every decided block is canonical.
pub(super) fn by_id(id: Option<BlockId>) -> BlockRef {
    match id {
        None => BlockRef::Latest,
        Some(BlockId::Number(number)) => by_number(number),
        Some(BlockId::Hash(hash)) => BlockRef::Hash(hash.block_hash),
    }
}
