//! Filters that clients poll.

use std::sync::Arc;

use alloy_eips::BlockNumberOrTag;
use alloy_primitives::B256;
use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};
use jsonrpsee::types::ErrorObjectOwned;
use primitives::Height;
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use super::{Caller, logs, transactions, transactions::RpcTransaction};
use crate::{
    Backend, BackendError, config,
    error::{LIMIT_EXCEEDED, SERVER_ERROR},
    filters::{Cursor, Full},
    identifier::Identifier,
    rpc::{Params, invalid},
};

type Found<T> = Result<T, ErrorObjectOwned>;

/// What happened since the last poll.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Changes {
    Hashes(Vec<B256>),
    Transactions(Vec<RpcTransaction>),
    Logs(Vec<Log>),
}

pub(super) async fn logs<B: Backend>(caller: &Caller<B>, params: Params<'_>) -> Found<Identifier> {
    let filter: Filter = params.named(&["filter"])?.required(0)?;
    logs::check(&filter)?;
    let next = head(caller).await?.next();
    let next = first(&filter)?.map_or(next, |first| first.max(next));
    install(caller, Cursor::Logs { filter: Arc::new(filter), next })
}

pub(super) async fn blocks<B: Backend>(caller: &Caller<B>, params: Params<'_>) -> Found<Identifier> {
    params.none()?;
    let next = head(caller).await?.next();
    install(caller, Cursor::Blocks { next })
}

pub(super) async fn pending<B: Backend>(caller: &Caller<B>, params: Params<'_>) -> Found<Identifier> {
    let is_full = params.named(&["fullTransactions"])?.optional(0)?.unwrap_or_default();
    install(caller, Cursor::Pending { receiver: caller.backend.pending(), is_full })
}

pub(super) async fn uninstall<B: Backend>(caller: &Caller<B>, params: Params<'_>) -> Found<bool> {
    let id = params.named(&["filter"])?.required(0)?;
    Ok(caller.filters.uninstall(&id))
}

pub(super) async fn changes<B: Backend>(caller: &Caller<B>, params: Params<'_>) -> Found<Changes> {
    let id = params.named(&["filter"])?.required(0)?;
    let standing = caller.filters.find(&id).ok_or_else(not_found)?;
    let mut cursor = standing.lock().await;
    match &mut *cursor {
        Cursor::Blocks { next } => new_blocks(caller, next).await.map(Changes::Hashes),
        Cursor::Logs { filter, next } => new_logs(caller, filter, next).await.map(Changes::Logs),
        Cursor::Pending { receiver, is_full } => {
            let Some(hashes) = drain(receiver) else {
                caller.filters.uninstall(&id);
                return Err(fallen_behind());
            };
            new_transactions(caller, hashes, *is_full).await
        }
    }
}

/// Everything that a filter of logs matches, told before or not.
pub(super) async fn all_logs<B: Backend>(caller: &Caller<B>, params: Params<'_>) -> Found<Vec<Log>> {
    let id = params.named(&["filter"])?.required(0)?;
    let standing = caller.filters.find(&id).ok_or_else(not_found)?;
    let filter = match &*standing.lock().await {
        Cursor::Logs { filter, .. } => filter.clone(),
        Cursor::Blocks { .. } | Cursor::Pending { .. } => return Err(not_found()),
    };
    logs::find(&caller.backend, &filter).await
}

/// Whether a filter or a subscription of these criteria makes sense: what is to come has no hash yet, and a range does not end before it begins.
pub(super) fn first(filter: &Filter) -> Found<Option<Height>> {
    let FilterBlockOption::Range { from_block, to_block } = filter.block_option else {
        return Err(invalid("invalid argument 0 (filter): blockHash names a block that is there already; use eth_getLogs"));
    };
    let number = |tag: Option<BlockNumberOrTag>| match tag {
        Some(BlockNumberOrTag::Number(number)) => Some(Height(number)),
        Some(BlockNumberOrTag::Earliest) => Some(Height::GENESIS),
        _ => None,
    };
    match (number(from_block), number(to_block)) {
        (Some(first), Some(last)) if last < first => Err(invalid(format!("invalid block range params: fromBlock {first} is after toBlock {last}"))),
        (first, _) => Ok(first),
    }
}

fn install<B: Backend>(caller: &Caller<B>, cursor: Cursor) -> Found<Identifier> {
    caller.filters.install(cursor).map_err(|full: Full| ErrorObjectOwned::owned(LIMIT_EXCEEDED, full.to_string(), None::<()>))
}

async fn new_blocks<B: Backend>(caller: &Caller<B>, next: &mut Height) -> Found<Vec<B256>> {
    let headers = caller.backend.headers(*next, config::MAX_POLLED).await?;
    *next = Height(next.0.saturating_add(headers.len() as u64));
    Ok(headers.iter().map(|header| header.seal()).collect())
}

/// Logs of the blocks from `next` on, which then stands behind them. Of too many the first part; the next poll goes on there.
async fn new_logs<B: Backend>(caller: &Caller<B>, filter: &Filter, next: &mut Height) -> Found<Vec<Log>> {
    let head = head(caller).await?;
    let mut last = match filter.block_option.get_to_block() {
        Some(BlockNumberOrTag::Number(to)) => head.min(Height(*to)),
        _ => head,
    };
    if last < *next {
        return Ok(Vec::new());
    }
    last = last.min(Height(next.0.saturating_add(config::MAX_POLLED - 1)));
    loop {
        match logs::between(&caller.backend, filter, *next, last).await {
            Err(error) if error.code() == LIMIT_EXCEEDED && *next < last => last = Height(next.0 + (last.0 - next.0) / 2),
            Err(error) => return Err(error),
            Ok(found) => {
                *next = last.next();
                return Ok(found);
            }
        }
    }
}

/// What came since the last poll; none when some of it is gone already.
fn drain(receiver: &mut Receiver<B256>) -> Option<Vec<B256>> {
    let mut hashes = Vec::new();
    while (hashes.len() as u64) < config::MAX_POLLED {
        match receiver.try_recv() {
            Ok(hash) => hashes.push(hash),
            Err(TryRecvError::Lagged(_)) => return None,
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    Some(hashes)
}

async fn new_transactions<B: Backend>(caller: &Caller<B>, hashes: Vec<B256>, is_full: bool) -> Found<Changes> {
    if !is_full {
        return Ok(Changes::Hashes(hashes));
    }
    let mut found = Vec::with_capacity(hashes.len());
    for hash in hashes {
        found.extend(transactions::pending(&caller.backend, hash).await?);
    }
    Ok(Changes::Transactions(found))
}

async fn head<B: Backend>(caller: &Caller<B>) -> Result<Height, BackendError> {
    Ok(Height(caller.backend.head().await?.inner().number))
}

fn not_found() -> ErrorObjectOwned {
    ErrorObjectOwned::borrowed(SERVER_ERROR, "filter not found", None)
}

fn fallen_behind() -> ErrorObjectOwned {
    ErrorObjectOwned::borrowed(SERVER_ERROR, "filter not found: more transactions came between two polls than are remembered; install it again", None)
}
