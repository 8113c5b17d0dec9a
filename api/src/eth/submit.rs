//! The door through which transactions enter.

use std::time::Duration;

use alloy_consensus::Transaction as _;
use alloy_primitives::{B256, Bytes, U64};
use jsonrpsee::types::ErrorObjectOwned;
use primitives::Height;
use tokio::{sync::watch, time::timeout};

use super::{
    Caller,
    quantity::HexOrDecimal,
    receipts::{self, RpcReceipt},
};
use crate::{Backend, BackendError, Found, config, rpc::Params};

/// EIP-7966: the transaction waits, but no block took it in time.
const NOT_IN_TIME: i32 = 4;
/// EIP-7966: the transaction waits for an earlier one of its sender.
const NONCE_GAP: i32 = 6;

pub(super) async fn submit<B: Backend>(backend: &B, params: Params<'_>) -> Result<B256, ErrorObjectOwned> {
    let raw: Bytes = params.named(&["transaction"])?.hex(0)?;
    Ok(backend.submit(raw).await?)
}

/// Submits, and answers with the receipt (EIP-7966).
pub(super) async fn submit_and_wait<B: Backend>(caller: &Caller<B>, params: Params<'_>) -> Result<RpcReceipt, ErrorObjectOwned> {
    let params = params.named(&["transaction", "timeout"])?;
    let raw: Bytes = params.hex(0)?;
    let limit = limit(params.optional::<HexOrDecimal>(1)?);
    let full =
        || BackendError::LimitExceeded(format!("{} clients wait for a receipt already; use eth_sendRawTransaction", config::MAX_RECEIPT_WAITS));
    let _permit = caller.receipt_waits.try_acquire().map_err(|_| full())?;
    let backend = &caller.backend;
    // Before it is submitted, so that no block is missed.
    let heads = backend.heads();
    let hash = backend.submit(raw).await?;
    if let Some(expected) = missing_nonce(backend, hash).await? {
        let message = format!("the transaction waits in the pool for an earlier one of its sender: next nonce {expected}");
        return Err(ErrorObjectOwned::owned(NONCE_GAP, message, Some(U64::from(expected))));
    }
    match timeout(limit, receipt(backend, hash, heads)).await {
        Ok(receipt) => Ok(receipt?),
        Err(_) => {
            let message = format!("the transaction was added to the mempool but wasn't processed in {limit:?}");
            Err(ErrorObjectOwned::owned(NOT_IN_TIME, message, Some(hash)))
        }
    }
}

/// How long to wait: what the client says within our bounds.
fn limit(asked: Option<HexOrDecimal>) -> Duration {
    match asked {
        None | Some(HexOrDecimal(0)) => config::RECEIPT_WAIT,
        Some(HexOrDecimal(ms)) => Duration::from_millis(ms).min(config::MAX_RECEIPT_WAIT),
    }
}

/// The nonce that must come before the transaction can be executed, if any must.
async fn missing_nonce<B: Backend>(backend: &B, hash: B256) -> Result<Option<u64>, BackendError> {
    let Some(Found::Waiting(transaction)) = backend.transaction(hash).await? else { return Ok(None) };
    let next = backend.pending_nonce(transaction.signer()).await?;
    Ok((next <= transaction.nonce()).then_some(next))
}

/// The receipt as soon as some block has it.
async fn receipt<B: Backend>(backend: &B, hash: B256, mut heads: watch::Receiver<Height>) -> Result<RpcReceipt, BackendError> {
    loop {
        heads.mark_unchanged();
        if let Some(receipt) = receipts::find(backend, hash).await? {
            return Ok(receipt);
        }
        heads.changed().await.map_err(|_| BackendError::Unavailable("the node is stopping".into()))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_waits_within_our_bounds() {
        for (asked, wait) in [
            (None, config::RECEIPT_WAIT),
            (Some(0), config::RECEIPT_WAIT),
            (Some(1), Duration::from_millis(1)),
            (Some(u64::MAX), config::MAX_RECEIPT_WAIT),
        ] {
            assert_eq!(limit(asked.map(HexOrDecimal)), wait);
        }
    }
}
