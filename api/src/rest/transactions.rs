//! One transaction, with its receipt when it is final.

use alloy_consensus::Transaction as _;
use alloy_eips::Typed2718;
use alloy_primitives::{Address, B256, Bytes};
use axum::{extract::State as Extract, response::Response};
use primitives::{RecoveredTransaction, Transaction};
use serde::Serialize;

use super::{
    Found as Answer, Refusal, Segment, answer, asked,
    receipts::{ReceiptFields, receipt},
};
use crate::{Backend, BackendError, BlockRef, DecidedBlock, Found, UnixSeconds, http::State};

#[derive(Debug, Serialize)]
struct TransactionPage {
    #[serde(flatten)]
    transaction: TransactionFields,
    #[serde(flatten)]
    place: Place,
}

#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Place {
    /// In the pool.
    Waiting,
    /// In a decided block.
    Final { block: BlockFields, receipt: ReceiptFields },
}

#[derive(Debug, Serialize)]
struct BlockFields {
    number: u64,
    hash: B256,
    time: UnixSeconds,
    /// Place of the transaction in the block.
    index: usize,
}

#[derive(Debug, Serialize)]
struct TransactionFields {
    hash: B256,
    /// The EIP-2718 type.
    #[serde(rename = "type")]
    kind: u8,
    from: Address,
    /// None when it deploys a contract.
    to: Option<Address>,
    nonce: u64,
    /// Wei.
    value: String,
    input: Bytes,
    gas_limit: u64,
    /// Wei per gas; the gas price where there is only one.
    max_fee_per_gas: String,
    max_priority_fee_per_gas: Option<String>,
    blob_versioned_hashes: Vec<B256>,
}

/// `GET /v1/transactions/{hash}`
pub(crate) async fn transaction<B: Backend>(Extract(state): Extract<State<B>>, Segment(text): Segment) -> Response {
    answer(&state, "v1_transaction", one(&state.backend, &text)).await
}

async fn one<B: Backend>(backend: &B, text: &str) -> Answer<TransactionPage> {
    let hash = asked::hash(text)?;
    match backend.transaction(hash).await? {
        None => Err(Refusal::not_found(format!("there is no transaction {hash}, neither in a block nor in this node's pool"))),
        Some(Found::Waiting(waiting)) => Ok(TransactionPage { transaction: recovered(&waiting), place: Place::Waiting }),
        Some(Found::Decided { height, index }) => {
            let block = backend.block(BlockRef::Height(height)).await?;
            let receipts = backend.receipts(height).await?;
            let (Some(block), Some(receipts)) = (block, receipts) else { return Err(inconsistent(hash).into()) };
            let page = usize::try_from(index).ok().and_then(|index| decided(&block, &receipts, index));
            Ok(page.ok_or_else(|| inconsistent(hash))?)
        }
    }
}

fn inconsistent(hash: B256) -> BackendError {
    BackendError::Internal(format!("transaction {hash} is not where the index says"))
}

fn recovered(transaction: &RecoveredTransaction) -> TransactionFields {
    fields(transaction.inner(), transaction.signer())
}

fn decided(block: &DecidedBlock, receipts: &[alloy_consensus::Receipt], index: usize) -> Option<TransactionPage> {
    let transaction = fields(block.block.body.transactions.get(index)?, *block.senders.get(index)?);
    let header = &block.block.header;
    let of_block = BlockFields { number: header.number, hash: block.hash, time: UnixSeconds(header.timestamp), index };
    Some(TransactionPage { transaction, place: Place::Final { block: of_block, receipt: receipt(block, receipts, index)? } })
}

fn fields(transaction: &Transaction, from: Address) -> TransactionFields {
    TransactionFields {
        hash: *transaction.tx_hash(),
        kind: transaction.ty(),
        from,
        to: transaction.to(),
        nonce: transaction.nonce(),
        value: transaction.value().to_string(),
        input: transaction.input().clone(),
        gas_limit: transaction.gas_limit(),
        max_fee_per_gas: transaction.max_fee_per_gas().to_string(),
        max_priority_fee_per_gas: transaction.max_priority_fee_per_gas().map(|wei| wei.to_string()),
        blob_versioned_hashes: transaction.blob_versioned_hashes().unwrap_or_default().to_vec(),
    }
}
