//! Receipts: what transactions did.

use alloy_consensus::{Receipt, ReceiptEnvelope, ReceiptWithBloom, Transaction as _, TxType};
use alloy_eips::BlockId;
use alloy_primitives::B256;
use alloy_rpc_types_eth::{Log, TransactionReceipt};
use jsonrpsee::types::ErrorObjectOwned;
use primitives::Height;

use super::block_id;
use crate::{Backend, BackendError, BlockRef, DecidedBlock, Found, rpc::Params};

/// A receipt as clients see it. The time of its block stands in its logs only, as the specification wants it.
pub(super) type RpcReceipt = TransactionReceipt;

pub(super) async fn of_transaction<B: Backend>(backend: &B, params: Params<'_>) -> Result<Option<RpcReceipt>, ErrorObjectOwned> {
    let hash: B256 = params.named(&["transactionHash"])?.hex(0)?;
    Ok(find(backend, hash).await?)
}

/// The receipt of a decided transaction.
pub(super) async fn find<B: Backend>(backend: &B, hash: B256) -> Result<Option<RpcReceipt>, BackendError> {
    let Some(Found::Decided { height, index }) = backend.transaction(hash).await? else { return Ok(None) };
    let receipts = of(backend, BlockRef::Height(height)).await?.unwrap_or_default();
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    Ok(Some(receipts.into_iter().nth(index).ok_or_else(|| inconsistent(height))?))
}

pub(super) async fn of_block<B: Backend>(backend: &B, params: Params<'_>) -> Result<Option<Vec<RpcReceipt>>, ErrorObjectOwned> {
    let block = block_id::by_id(Some(params.named(&["block"])?.required::<BlockId>(0)?));
    Ok(of(backend, block).await?)
}

async fn of<B: Backend>(backend: &B, block: BlockRef) -> Result<Option<Vec<RpcReceipt>>, BackendError> {
    let Some(block) = backend.block(block).await? else { return Ok(None) };
    let height = Height(block.block.header.number);
    let receipts = backend.receipts(height).await?.ok_or_else(|| inconsistent(height))?;
    let transactions = block.block.body.transactions.len();
    if receipts.len() != transactions || block.senders.len() != transactions {
        return Err(inconsistent(height));
    }
    let blob_params = backend.blob_params(block.block.header.timestamp);
    let blob_gas_price = block.block.header.blob_fee(blob_params);
    Ok(Some(show(&block, &receipts, blob_gas_price)))
}

fn inconsistent(height: Height) -> BackendError {
    BackendError::Internal(format!("block {height} and its receipts do not belong together"))
}

/// `receipts` are one per transaction of `block`.
fn show(block: &DecidedBlock, receipts: &[Receipt], blob_gas_price: Option<u128>) -> Vec<RpcReceipt> {
    let mut gas_before = 0;
    let mut first_log = 0;
    let mut shown = Vec::with_capacity(receipts.len());
    for (index, receipt) in receipts.iter().enumerate() {
        shown.push(one(block, index, receipt, Before { gas: gas_before, logs: first_log }, blob_gas_price));
        gas_before = receipt.cumulative_gas_used;
        first_log += receipt.logs.len() as u64;
    }
    shown
}

/// What earlier transactions of the block used.
struct Before {
    gas: u64,
    logs: u64,
}

fn one(block: &DecidedBlock, index: usize, receipt: &Receipt, before: Before, blob_gas_price: Option<u128>) -> RpcReceipt {
    let header = &block.block.header;
    let transaction = &block.block.body.transactions[index];
    let from = block.senders[index];
    let blob_gas_used = transaction.blob_gas_used();
    TransactionReceipt {
        inner: envelope(transaction.tx_type(), receipt, logs(block, index, receipt, before.logs)),
        transaction_hash: *transaction.tx_hash(),
        transaction_index: Some(index as u64),
        block_hash: Some(block.hash),
        block_number: Some(header.number),
        gas_used: receipt.cumulative_gas_used.saturating_sub(before.gas),
        effective_gas_price: transaction.effective_gas_price(header.base_fee_per_gas),
        blob_gas_used,
        blob_gas_price: blob_gas_used.and(blob_gas_price),
        from,
        to: transaction.to(),
        contract_address: transaction.kind().is_create().then(|| from.create(transaction.nonce())),
    }
}

/// The logs of the transaction at `index`; the first of them is number `first` of its block.
pub(super) fn logs(block: &DecidedBlock, index: usize, receipt: &Receipt, first: u64) -> Vec<Log> {
    let header = &block.block.header;
    let transaction_hash = block.block.body.transactions.get(index).map(|transaction| *transaction.tx_hash());
    let show = |(log_index, log): (u64, &alloy_primitives::Log)| Log {
        inner: log.clone(),
        block_hash: Some(block.hash),
        block_number: Some(header.number),
        block_timestamp: Some(header.timestamp),
        transaction_hash,
        transaction_index: Some(index as u64),
        log_index: Some(log_index),
        removed: false,
    };
    (first..).zip(&receipt.logs).map(show).collect()
}

/// The receipt in the form of its transaction, with logs in whichever form is wanted.
pub(super) fn envelope<L>(kind: TxType, receipt: &Receipt, logs: Vec<L>) -> ReceiptEnvelope<L> {
    let logs_bloom = receipt.bloom_slow();
    let receipt = Receipt { status: receipt.status, cumulative_gas_used: receipt.cumulative_gas_used, logs };
    let receipt = ReceiptWithBloom { receipt, logs_bloom };
    match kind {
        TxType::Legacy => ReceiptEnvelope::Legacy(receipt),
        TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
        TxType::Eip1559 => ReceiptEnvelope::Eip1559(receipt),
        TxType::Eip4844 => ReceiptEnvelope::Eip4844(receipt),
        TxType::Eip7702 => ReceiptEnvelope::Eip7702(receipt),
    }
}
