//! Uncles, of which a chain without mining has none.

use alloy_primitives::{B256, U64};
use jsonrpsee::types::ErrorObjectOwned;

use super::{
    block_id,
    quantity::{Hex, quantity},
};
use crate::{Backend, BlockRef, rpc::Params};

type Found<T> = Result<Option<T>, ErrorObjectOwned>;

pub(super) async fn count_by_number<B: Backend>(backend: &B, params: Params<'_>) -> Found<U64> {
    let block = block_id::by_id(Some(params.named(&["block"])?.required(0)?));
    count(backend, block).await
}

pub(super) async fn count_by_hash<B: Backend>(backend: &B, params: Params<'_>) -> Found<U64> {
    let block = BlockRef::Hash(params.named(&["blockHash"])?.hex(0)?);
    count(backend, block).await
}

pub(super) async fn by_number<B: Backend>(_: &B, params: Params<'_>) -> Found<()> {
    let params = params.named(&["block", "index"])?;
    params.required::<alloy_eips::BlockId>(0)?;
    params.required::<Hex>(1)?;
    Ok(None)
}

pub(super) async fn by_hash<B: Backend>(_: &B, params: Params<'_>) -> Found<()> {
    let params = params.named(&["blockHash", "index"])?;
    params.hex::<B256>(0)?;
    params.required::<Hex>(1)?;
    Ok(None)
}

/// None where there is no such block.
async fn count<B: Backend>(backend: &B, block: BlockRef) -> Found<U64> {
    Ok(backend.header(block).await?.map(|_| quantity(0)))
}
