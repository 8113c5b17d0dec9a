//! Transactions.

use alloy_consensus::{Transaction as _, transaction::Recovered};
use alloy_primitives::B256;
use alloy_rpc_types_eth::Transaction;
use jsonrpsee::types::ErrorObjectOwned;
use serde::Serialize;

use super::{block_id, quantity::Hex};
use crate::{Backend, BackendError, BlockRef, DecidedBlock, Found, rpc::Params};

/// A transaction as clients see it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RpcTransaction {
    #[serde(flatten)]
    transaction: Transaction<primitives::Transaction>,
    #[serde(flatten)]
    no_block: Option<NoBlock>,
}

/// What a transaction in no block shows besides: the library leaves it out, geth does not.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NoBlock {
    block_timestamp: (),
}

pub(super) async fn by_hash<B: Backend>(backend: &B, params: Params<'_>) -> Result<Option<RpcTransaction>, ErrorObjectOwned> {
    let hash: B256 = params.named(&["transactionHash"])?.hex(0)?;
    match backend.transaction(hash).await? {
        None => Ok(None),
        Some(Found::Waiting(transaction)) => Ok(Some(waiting(*transaction))),
        Some(Found::Decided { height, index }) => Ok(at(backend, BlockRef::Height(height), index).await?),
    }
}

pub(super) async fn by_block_number<B: Backend>(backend: &B, params: Params<'_>) -> Result<Option<RpcTransaction>, ErrorObjectOwned> {
    let params = params.named(&["block", "index"])?;
    let block = block_id::by_id(Some(params.required(0)?));
    Ok(at(backend, block, params.required::<Hex>(1)?.0).await?)
}

pub(super) async fn by_block_hash<B: Backend>(backend: &B, params: Params<'_>) -> Result<Option<RpcTransaction>, ErrorObjectOwned> {
    let params = params.named(&["blockHash", "index"])?;
    let block = BlockRef::Hash(params.hex(0)?);
    Ok(at(backend, block, params.required::<Hex>(1)?.0).await?)
}

/// Every transaction of a block, as clients see it.
pub(super) fn of_block(block: &DecidedBlock) -> impl Iterator<Item = RpcTransaction> + '_ {
    (0..block.block.body.transactions.len()).filter_map(|index| decided(block, index))
}

/// A transaction that became executable, as it looked then; none when it has left the pool without a block.
pub(crate) async fn pending<B: Backend>(backend: &B, hash: B256) -> Result<Option<RpcTransaction>, BackendError> {
    match backend.transaction(hash).await? {
        None => Ok(None),
        Some(Found::Waiting(transaction)) => Ok(Some(waiting(*transaction))),
        Some(Found::Decided { height, index }) => {
            Ok(at(backend, BlockRef::Height(height), index).await?.map(|found| waiting(found.transaction.into_recovered())))
        }
    }
}

async fn at<B: Backend>(backend: &B, block: BlockRef, index: u64) -> Result<Option<RpcTransaction>, BackendError> {
    let Ok(index) = usize::try_from(index) else { return Ok(None) };
    Ok(backend.block(block).await?.and_then(|block| decided(&block, index)))
}

fn decided(block: &DecidedBlock, index: usize) -> Option<RpcTransaction> {
    let decided = block.block.body.transactions.get(index)?;
    let sender = block.senders.get(index)?;
    let header = &block.block.header;
    let transaction = Transaction {
        inner: Recovered::new_unchecked(decided.clone(), *sender),
        block_hash: Some(block.hash),
        block_number: Some(header.number),
        transaction_index: Some(index as u64),
        effective_gas_price: Some(decided.effective_gas_price(header.base_fee_per_gas)),
        block_timestamp: Some(header.timestamp),
    };
    Some(RpcTransaction { transaction, no_block: None })
}

/// One that is in no block.
pub(super) fn waiting(transaction: Recovered<primitives::Transaction>) -> RpcTransaction {
    // What it pays is not known yet; geth shows the most it may be.
    let effective_gas_price = Some(transaction.max_fee_per_gas());
    let transaction =
        Transaction { inner: transaction, block_hash: None, block_number: None, transaction_index: None, effective_gas_price, block_timestamp: None };
    RpcTransaction { transaction, no_block: Some(NoBlock { block_timestamp: () }) }
}
