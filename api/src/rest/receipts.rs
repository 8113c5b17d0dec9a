//! What a transaction did.

use alloy_consensus::{Receipt, Transaction as _};
use alloy_primitives::{Address, B256, Bytes};
use serde::Serialize;

use crate::DecidedBlock;

#[derive(Debug, Serialize)]
pub(super) struct ReceiptFields {
    is_success: bool,
    gas_used: u64,
    cumulative_gas_used: u64,
    /// Wei per gas.
    effective_gas_price: String,
    /// The contract that it deployed.
    contract_address: Option<Address>,
    logs: Vec<LogFields>,
}

#[derive(Debug, Serialize)]
struct LogFields {
    /// Number of the log in its block.
    index: usize,
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

/// The receipt of the transaction at `index`; `receipts` are one per transaction of `block`.
pub(super) fn receipt(block: &DecidedBlock, receipts: &[Receipt], index: usize) -> Option<ReceiptFields> {
    let (before, receipt) = (receipts.get(..index)?, receipts.get(index)?);
    let transaction = block.block.body.transactions.get(index)?;
    let sender = block.senders.get(index)?;
    let gas_before = before.last().map_or(0, |receipt| receipt.cumulative_gas_used);
    let first_log = before.iter().map(|receipt| receipt.logs.len()).sum();
    Some(ReceiptFields {
        is_success: receipt.status.coerce_status(),
        gas_used: receipt.cumulative_gas_used.saturating_sub(gas_before),
        cumulative_gas_used: receipt.cumulative_gas_used,
        effective_gas_price: transaction.effective_gas_price(block.block.header.base_fee_per_gas).to_string(),
        contract_address: transaction.kind().is_create().then(|| sender.create(transaction.nonce())),
        logs: logs(receipt, first_log),
    })
}

fn logs(receipt: &Receipt, first: usize) -> Vec<LogFields> {
    let show = |(index, log): (usize, &alloy_primitives::Log)| LogFields {
        index,
        address: log.address,
        topics: log.topics().to_vec(),
        data: log.data.data.clone(),
    };
    (first..).zip(&receipt.logs).map(show).collect()
}
