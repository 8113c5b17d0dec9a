//! Bytes as they were decided.

use alloy_consensus::TxReceipt as _;
use alloy_eips::{BlockId, Encodable2718};
use alloy_primitives::{B256, Bytes};
use jsonrpsee::types::ErrorObjectOwned;
use primitives::Height;

use super::{block_id, quantity::Hex, receipts};
use crate::{Backend, BackendError, BlockRef, Found, rpc::Params};

type Answered<T> = Result<T, ErrorObjectOwned>;

pub(super) async fn block<B: Backend>(backend: &B, params: Params<'_>) -> Answered<Bytes> {
    let block = block_id::by_id(Some(params.named(&["block"])?.required::<BlockId>(0)?));
    Ok(backend.raw_block(block).await?.ok_or(BackendError::UnknownBlock)?)
}

pub(super) async fn header<B: Backend>(backend: &B, params: Params<'_>) -> Answered<Bytes> {
    let block = block_id::by_id(Some(params.named(&["block"])?.required::<BlockId>(0)?));
    let header = backend.header(block).await?.ok_or(BackendError::UnknownBlock)?;
    Ok(alloy_rlp::encode(header.inner()).into())
}

/// Receipts in their consensus form, one for each transaction.
pub(super) async fn receipts<B: Backend>(backend: &B, params: Params<'_>) -> Answered<Vec<Bytes>> {
    let block = block_id::by_id(Some(params.named(&["block"])?.required::<BlockId>(0)?));
    let block = backend.block(block).await?.ok_or(BackendError::UnknownBlock)?;
    let found = backend.receipts(Height(block.block.header.number)).await?.ok_or(BackendError::UnknownBlock)?;
    let encoded = block
        .block
        .body
        .transactions
        .iter()
        .zip(found.iter())
        .map(|(transaction, receipt)| receipts::envelope(transaction.tx_type(), receipt, receipt.logs().to_vec()).encoded_2718().into());
    Ok(encoded.collect())
}

/// No block here was ever decided and found bad.
pub(super) async fn bad_blocks<B: Backend>(_: &B, params: Params<'_>) -> Answered<[Bytes; 0]> {
    params.none()?;
    Ok([])
}

pub(super) async fn transaction<B: Backend>(backend: &B, params: Params<'_>) -> Answered<Option<Bytes>> {
    let hash: B256 = params.named(&["transactionHash"])?.hex(0)?;
    match backend.transaction(hash).await? {
        None => Ok(None),
        Some(Found::Waiting(transaction)) => Ok(Some(transaction.encoded_2718().into())),
        Some(Found::Decided { height, index }) => at(backend, BlockRef::Height(height), index).await,
    }
}

pub(super) async fn by_block_number<B: Backend>(backend: &B, params: Params<'_>) -> Answered<Option<Bytes>> {
    let params = params.named(&["block", "index"])?;
    let block = block_id::by_id(Some(params.required(0)?));
    at(backend, block, params.required::<Hex>(1)?.0).await
}

pub(super) async fn by_block_hash<B: Backend>(backend: &B, params: Params<'_>) -> Answered<Option<Bytes>> {
    let params = params.named(&["blockHash", "index"])?;
    let block = BlockRef::Hash(params.hex(0)?);
    at(backend, block, params.required::<Hex>(1)?.0).await
}

async fn at<B: Backend>(backend: &B, block: BlockRef, index: u64) -> Answered<Option<Bytes>> {
    let Ok(index) = usize::try_from(index) else { return Ok(None) };
    let Some(block) = backend.block(block).await? else { return Ok(None) };
    Ok(block.block.body.transactions.get(index).map(|transaction| transaction.encoded_2718().into()))
}
