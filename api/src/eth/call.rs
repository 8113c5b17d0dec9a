//! Calls that change nothing, and their gas.

use alloy_eips::BlockId;
use alloy_primitives::{Bytes, U64};
use alloy_rpc_types_eth::TransactionRequest;
use jsonrpsee::types::ErrorObjectOwned;

use super::{block_id, overrides, quantity::quantity};
use crate::{
    Backend, Call, Overrides,
    rpc::{Params, invalid},
};

const NAMES: &[&str] = &["transaction", "block", "stateOverride", "blockOverride"];

pub(super) async fn call<B: Backend>(backend: &B, params: Params<'_>) -> Result<Bytes, ErrorObjectOwned> {
    let (call, block) = read(backend, params)?;
    Ok(backend.call(call, block_id::by_id(block)).await?)
}

pub(super) async fn estimate_gas<B: Backend>(backend: &B, params: Params<'_>) -> Result<U64, ErrorObjectOwned> {
    let (call, block) = read(backend, params)?;
    Ok(quantity(backend.estimate_gas(call, block_id::by_id(block)).await?))
}

pub(super) fn read<B: Backend>(backend: &B, params: Params<'_>) -> Result<(Call, Option<BlockId>), ErrorObjectOwned> {
    let params = params.named(NAMES)?;
    let request: TransactionRequest = params.required(0)?;
    let block = params.optional(1)?;
    let state = overrides::state(params.optional(2)?.unwrap_or_default()).map_err(|reason| params.refuse(2, reason))?;
    let header = overrides::block(params.optional(3)?.unwrap_or_default()).map_err(|reason| params.refuse(3, reason))?;
    let call = parse(request, backend.chain_id())?;
    Ok((Call { overrides: Overrides { state, block: header }, ..call }, block))
}

pub(super) fn parse(request: TransactionRequest, chain_id: u64) -> Result<Call, ErrorObjectOwned> {
    if let Some(other) = request.chain_id.filter(|other| *other != chain_id) {
        return Err(invalid(format!("invalid argument 0 (transaction): chainId does not match node's (have={other}, want={chain_id})")));
    }
    if request.gas_price.is_some() && (request.max_fee_per_gas.is_some() || request.max_priority_fee_per_gas.is_some()) {
        return Err(invalid("invalid argument 0 (transaction): both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"));
    }
    let input = request
        .input
        .try_into_unique_input()
        .map_err(|_| invalid("invalid argument 0 (transaction): both \"data\" and \"input\" are set and not equal; use \"input\""))?;
    Ok(Call {
        from: request.from.unwrap_or_default(),
        to: request.to.and_then(|to| to.to().copied()),
        gas: request.gas,
        gas_price: request.gas_price,
        max_fee_per_gas: request.max_fee_per_gas,
        max_priority_fee_per_gas: request.max_priority_fee_per_gas,
        max_fee_per_blob_gas: request.max_fee_per_blob_gas,
        value: request.value.unwrap_or_default(),
        input: input.unwrap_or_default(),
        nonce: request.nonce,
        access_list: request.access_list.unwrap_or_default(),
        authorizations: request.authorization_list.unwrap_or_default(),
        blob_versioned_hashes: request.blob_versioned_hashes.unwrap_or_default(),
        overrides: Overrides::default(),
    })
}
