//! State of accounts and contracts.

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use jsonrpsee::types::ErrorObjectOwned;

use super::{block_id, quantity::quantity};
use crate::{Backend, rpc::Params};

type Found<T> = Result<T, ErrorObjectOwned>;

pub(super) async fn balance<B: Backend>(backend: &B, params: Params<'_>) -> Found<U256> {
    let params = params.named(&["address", "block"])?;
    let address: Address = params.required(0)?;
    let at = block_id::by_id(params.optional(1)?);
    Ok(backend.account(address, at).await?.balance)
}

pub(super) async fn transaction_count<B: Backend>(backend: &B, params: Params<'_>) -> Found<U64> {
    let params = params.named(&["address", "block"])?;
    let address: Address = params.required(0)?;
    let id: Option<BlockId> = params.optional(1)?;
    let nonce = match id {
        Some(BlockId::Number(BlockNumberOrTag::Pending)) => backend.pending_nonce(address).await?,
        id => backend.account(address, block_id::by_id(id)).await?.nonce,
    };
    Ok(quantity(nonce))
}

pub(super) async fn code<B: Backend>(backend: &B, params: Params<'_>) -> Found<Bytes> {
    let params = params.named(&["address", "block"])?;
    let address: Address = params.required(0)?;
    let at = block_id::by_id(params.optional(1)?);
    Ok(backend.code(address, at).await?)
}

pub(super) async fn storage<B: Backend>(backend: &B, params: Params<'_>) -> Found<B256> {
    let params = params.named(&["address", "slot", "block"])?;
    let address: Address = params.required(0)?;
    let slot: U256 = params.required(1)?;
    let at = block_id::by_id(params.optional(2)?);
    Ok(backend.storage(address, slot, at).await?)
}
