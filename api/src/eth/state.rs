//! State of accounts and contracts.

use std::collections::BTreeMap;

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use jsonrpsee::types::ErrorObjectOwned;

use super::{block_id, quantity::quantity};
use crate::{
    Backend, BackendError, config,
    rpc::{Params, invalid},
};

type Found<T> = Result<T, ErrorObjectOwned>;

pub(super) async fn balance<B: Backend>(backend: &B, params: Params<'_>) -> Found<U256> {
    let params = params.named(&["address", "block"])?;
    let address: Address = params.hex(0)?;
    let at = block_id::by_id(params.optional(1)?);
    Ok(backend.account(address, at).await?.balance)
}

pub(super) async fn transaction_count<B: Backend>(backend: &B, params: Params<'_>) -> Found<U64> {
    let params = params.named(&["address", "block"])?;
    let address: Address = params.hex(0)?;
    let id: Option<BlockId> = params.optional(1)?;
    let nonce = match id {
        Some(BlockId::Number(BlockNumberOrTag::Pending)) => backend.pending_nonce(address).await?,
        id => backend.account(address, block_id::by_id(id)).await?.nonce,
    };
    Ok(quantity(nonce))
}

pub(super) async fn code<B: Backend>(backend: &B, params: Params<'_>) -> Found<Bytes> {
    let params = params.named(&["address", "block"])?;
    let address: Address = params.hex(0)?;
    let at = block_id::by_id(params.optional(1)?);
    Ok(backend.code(address, at).await?)
}

pub(super) async fn storage<B: Backend>(backend: &B, params: Params<'_>) -> Found<B256> {
    let params = params.named(&["address", "slot", "block"])?;
    let address: Address = params.hex(0)?;
    let slot: U256 = params.required(1)?;
    let at = block_id::by_id(params.optional(2)?);
    Ok(backend.storage(address, slot, at).await?)
}

/// Slots of several accounts at one block.
pub(super) async fn storage_values<B: Backend>(backend: &B, params: Params<'_>) -> Found<BTreeMap<Address, Vec<B256>>> {
    let params = params.named(&["slots", "block"])?;
    let wanted: BTreeMap<Address, Vec<U256>> = params.required(0)?;
    let at = block_id::by_id(params.optional(1)?);
    let (count, max) = (wanted.values().map(Vec::len).sum::<usize>(), config::MAX_STORAGE_SLOTS);
    if count == 0 {
        return Err(invalid("empty request"));
    }
    if max < count {
        return Err(BackendError::LimitExceeded(format!("{count} slots are asked for, at most {max} are answered")).into());
    }
    let mut found = BTreeMap::new();
    for (address, slots) in wanted {
        let mut values = Vec::with_capacity(slots.len());
        for slot in slots {
            values.push(backend.storage(address, slot, at).await?);
        }
        found.insert(address, values);
    }
    Ok(found)
}
