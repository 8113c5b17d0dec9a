//! Accounts that a genesis makes rich.

use alloy_consensus::TxEip1559;
use anyhow::Result;
use primitives::{Address, B256, SecretKey, U256, keccak256};

use crate::transfer::signed;

pub const GWEI: u128 = 1_000_000_000;
/// More than a base fee rises to while the campaign lasts.
pub const FEE_CAP: u128 = 1_000_000 * GWEI;

/// A key and its address.
pub struct Wallet {
    key: SecretKey,
    address: Address,
}

/// What a transaction says besides its sender.
#[derive(Clone, Copy)]
pub struct Order {
    pub chain_id: u64,
    pub nonce: u64,
    pub to: Address,
    pub gas: u64,
    pub fee_cap: u128,
    pub tip: u128,
}

impl Wallet {
    /// The first `count` of a family that everybody can derive.
    pub fn many(family: &str, count: u32) -> Result<Vec<Self>> {
        let wallet = |number: u32| {
            let key = SecretKey::from_bytes(keccak256(format!("{family} {number}")).0)?;
            let address = key.address();
            Ok(Self { key, address })
        };
        (0..count).map(wallet).collect()
    }

    pub fn address(&self) -> Address {
        self.address
    }

    /// The hash, and the bytes as 0x-hex.
    pub fn sign(&self, order: Order) -> Result<(B256, String)> {
        let Order { chain_id, nonce, to, gas, fee_cap, tip } = order;
        let transaction = TxEip1559 {
            chain_id,
            nonce,
            gas_limit: gas,
            max_fee_per_gas: fee_cap,
            max_priority_fee_per_gas: tip.min(fee_cap),
            to: to.into(),
            value: U256::from(1),
            ..Default::default()
        };
        signed(&self.key, transaction)
    }
}
