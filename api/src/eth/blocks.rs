//! Blocks.

use std::sync::Arc;

use alloy_consensus::Sealed;
use alloy_primitives::{U64, U256};
use alloy_rpc_types_eth::{Block, BlockTransactions, Header};
use jsonrpsee::types::ErrorObjectOwned;
use primitives::Height;

use super::{block_id, logs, quantity::quantity, transactions};
use crate::{Backend, BackendError, BlockRef, DecidedBlock, SealedHeader, news::NewBlock, rpc::Params};

type Found<T> = Result<Option<T>, ErrorObjectOwned>;
type RpcBlock = Block<transactions::RpcTransaction>;

pub(super) async fn by_number<B: Backend>(backend: &B, params: Params<'_>) -> Found<RpcBlock> {
    let params = params.named(&["block", "fullTransactions"])?;
    let block = block_id::by_id(Some(params.required(0)?));
    let is_full = params.optional(1)?.unwrap_or_default();
    Ok(backend.block(block).await?.map(|block| show(&block, is_full)))
}

pub(super) async fn by_hash<B: Backend>(backend: &B, params: Params<'_>) -> Found<RpcBlock> {
    let params = params.named(&["blockHash", "fullTransactions"])?;
    let block = BlockRef::Hash(params.hex(0)?);
    let is_full = params.optional(1)?.unwrap_or_default();
    Ok(backend.block(block).await?.map(|block| show(&block, is_full)))
}

pub(super) async fn transaction_count_by_number<B: Backend>(backend: &B, params: Params<'_>) -> Found<U64> {
    let block = block_id::by_id(Some(params.named(&["block"])?.required(0)?));
    Ok(backend.block(block).await?.map(count))
}

pub(super) async fn transaction_count_by_hash<B: Backend>(backend: &B, params: Params<'_>) -> Found<U64> {
    let block = BlockRef::Hash(params.named(&["blockHash"])?.hex(0)?);
    Ok(backend.block(block).await?.map(count))
}

pub(super) async fn header_by_number<B: Backend>(backend: &B, params: Params<'_>) -> Found<Header> {
    let block = block_id::by_id(Some(params.named(&["block"])?.required(0)?));
    Ok(backend.header(block).await?.map(Header::from_sealed))
}

pub(super) async fn header_by_hash<B: Backend>(backend: &B, params: Params<'_>) -> Found<Header> {
    let block = BlockRef::Hash(params.named(&["blockHash"])?.hex(0)?);
    Ok(backend.header(block).await?.map(Header::from_sealed))
}

/// A block as subscribers hear of it.
pub(crate) async fn new_block<B: Backend>(backend: &B, height: Height) -> Result<NewBlock, BackendError> {
    let header: SealedHeader = backend.header(BlockRef::Height(height)).await?.ok_or(BackendError::UnknownBlock)?;
    let logs = logs::of_block(backend, &header).await?;
    let head = serde_json::value::to_raw_value(&Header::from_sealed(header)).map_err(|error| BackendError::Internal(error.to_string()))?;
    Ok(NewBlock { head, logs })
}

fn count(block: Arc<DecidedBlock>) -> U64 {
    quantity(block.block.body.transactions.len() as u64)
}

fn show(block: &DecidedBlock, is_full: bool) -> RpcBlock {
    let header = Header::from_sealed(Sealed::new_unchecked(block.block.header.clone(), block.hash));
    let transactions = match is_full {
        true => BlockTransactions::Full(transactions::of_block(block).collect()),
        false => BlockTransactions::Hashes(block.block.body.transactions.iter().map(|transaction| *transaction.tx_hash()).collect()),
    };
    Block {
        header: header.with_size(Some(U256::from(block.size_bytes))),
        uncles: Vec::new(),
        transactions,
        withdrawals: Some(block.block.body.withdrawals.clone().unwrap_or_default()),
    }
}
