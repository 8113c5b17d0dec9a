//! What gas costs, and what it did cost.

use alloy_consensus::{Receipt, Transaction as _};
use alloy_eips::{BlockNumberOrTag, eip1559::BaseFeeParams};
use alloy_primitives::U256;
use alloy_rpc_types_eth::FeeHistory;
use jsonrpsee::types::ErrorObjectOwned;
use primitives::{Header, Height};

use super::{block_id, quantity::HexOrDecimal};
use crate::{
    Backend, BackendError, BlockRef, DecidedBlock, SealedHeader, config,
    rpc::{Params, invalid},
};

/// Percentiles that one question may name, as in geth.
const MAX_PERCENTILES: usize = 100;

pub(super) async fn priority_fee<B: Backend>(backend: &B, params: Params<'_>) -> Result<U256, ErrorObjectOwned> {
    params.none()?;
    Ok(U256::from(backend.suggested_tip().await?))
}

pub(super) async fn gas_price<B: Backend>(backend: &B, params: Params<'_>) -> Result<U256, ErrorObjectOwned> {
    params.none()?;
    let head = backend.head().await?;
    // Clients estimate with this price at the head, whose base fee may be higher than the next.
    let base_fee = next_base_fee(head.inner()).max(head.inner().base_fee_per_gas.unwrap_or_default().into());
    Ok(U256::from(base_fee.saturating_add(backend.suggested_tip().await?)))
}

/// The base fee of the block to come.
pub(super) async fn base_fee<B: Backend>(backend: &B, params: Params<'_>) -> Result<U256, ErrorObjectOwned> {
    params.none()?;
    Ok(U256::from(next_base_fee(backend.head().await?.inner())))
}

pub(super) async fn blob_base_fee<B: Backend>(backend: &B, params: Params<'_>) -> Result<U256, ErrorObjectOwned> {
    params.none()?;
    Ok(U256::from(next_blob_fee(backend, backend.head().await?.inner())))
}

pub(super) async fn history<B: Backend>(backend: &B, params: Params<'_>) -> Result<FeeHistory, ErrorObjectOwned> {
    let params = params.named(&["blockCount", "newestBlock", "rewardPercentiles"])?;
    let count = params.required::<HexOrDecimal>(0)?.0;
    let newest = block_id::by_number(params.required::<BlockNumberOrTag>(1)?);
    let percentiles: Vec<f64> = params.optional(2)?.unwrap_or_default();
    check(&percentiles)?;
    let newest = newest_height(backend, newest).await?;
    let max = if percentiles.is_empty() { config::MAX_FEE_HISTORY_BLOCKS } else { config::MAX_REWARD_BLOCKS };
    let count = count.min(max).min(newest.0.saturating_add(1));
    if count == 0 {
        return Ok(FeeHistory::default());
    }
    let oldest = Height(newest.0 + 1 - count);
    let headers = backend.headers(oldest, count).await?;
    let mut history = summary(backend, oldest, &headers);
    if !percentiles.is_empty() {
        history.reward = Some(rewards(backend, &headers, &percentiles).await?);
    }
    Ok(history)
}

fn check(percentiles: &[f64]) -> Result<(), ErrorObjectOwned> {
    if MAX_PERCENTILES < percentiles.len() {
        return Err(invalid(format!("invalid argument 2 (rewardPercentiles): over the query limit {MAX_PERCENTILES}")));
    }
    if let Some(wrong) = percentiles.iter().find(|percentile| !(0.0..=100.0).contains(*percentile)) {
        return Err(invalid(format!("invalid argument 2 (rewardPercentiles): {wrong} is not between 0 and 100")));
    }
    if percentiles.windows(2).any(|pair| pair[1] < pair[0]) {
        return Err(invalid("invalid argument 2 (rewardPercentiles): they must not decrease"));
    }
    Ok(())
}

async fn newest_height<B: Backend>(backend: &B, newest: BlockRef) -> Result<Height, ErrorObjectOwned> {
    let head = Height(backend.head().await?.inner().number);
    match newest {
        BlockRef::Height(height) if head < height => {
            Err(invalid(format!("invalid argument 1 (newestBlock): request beyond head block: requested {height}, head {head}")))
        }
        BlockRef::Height(height) => Ok(height),
        BlockRef::Latest | BlockRef::Hash(_) => Ok(head),
    }
}

/// Everything that headers alone tell; the fees have one entry more than there are headers, for the block to come.
fn summary<B: Backend>(backend: &B, oldest: Height, headers: &[SealedHeader]) -> FeeHistory {
    let mut history = FeeHistory { oldest_block: oldest.0, ..Default::default() };
    for header in headers {
        let header = header.inner();
        let blob_params = backend.blob_params(header.timestamp);
        history.base_fee_per_gas.push(header.base_fee_per_gas.unwrap_or_default().into());
        history.gas_used_ratio.push(ratio(header.gas_used, header.gas_limit));
        history.base_fee_per_blob_gas.push(header.blob_fee(blob_params).unwrap_or_default());
        history.blob_gas_used_ratio.push(ratio(header.blob_gas_used.unwrap_or_default(), blob_params.max_blob_gas_per_block()));
    }
    if let Some(last) = headers.last() {
        history.base_fee_per_gas.push(next_base_fee(last.inner()));
        history.base_fee_per_blob_gas.push(next_blob_fee(backend, last.inner()));
    }
    history
}

async fn rewards<B: Backend>(backend: &B, headers: &[SealedHeader], percentiles: &[f64]) -> Result<Vec<Vec<u128>>, ErrorObjectOwned> {
    let mut rows = Vec::with_capacity(headers.len());
    for header in headers {
        // Most blocks of a quiet chain are empty, and their row needs no reading.
        if header.inner().gas_used == 0 {
            rows.push(vec![0; percentiles.len()]);
            continue;
        }
        let height = Height(header.inner().number);
        let block = backend.block(BlockRef::Height(height)).await?.ok_or(BackendError::UnknownBlock)?;
        let receipts = backend.receipts(height).await?.ok_or(BackendError::UnknownBlock)?;
        rows.push(reward(tips(&block, &receipts), percentiles));
    }
    Ok(rows)
}

/// The tip each transaction paid, in wei per gas, and the gas it used.
fn tips(block: &DecidedBlock, receipts: &[Receipt]) -> Vec<(u128, u64)> {
    let base_fee = block.block.header.base_fee_per_gas.unwrap_or_default();
    let mut before = 0;
    let tip = |(transaction, receipt): (&primitives::Transaction, &Receipt)| {
        let gas = receipt.cumulative_gas_used.saturating_sub(before);
        before = receipt.cumulative_gas_used;
        (transaction.effective_tip_per_gas(base_fee).unwrap_or_default(), gas)
    };
    block.block.body.transactions.iter().zip(receipts).map(tip).collect()
}

/// For each percentile the tip at which that share of the block's gas is reached, cheapest first.
fn reward(mut tips: Vec<(u128, u64)>, percentiles: &[f64]) -> Vec<u128> {
    tips.sort_unstable();
    let total: u64 = tips.iter().map(|(_, gas)| gas).sum();
    let mut rest = tips.iter();
    let mut reached = 0;
    let mut current = 0;
    let at = |percentile: &f64| {
        let wanted = (total as f64 * percentile / 100.0) as u64;
        while current == 0 && reached == 0 || reached < wanted {
            let Some((tip, gas)) = rest.next() else { break };
            current = *tip;
            reached += gas;
        }
        current
    };
    percentiles.iter().map(at).collect()
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Base fee of the block after `header`, in wei per gas.
fn next_base_fee(header: &Header) -> u128 {
    header.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or_default().into()
}

/// Blob base fee of the block after `header`, in wei per gas, under the rules of the earliest second it can have.
fn next_blob_fee<B: Backend>(backend: &B, header: &Header) -> u128 {
    header.next_block_blob_fee(backend.blob_params(header.timestamp.saturating_add(1))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_reached_by_gas_and_not_by_count() {
        let tips = vec![(30, 10), (10, 80), (20, 10)];
        assert_eq!(reward(tips, &[0.0, 50.0, 80.0, 85.0, 100.0]), [10, 10, 10, 20, 30]);
        assert_eq!(reward(Vec::new(), &[50.0]), [0]);
    }

    #[test]
    fn percentiles_out_of_order_or_range_are_refused() {
        assert!(check(&[0.0, 50.0, 50.0, 100.0]).is_ok());
        for wrong in [&[-1.0][..], &[100.1], &[50.0, 10.0], &[f64::NAN], &[1.0; 101]] {
            assert!(check(wrong).is_err());
        }
    }
}
