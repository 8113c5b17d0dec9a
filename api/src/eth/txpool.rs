//! What waits in the pool, by sender and nonce.

use std::{collections::BTreeMap, sync::Arc};

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, U64};
use jsonrpsee::types::ErrorObjectOwned;
use primitives::RecoveredTransaction;
use serde::Serialize;

use super::{
    quantity::quantity,
    transactions::{self, RpcTransaction},
};
use crate::{Backend, config, rpc::Params};

type Answered<T> = Result<Parts<T>, ErrorObjectOwned>;
/// By nonce; JSON writes it as a decimal string.
type ByNonce<T> = BTreeMap<u64, T>;
/// By address with its checksum.
type BySender<T> = BTreeMap<String, ByNonce<T>>;

/// The two parts of the pool.
#[derive(Serialize)]
pub(super) struct Parts<T> {
    pending: T,
    queued: T,
}

pub(super) async fn status<B: Backend>(backend: &B, params: Params<'_>) -> Answered<U64> {
    params.none()?;
    let counts = backend.health().await.chain.mempool;
    Ok(Parts { pending: quantity(counts.pending), queued: quantity(counts.queued) })
}

pub(super) async fn content<B: Backend>(backend: &B, params: Params<'_>) -> Answered<BySender<RpcTransaction>> {
    params.none()?;
    let pool = backend.pool(None, config::MAX_POOL_LISTED).await?;
    Ok(Parts { pending: by_sender(&pool.pending, show), queued: by_sender(&pool.queued, show) })
}

pub(super) async fn content_from<B: Backend>(backend: &B, params: Params<'_>) -> Answered<ByNonce<RpcTransaction>> {
    let sender: Address = params.named(&["address"])?.hex(0)?;
    let pool = backend.pool(Some(sender), config::MAX_POOL_LISTED).await?;
    Ok(Parts { pending: by_nonce(&pool.pending, show), queued: by_nonce(&pool.queued, show) })
}

pub(super) async fn inspect<B: Backend>(backend: &B, params: Params<'_>) -> Answered<BySender<String>> {
    params.none()?;
    let pool = backend.pool(None, config::MAX_POOL_LISTED).await?;
    Ok(Parts { pending: by_sender(&pool.pending, describe), queued: by_sender(&pool.queued, describe) })
}

fn by_sender<T>(transactions: &[Arc<RecoveredTransaction>], show: impl Fn(&RecoveredTransaction) -> T) -> BySender<T> {
    let mut senders = BySender::new();
    for transaction in transactions {
        senders.entry(transaction.signer().to_checksum(None)).or_default().insert(transaction.nonce(), show(transaction));
    }
    senders
}

fn by_nonce<T>(transactions: &[Arc<RecoveredTransaction>], show: impl Fn(&RecoveredTransaction) -> T) -> ByNonce<T> {
    transactions.iter().map(|transaction| (transaction.nonce(), show(transaction))).collect()
}

fn show(transaction: &RecoveredTransaction) -> RpcTransaction {
    transactions::waiting(transaction.clone())
}

/// One line, in the words of geth.
fn describe(transaction: &RecoveredTransaction) -> String {
    let (value, gas, price) = (transaction.value(), transaction.gas_limit(), transaction.max_fee_per_gas());
    let to = transaction.to().map_or_else(|| "contract creation".to_owned(), |to| to.to_checksum(None));
    format!("{to}: {value} wei + {gas} gas × {price} wei")
}
