//! Transactions, signed.

use std::sync::Arc;

use alloy_consensus::{SignableTransaction, TxEip1559, crypto::secp256k1::sign_message};
use alloy_eips::Encodable2718;
use primitives::{Address, B256, Bytes, SecretKey, Transaction, U256, keccak256};

use super::{
    accounts::Account,
    fees::Fees,
    plan::{Kind, Order},
    token,
};

/// What a plain transfer uses.
pub const TRANSFER_GAS: u64 = 21_000;

/// Keeps the receivers apart from any other address derived by hashing.
const RECIPIENT: &[u8] = b"axolotl load recipient";

/// A transaction as it is submitted.
#[derive(Clone, Debug)]
pub struct Ready {
    pub hash: B256,
    /// 0x-hex.
    pub raw: String,
}

/// What a transaction does, whoever signs it.
#[derive(Clone, Debug)]
pub struct Deed {
    /// None deploys `input`.
    pub to: Option<Address>,
    pub value: U256,
    pub input: Bytes,
    pub gas: u64,
}

/// Everything needed to sign transaction number `n`, on any thread.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub chain_id: u64,
    pub order: Order,
    pub senders: Arc<Vec<Account>>,
    /// The next nonce of each sender.
    pub nonces: Vec<u64>,
    /// How many others receive; none: each sender's neighbour does.
    pub recipients: Option<u64>,
    pub kind: Kind,
    /// Of kind ERC-20.
    pub token: Option<Address>,
    /// What one transaction may use.
    pub gas: u64,
    pub fees: Arc<Fees>,
}

impl Recipe {
    pub fn sign(&self, number: u64) -> Ready {
        let (signer, before) = self.order.signer(number);
        let to = match self.recipients {
            Some(count) => recipient(number % count),
            None => self.senders[(signer + 1) % self.senders.len()].address,
        };
        let deed = deed(self.kind, self.token, to, self.gas);
        sign(&self.senders[signer].key, self.chain_id, self.nonces[signer] + before, &deed, &self.fees)
    }
}

/// Receiver number `index` of those who are no senders: an address whose key nobody has.
pub fn recipient(index: u64) -> Address {
    Address::from_word(keccak256([RECIPIENT, &index.to_be_bytes()].concat()))
}

/// One wei or one unit of the token for `to`.
pub fn deed(kind: Kind, token: Option<Address>, to: Address, gas: u64) -> Deed {
    match (kind, token) {
        (Kind::Erc20, Some(token)) => Deed { to: Some(token), value: U256::ZERO, input: token::transfer(to, U256::from(1)), gas },
        _ => Deed { to: Some(to), value: U256::from(1), input: Bytes::new(), gas },
    }
}

pub fn sign(key: &SecretKey, chain_id: u64, nonce: u64, deed: &Deed, fees: &Fees) -> Ready {
    let transaction = TxEip1559 {
        chain_id,
        nonce,
        gas_limit: deed.gas,
        max_fee_per_gas: fees.cap(),
        max_priority_fee_per_gas: fees.tip(),
        to: deed.to.into(),
        value: deed.value,
        input: deed.input.clone(),
        ..Default::default()
    };
    let signature = sign_message(key.expose().into(), transaction.signature_hash()).expect("a SecretKey is within the curve's order");
    let signed = Transaction::from(transaction.into_signed(signature));
    Ready { hash: *signed.tx_hash(), raw: format!("0x{}", hex::encode(signed.encoded_2718())) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::load::accounts::Accounts;
    use alloy_consensus::transaction::SignerRecoverable;
    use alloy_eips::Decodable2718;

    #[test]
    fn what_is_signed_is_by_the_account_whose_turn_it_is_and_pays_the_next() {
        let senders = Accounts::development(3).senders;
        let recipe = Recipe {
            chain_id: 9,
            order: Order { nodes: 1, accounts: 3, batch: 1 },
            senders: Arc::new(senders.clone()),
            nonces: vec![0, 7, 0],
            recipients: None,
            kind: Kind::Transfer,
            token: None,
            gas: TRANSFER_GAS,
            fees: Arc::new(Fees::new(None, 7)),
        };
        let ready = recipe.sign(4);
        let bytes = hex::decode(&ready.raw[2..]).unwrap();
        let transaction = Transaction::decode_2718_exact(&bytes).unwrap();
        let plain = transaction.as_eip1559().unwrap().tx();
        assert_eq!((plain.chain_id, plain.nonce, plain.to.to().copied()), (9, 8, Some(senders[2].address)));
        assert_eq!(transaction.recover_signer().unwrap(), senders[1].address);
        assert_eq!(*transaction.tx_hash(), ready.hash);
        let raw = Recipe { recipients: Some(3), ..recipe }.sign(4).raw;
        let transaction = Transaction::decode_2718_exact(&hex::decode(&raw[2..]).unwrap()).unwrap();
        assert_eq!(transaction.as_eip1559().unwrap().tx().to.to().copied(), Some(recipient(1)), "the turn of the second of three");
    }

    #[test]
    fn a_token_transfer_goes_to_the_token_and_moves_no_ether() {
        let (token, to) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let deed = deed(Kind::Erc20, Some(token), to, 40_000);
        assert_eq!((deed.to, deed.value, deed.input), (Some(token), U256::ZERO, token::transfer(to, U256::from(1))));
    }
}
