//! Who signs: accounts that every run finds again.

use primitives::{Address, SecretKey, keccak256};

use crate::development;

/// Accounts that have funds on a development network.
const DEVELOPMENT_PAYERS: u32 = 10;
/// Keeps keys derived here apart from any other derived from the same key.
const PURPOSE: &[u8] = b"axolotl load account";

/// A key with its address.
#[derive(Clone, Debug)]
pub struct Account {
    pub key: SecretKey,
    pub address: Address,
}

/// Those who send, and those who fund them; on a development network some are both.
#[derive(Clone, Debug)]
pub struct Accounts {
    pub senders: Vec<Account>,
    pub payers: Vec<Account>,
    /// Everybody has the keys, so that what is on them is worth nothing.
    pub is_development: bool,
}

impl Accounts {
    /// `count` accounts of the public development mnemonic.
    pub fn development(count: usize) -> Self {
        let all: Vec<_> = (0..DEVELOPMENT_PAYERS.max(count as u32)).map(|index| Account::from(development::account_key(index))).collect();
        Self { senders: all[..count].to_vec(), payers: all[..DEVELOPMENT_PAYERS as usize].to_vec(), is_development: true }
    }

    /// `count` accounts that only the holder of `key` can derive; `key` pays.
    pub fn of(key: SecretKey, count: usize) -> Self {
        let senders = (0..count as u32).map(|index| Account::from(derived(&key, index))).collect();
        Self { senders, payers: vec![key.into()], is_development: false }
    }

    /// The addresses of the senders.
    pub fn addresses(&self) -> Vec<Address> {
        self.senders.iter().map(|account| account.address).collect()
    }
}

impl From<SecretKey> for Account {
    fn from(key: SecretKey) -> Self {
        Self { address: key.address(), key }
    }
}

fn derived(key: &SecretKey, index: u32) -> SecretKey {
    let bytes = keccak256([PURPOSE, &key.expose(), &index.to_be_bytes()].concat());
    SecretKey::from_bytes(bytes.0).expect("no known input hashes to zero or above the curve's order")
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::genesis::DEVELOPMENT_ACCOUNTS;

    #[test]
    fn development_accounts_are_those_of_every_other_tool_and_ten_of_them_pay() {
        let few = Accounts::development(3);
        assert_eq!(few.addresses(), DEVELOPMENT_ACCOUNTS[..3]);
        let many = Accounts::development(25);
        assert_eq!((many.senders.len(), many.payers.len(), many.addresses()[9]), (25, 10, DEVELOPMENT_ACCOUNTS[9]));
    }

    #[test]
    fn accounts_of_a_key_are_found_again_and_differ_from_those_of_another() {
        let of = |index| Accounts::of(development::account_key(index), 20).addresses();
        assert_eq!(of(0), of(0));
        let distinct: std::collections::HashSet<_> = of(0).into_iter().chain(of(1)).collect();
        assert_eq!(distinct.len(), 40);
    }
}
