//! Receipts as they are stored: with everything that `eth_getTransactionReceipt` and `eth_getLogs` answer.

use alloy_consensus::{ReceiptEnvelope, Transaction as _, Typed2718};
use alloy_primitives::{Address, B256, Bloom, Bytes, Log};
use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use primitives::RecoveredTransaction;

/// What became of one transaction. Its block and index are where it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub transaction_hash: B256,
    /// EIP-2718 type: 0, 1, 2 or 4.
    pub transaction_type: u8,
    /// False if it was reverted or ran out of gas.
    pub is_success: bool,
    pub sender: Address,
    /// Whom it called; none if it made a contract.
    pub to: Option<Address>,
    /// The contract it made, or would have made had it succeeded.
    pub contract_address: Option<Address>,
    pub gas_used: u64,
    /// Gas used in the block up to and including this transaction.
    pub cumulative_gas_used: u64,
    /// Wei per gas that were paid.
    pub effective_gas_price: u128,
    /// Index within the block of the first of [`Receipt::logs`].
    pub first_log_index: u64,
    pub logs: Vec<Log>,
}

impl Receipt {
    /// Bloom filter over the logs.
    pub fn logs_bloom(&self) -> Bloom {
        alloy_primitives::logs_bloom(&self.logs)
    }
}

/// The stored receipts of a block from what execution left.
pub(crate) fn receipts(transactions: &[RecoveredTransaction], outcomes: &[ReceiptEnvelope], base_fee: u64) -> Vec<Receipt> {
    let (mut gas_before, mut logs_before) = (0, 0);
    let mut receipts = Vec::with_capacity(transactions.len());
    for (transaction, outcome) in transactions.iter().zip(outcomes) {
        let cumulative_gas_used = outcome.cumulative_gas_used();
        let sender = transaction.signer();
        receipts.push(Receipt {
            transaction_hash: *transaction.tx_hash(),
            transaction_type: transaction.ty(),
            is_success: outcome.status(),
            sender,
            to: transaction.to(),
            contract_address: transaction.is_create().then(|| sender.create(transaction.nonce())),
            gas_used: cumulative_gas_used - gas_before,
            cumulative_gas_used,
            effective_gas_price: transaction.effective_gas_price(Some(base_fee)),
            first_log_index: logs_before,
            logs: outcome.logs().to_vec(),
        });
        gas_before = cumulative_gas_used;
        logs_before += outcome.logs().len() as u64;
    }
    receipts
}

/// The receipts of a block as bytes, for [`decode_receipts`].
pub fn encode_receipts(receipts: &[Receipt]) -> Bytes {
    alloy_rlp::encode(receipts.iter().map(Stored::from).collect::<Vec<_>>()).into()
}

/// Reads what [`encode_receipts`] wrote.
pub fn decode_receipts(mut bytes: &[u8]) -> Result<Vec<Receipt>, alloy_rlp::Error> {
    let receipts = Vec::<Stored>::decode(&mut bytes)?;
    match bytes.is_empty() {
        true => receipts.into_iter().map(Receipt::try_from).collect(),
        false => Err(alloy_rlp::Error::Custom("bytes after the receipts")),
    }
}

/// The RLP form; an address that is not there is an empty list.
#[derive(RlpEncodable, RlpDecodable)]
struct Stored {
    transaction_hash: B256,
    transaction_type: u8,
    is_success: bool,
    sender: Address,
    to: Vec<Address>,
    contract_address: Vec<Address>,
    gas_used: u64,
    cumulative_gas_used: u64,
    effective_gas_price: u128,
    first_log_index: u64,
    logs: Vec<Log>,
}

impl From<&Receipt> for Stored {
    fn from(receipt: &Receipt) -> Self {
        Self {
            transaction_hash: receipt.transaction_hash,
            transaction_type: receipt.transaction_type,
            is_success: receipt.is_success,
            sender: receipt.sender,
            to: receipt.to.into_iter().collect(),
            contract_address: receipt.contract_address.into_iter().collect(),
            gas_used: receipt.gas_used,
            cumulative_gas_used: receipt.cumulative_gas_used,
            effective_gas_price: receipt.effective_gas_price,
            first_log_index: receipt.first_log_index,
            logs: receipt.logs.clone(),
        }
    }
}

impl TryFrom<Stored> for Receipt {
    type Error = alloy_rlp::Error;

    fn try_from(stored: Stored) -> Result<Self, alloy_rlp::Error> {
        let at_most_one = |addresses: Vec<Address>| match addresses[..] {
            [] => Ok(None),
            [address] => Ok(Some(address)),
            _ => Err(alloy_rlp::Error::Custom("more than one address")),
        };
        Ok(Self {
            transaction_hash: stored.transaction_hash,
            transaction_type: stored.transaction_type,
            is_success: stored.is_success,
            sender: stored.sender,
            to: at_most_one(stored.to)?,
            contract_address: at_most_one(stored.contract_address)?,
            gas_used: stored.gas_used,
            cumulative_gas_used: stored.cumulative_gas_used,
            effective_gas_price: stored.effective_gas_price,
            first_log_index: stored.first_log_index,
            logs: stored.logs,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn receipt(to: Option<Address>) -> Receipt {
        Receipt {
            transaction_hash: B256::repeat_byte(1),
            transaction_type: 2,
            is_success: true,
            sender: Address::repeat_byte(2),
            to,
            contract_address: to.is_none().then(|| Address::repeat_byte(3)),
            gas_used: 21_000,
            cumulative_gas_used: 42_000,
            effective_gas_price: u128::from(u64::MAX) * 3,
            first_log_index: 5,
            logs: vec![Log::new_unchecked(Address::ZERO, vec![B256::repeat_byte(4)], Bytes::from_static(b"data"))],
        }
    }

    #[test]
    fn what_was_stored_is_read_back() {
        let receipts = vec![receipt(None), receipt(Some(Address::repeat_byte(9)))];
        assert_eq!(decode_receipts(&encode_receipts(&receipts)), Ok(receipts));
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let bytes = encode_receipts(&[receipt(None)]);
        assert!(decode_receipts(&bytes[..bytes.len() - 1]).is_err());
        assert!(decode_receipts(&[&bytes[..], &[0]].concat()).is_err());
    }
}
