//! Blocks.

use std::sync::Arc;

use alloy_consensus::Sealed;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{B256, Bytes, U64, U256};
use alloy_rpc_types_eth::{Block, BlockTransactions, Header, Transaction};
use jsonrpsee::types::ErrorObjectOwned;

use super::{block_id, quantity::quantity, transactions};
use crate::{Backend, BackendError, BlockRef, DecidedBlock, rpc::Params};

type Found<T> = Result<Option<T>, ErrorObjectOwned>;
type RpcBlock = Block<Transaction<primitives::Transaction>>;

pub(super) async fn by_number<B: Backend>(backend: &B, params: Params<'_>) -> Found<RpcBlock> {
    let params = params.named(&["block", "fullTransactions"])?;
    let block = block_id::by_number(params.required::<BlockNumberOrTag>(0)?);
    let is_full = params.optional(1)?.unwrap_or_default();
    Ok(backend.block(block).await?.map(|block| show(&block, is_full)))
}

pub(super) async fn by_hash<B: Backend>(backend: &B, params: Params<'_>) -> Found<RpcBlock> {
    let params = params.named(&["blockHash", "fullTransactions"])?;
    let block = BlockRef::Hash(params.required::<B256>(0)?);
    let is_full = params.optional(1)?.unwrap_or_default();
    Ok(backend.block(block).await?.map(|block| show(&block, is_full)))
}

pub(super) async fn transaction_count_by_number<B: Backend>(backend: &B, params: Params<'_>) -> Found<U64> {
    let block = block_id::by_number(params.named(&["block"])?.required(0)?);
    Ok(backend.block(block).await?.map(count))
}

pub(super) async fn transaction_count_by_hash<B: Backend>(backend: &B, params: Params<'_>) -> Found<U64> {
    let block = BlockRef::Hash(params.named(&["blockHash"])?.required(0)?);
    Ok(backend.block(block).await?.map(count))
}

pub(super) async fn raw_block<B: Backend>(backend: &B, params: Params<'_>) -> Result<Bytes, ErrorObjectOwned> {
    let block = block_id::by_id(Some(params.named(&["block"])?.required::<BlockId>(0)?));
    Ok(backend.raw_block(block).await?.ok_or(BackendError::UnknownBlock)?)
}

pub(super) async fn raw_header<B: Backend>(backend: &B, params: Params<'_>) -> Result<Bytes, ErrorObjectOwned> {
    let block = block_id::by_id(Some(params.named(&["block"])?.required::<BlockId>(0)?));
    let header = backend.header(block).await?.ok_or(BackendError::UnknownBlock)?;
    Ok(alloy_rlp::encode(header.inner()).into())
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
