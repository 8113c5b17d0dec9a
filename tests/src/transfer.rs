//! Transfers between the development accounts, signed in advance.

use alloy_consensus::{SignableTransaction, TxEip1559, crypto::secp256k1::sign_message};
use alloy_eips::Encodable2718;
use anyhow::Result;
use node::development::account_key;
use primitives::{Address, B256, SecretKey, Transaction, U256};

const GWEI: u128 = 1_000_000_000;
/// Senders, who are funded in every development network.
const ACCOUNTS: u64 = 10;
/// Far above what a base fee rises to while blocks are full.
const FEE_CAP: u128 = 10_000 * GWEI;
const GAS: u64 = 21_000;
/// More than any campaign sends.
const FAR_AHEAD: u64 = 1_000_000_000;

/// A transfer as a wallet sends it.
#[derive(Clone, Debug)]
pub struct Transfer {
    pub hash: B256,
    /// 0x-hex.
    pub raw: String,
    /// Number of its sender; all of one sender go to the same validator while that one answers.
    pub sender: usize,
}

/// The first `count` transfers of a fresh chain: the accounts take turns, each with nonces from 0 without a gap.
pub fn transfers(chain_id: u64, count: u64) -> Result<Vec<Transfer>> {
    let keys: Vec<_> = (0..ACCOUNTS as u32).map(account_key).collect();
    (0..count).map(|number| transfer(chain_id, &keys, number)).collect()
}

/// A transfer whose nonce is so far ahead that no block takes it soon.
pub fn far_ahead(chain_id: u64) -> Result<Transfer> {
    transfer(chain_id, &[account_key(0)], FAR_AHEAD * ACCOUNTS)
}

fn transfer(chain_id: u64, keys: &[SecretKey], number: u64) -> Result<Transfer> {
    let (sender, nonce) = (number % ACCOUNTS, number / ACCOUNTS);
    let transaction = TxEip1559 {
        chain_id,
        nonce,
        gas_limit: GAS,
        max_fee_per_gas: FEE_CAP,
        max_priority_fee_per_gas: GWEI,
        to: recipient(number).into(),
        value: U256::from(1),
        ..Default::default()
    };
    let (hash, raw) = signed(&keys[sender as usize], transaction)?;
    Ok(Transfer { hash, raw, sender: sender as usize })
}

/// The hash and the bytes, as 0x-hex, of `transaction` signed by `key`.
pub fn signed(key: &SecretKey, transaction: TxEip1559) -> Result<(B256, String)> {
    let signature = sign_message(key.expose().into(), transaction.signature_hash())?;
    let signed = Transaction::from(transaction.into_signed(signature));
    Ok((*signed.tx_hash(), format!("0x{}", hex::encode(signed.encoded_2718()))))
}

/// One of 256 accounts of nobody.
fn recipient(number: u64) -> Address {
    Address::repeat_byte((number % 256) as u8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_two_transfers_are_the_same() {
        let made = transfers(1_337, 100).unwrap();
        let distinct: std::collections::HashSet<_> = made.iter().map(|transfer| transfer.hash).collect();
        assert_eq!(distinct.len(), 100);
    }
}
