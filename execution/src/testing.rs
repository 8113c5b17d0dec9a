//! Accounts, keys and contracts for tests.

use primitives::{Genesis, SecretKey, Validator, ValidatorSet};

pub(crate) fn genesis() -> Genesis {
    let public_key = SecretKey::from_bytes([1; 32]).expect("1s are a key").public_key();
    let validator = Validator { address: public_key.address(), public_key, power: 1 };
    Genesis::development(1337, ValidatorSet::new(vec![validator]).expect("one validator is a set"))
}
