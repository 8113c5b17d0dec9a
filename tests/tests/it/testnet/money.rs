//! Transfers between the development accounts, signed as any wallet signs them.

use alloy_consensus::{SignableTransaction, TxEip1559, TxLegacy, crypto::secp256k1::sign_message};
use alloy_eips::Encodable2718;
use node::development::account_key;
use primitives::{Address, B256, Transaction, U256};

pub const CHAIN_ID: u64 = 1_337;
const GWEI: u128 = 1_000_000_000;

/// The address of a funded account.
pub fn account(index: u32) -> Address {
    account_key(index).address()
}

pub fn ether(amount: u64) -> U256 {
    U256::from(amount) * U256::from(10).pow(U256::from(18))
}

/// A transfer, with what usually needs no saying already said.
#[derive(Clone, Debug)]
pub struct Transfer {
    pub from: u32,
    pub nonce: u64,
    pub to: Address,
    pub value: U256,
    pub chain_id: u64,
    pub input: Vec<u8>,
    pub gas_limit: u64,
    pub fee_cap: u128,
}

impl Transfer {
    /// One wei to an address of nobody.
    pub fn new(from: u32, nonce: u64) -> Self {
        let (to, value) = (Address::repeat_byte(0xaa), U256::from(1));
        Self { from, nonce, to, value, chain_id: CHAIN_ID, input: Vec::new(), gas_limit: 21_000, fee_cap: 100 * GWEI }
    }

    /// Its hash, and its bytes as 0x-hex.
    pub fn sign(&self) -> (B256, String) {
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit: self.gas_limit,
            max_fee_per_gas: self.fee_cap,
            max_priority_fee_per_gas: GWEI.min(self.fee_cap),
            to: self.to.into(),
            value: self.value,
            input: self.input.clone().into(),
            ..Default::default()
        };
        sign(self.from, transaction)
    }

    /// The same without replay protection, as before EIP-155.
    pub fn sign_unprotected(&self) -> (B256, String) {
        let transaction = TxLegacy {
            chain_id: None,
            nonce: self.nonce,
            gas_price: self.fee_cap,
            gas_limit: self.gas_limit,
            to: self.to.into(),
            value: self.value,
            input: Default::default(),
        };
        sign(self.from, transaction)
    }
}

/// The hash and the bytes of any transaction, signed by account `from`.
pub fn sign<T: SignableTransaction<alloy_consensus::private::alloy_primitives::Signature>>(from: u32, transaction: T) -> (B256, String)
where
    Transaction: From<alloy_consensus::Signed<T>>,
{
    let signature = sign_message(account_key(from).expose().into(), transaction.signature_hash()).unwrap();
    let signed = Transaction::from(transaction.into_signed(signature));
    (*signed.tx_hash(), format!("0x{}", hex::encode(signed.encoded_2718())))
}
