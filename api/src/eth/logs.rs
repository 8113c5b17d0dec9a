//! Logs, found by the node's index and by bloom filters, and read from receipts.

use alloy_eips::BlockNumberOrTag;
use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};
use jsonrpsee::types::ErrorObjectOwned;
use primitives::Height;

use super::{block_id, receipts};
use crate::{
    Backend, BackendError, BlockRef, LogCriteria, SealedHeader, config,
    rpc::{Params, invalid},
};

/// Headers read at once.
const PAGE: u64 = 500;

pub(super) async fn logs<B: Backend>(backend: &B, params: Params<'_>) -> Result<Vec<Log>, ErrorObjectOwned> {
    let filter: Filter = params.named(&["filter"])?.required(0)?;
    check(&filter)?;
    find(backend, &filter).await
}

/// Everything that `filter`, which is checked, matches.
pub(super) async fn find<B: Backend>(backend: &B, filter: &Filter) -> Result<Vec<Log>, ErrorObjectOwned> {
    let mut found = Vec::new();
    match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let header = backend.header(BlockRef::Hash(hash)).await?.ok_or(BackendError::UnknownBlock)?;
            search(backend, filter, &header, &mut found).await?;
        }
        FilterBlockOption::Range { from_block, to_block } => {
            let (first, last) = range(backend, from_block, to_block).await?;
            scan(backend, filter, first, last, &mut found).await?;
        }
    }
    Ok(found)
}

/// The logs of the blocks from `first` to `last`, both included.
pub(super) async fn between<B: Backend>(backend: &B, filter: &Filter, first: Height, last: Height) -> Result<Vec<Log>, ErrorObjectOwned> {
    let mut found = Vec::new();
    scan(backend, filter, first, last, &mut found).await?;
    Ok(found)
}

/// All logs of one block.
pub(super) async fn of_block<B: Backend>(backend: &B, header: &SealedHeader) -> Result<Vec<Log>, BackendError> {
    if header.inner().logs_bloom.is_zero() {
        return Ok(Vec::new());
    }
    let height = Height(header.inner().number);
    let block = backend.block(BlockRef::Height(height)).await?.ok_or(BackendError::UnknownBlock)?;
    let receipts = backend.receipts(height).await?.ok_or(BackendError::UnknownBlock)?;
    let mut logs = Vec::new();
    for (index, receipt) in receipts.iter().enumerate() {
        logs.extend(receipts::logs(&block, index, receipt, logs.len() as u64));
    }
    Ok(logs)
}

pub(super) fn check(filter: &Filter) -> Result<(), ErrorObjectOwned> {
    let max = config::MAX_FILTER_VALUES;
    if max < filter.address.len() {
        return Err(invalid(format!("invalid argument 0 (filter): {} addresses, want at most {max}", filter.address.len())));
    }
    match filter.topics.iter().position(|topic| max < topic.len()) {
        Some(index) => {
            Err(invalid(format!("invalid argument 0 (filter): topic {index} has {} values, want at most {max}", filter.topics[index].len())))
        }
        None => Ok(()),
    }
}

/// First and last height of a range, both included. What is beyond the head is not there yet, and no error.
async fn range<B: Backend>(backend: &B, from: Option<BlockNumberOrTag>, to: Option<BlockNumberOrTag>) -> Result<(Height, Height), ErrorObjectOwned> {
    let head = Height(backend.head().await?.inner().number);
    let named = |tag: Option<BlockNumberOrTag>| match block_id::by_number(tag.unwrap_or_default()) {
        BlockRef::Height(height) => Some(height),
        BlockRef::Latest | BlockRef::Hash(_) => None,
    };
    let (from, to) = (named(from), named(to));
    // Someone who polls from the next block to `latest` is early, not wrong.
    if let (Some(first), Some(last)) = (from, to)
        && last < first
    {
        return Err(invalid(format!("invalid block range params: fromBlock {first} is after toBlock {last}")));
    }
    let (first, last) = (from.unwrap_or(head), to.unwrap_or(head).min(head));
    if config::MAX_LOG_BLOCKS <= last.0.saturating_sub(first.0) {
        let max = config::MAX_LOG_BLOCKS;
        return Err(
            BackendError::LimitExceeded(format!("query exceeds the limit of {max} blocks; ask for {first} to {} first", first.0 + max - 1)).into()
        );
    }
    Ok((first, last))
}

async fn scan<B: Backend>(backend: &B, filter: &Filter, first: Height, last: Height, found: &mut Vec<Log>) -> Result<(), ErrorObjectOwned> {
    let wanted = criteria(filter);
    if wanted == LogCriteria::default() {
        return scan_all(backend, filter, first, last, found).await;
    }
    for height in backend.log_heights(wanted, first, last).await? {
        let header = backend.header(BlockRef::Height(height)).await?.ok_or(BackendError::UnknownBlock)?;
        search(backend, filter, &header, found).await?;
    }
    Ok(())
}

fn criteria(filter: &Filter) -> LogCriteria {
    let topics = filter.topics.each_ref().map(|topic| topic.iter().copied().collect());
    LogCriteria { addresses: filter.address.iter().copied().collect(), topics }
}

/// Who wants all logs is shown block after block.
async fn scan_all<B: Backend>(backend: &B, filter: &Filter, first: Height, last: Height, found: &mut Vec<Log>) -> Result<(), ErrorObjectOwned> {
    let mut next = first;
    while next <= last {
        let headers = backend.headers(next, PAGE.min(last.0 - next.0 + 1)).await?;
        for header in &headers {
            search(backend, filter, header, found).await?;
        }
        let Some(read) = headers.last() else { break };
        next = Height(read.inner().number).next();
    }
    Ok(())
}

/// Adds the matching logs of one block.
async fn search<B: Backend>(backend: &B, filter: &Filter, header: &SealedHeader, found: &mut Vec<Log>) -> Result<(), ErrorObjectOwned> {
    let bloom = header.inner().logs_bloom;
    if bloom.is_zero() || !filter.matches_bloom(bloom) {
        return Ok(());
    }
    let height = Height(header.inner().number);
    let receipts = backend.receipts(height).await?.ok_or(BackendError::UnknownBlock)?;
    if !receipts.iter().flat_map(|receipt| &receipt.logs).any(|log| filter.matches(log)) {
        return Ok(());
    }
    let block = backend.block(BlockRef::Height(height)).await?.ok_or(BackendError::UnknownBlock)?;
    let mut first = 0;
    for (index, receipt) in receipts.iter().enumerate() {
        if receipt.logs.iter().any(|log| filter.matches(log)) {
            found.extend(receipts::logs(&block, index, receipt, first).into_iter().filter(|log| filter.matches(&log.inner)));
        }
        first += receipt.logs.len() as u64;
        if config::MAX_LOGS < found.len() {
            return Err(BackendError::LimitExceeded(format!("query returned more than {} results; narrow it", config::MAX_LOGS)).into());
        }
    }
    Ok(())
}
