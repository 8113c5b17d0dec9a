//! Valid overrides of a call: accounts that exist or not, with other slots and other code, precompiles that move, and another block.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Map, Value, json};

use super::{
    chain::{CONTRACTS, Chain},
    valid::{hex, quantity, word},
};

/// Accounts of one parameter; slots of one account.
const ACCOUNTS: std::ops::Range<usize> = 0..4;
const SLOTS: std::ops::Range<usize> = 0..4;
/// Those of the fork, and the one of P-256.
const PRECOMPILES: std::ops::RangeInclusive<u64> = 1..=0x11;
const P256_VERIFY: u64 = 0x100;
/// Nothing; the number of the block, the hash of the one before, its time, its base fee; a call of a precompile; a delegation.
const CODES: [&str; 7] = [
    "0x",
    "0x4360005260206000f3",
    "0x600143034060005260206000f3",
    "0x4260005260206000f3",
    "0x4860005260206000f3",
    "0x6020600060206000600060025af160206000f3",
    "0xef0100c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c000",
];

/// A value for `stateOverride`.
pub fn accounts(chain: &Chain, random: &mut StdRng) -> Value {
    let count = random.random_range(ACCOUNTS);
    Value::Object((0..count).map(|_| any_account(chain, random)).collect())
}

/// A value for `blockOverride`, by the names of geth or the older ones.
pub fn block(chain: &Chain, random: &mut StdRng) -> Value {
    let all = [
        (["number", "number"], far(chain, random)),
        (["time", "time"], quantity(random, u64::MAX)),
        (["gasLimit", "gasLimit"], quantity(random, 100_000_000)),
        (["feeRecipient", "coinbase"], chain.address(random)),
        (["prevRandao", "random"], word(random)),
        (["baseFeePerGas", "baseFee"], quantity(random, 10_000_000_000)),
        (["blobBaseFee", "blobBaseFee"], quantity(random, 10_000_000_000)),
        (["blockHash", "blockHash"], Value::Object(Map::from_iter([(random.random_range(0..chain.height + 3).to_string(), word(random))]))),
    ];
    let kept = all.into_iter().filter(|_| random.random_bool(0.3)).collect::<Vec<_>>();
    Value::Object(kept.into_iter().map(|(names, value)| (names[usize::from(random.random_bool(0.3))].to_owned(), value)).collect())
}

/// Somebody whom an override may be about, so that calls meet it.
pub fn address(chain: &Chain, random: &mut StdRng) -> String {
    match random.random_range(0..10) {
        0..3 => precompile(random),
        3..6 => text(&fresh(random)),
        _ => text(&chain.address(random)),
    }
}

fn any_account(chain: &Chain, random: &mut StdRng) -> (String, Value) {
    let address = address(chain, random);
    let account = parts(chain, is_low(&address), random);
    (address, account)
}

/// Any part of what can be overridden; `state` and `stateDiff` never together.
fn parts(chain: &Chain, may_move: bool, random: &mut StdRng) -> Value {
    let slots = if random.random_bool(0.5) { "state" } else { "stateDiff" };
    let mut all =
        vec![("balance", quantity(random, u64::MAX)), ("nonce", quantity(random, 1_000)), ("code", code(random)), (slots, some_slots(random))];
    if may_move {
        let to = if random.random_bool(0.8) { fresh(random) } else { chain.address(random) };
        all.push(("movePrecompileToAddress", to));
    }
    Value::Object(all.into_iter().filter(|_| random.random_bool(0.5)).map(|(name, value)| (name.to_owned(), value)).collect())
}

fn some_slots(random: &mut StdRng) -> Value {
    let count = random.random_range(SLOTS);
    Value::Object((0..count).map(|_| (text(&word(random)), word(random))).collect())
}

fn code(random: &mut StdRng) -> Value {
    match random.random_range(0..3) {
        0 => json!(CONTRACTS.choose(random)),
        1 => json!(CODES.choose(random)),
        _ => hex(random, 0..100),
    }
}

/// A number near the head, or nobody knows where.
fn far(chain: &Chain, random: &mut StdRng) -> Value {
    if random.random_bool(0.7) { chain.number(random) } else { quantity(random, u64::MAX) }
}

/// Whether precompiles are where `address` is.
fn is_low(address: &str) -> bool {
    address.starts_with("0x000000000000000000000000000000000000")
}

fn precompile(random: &mut StdRng) -> String {
    let number = if random.random_bool(0.1) { P256_VERIFY } else { random.random_range(PRECOMPILES) };
    format!("{number:#042x}")
}

/// An address of one of a few that have nothing on the chain.
fn fresh(random: &mut StdRng) -> Value {
    json!(format!("0xfee1{:036x}", random.random_range(0..4u64)))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn every_part_of_an_account_and_of_a_block_is_drawn_and_slots_are_replaced_or_changed_never_both() {
        let (chain, mut random) = (Chain { addresses: vec!["0x01".to_owned()], ..Chain::default() }, StdRng::seed_from_u64(1));
        let drawn: Vec<Value> = (0..500).map(|_| accounts(&chain, &mut random)).collect();
        let parts: Vec<&Value> = drawn.iter().flat_map(|accounts| accounts.as_object().expect("an object").values()).collect();
        for key in ["balance", "nonce", "code", "state", "stateDiff", "movePrecompileToAddress"] {
            assert!(parts.iter().any(|account| account.get(key).is_some()), "{key}");
        }
        assert!(!parts.iter().any(|account| account.get("state").is_some() && account.get("stateDiff").is_some()));
        let blocks: Vec<Value> = (0..500).map(|_| block(&chain, &mut random)).collect();
        for key in
            ["number", "time", "gasLimit", "feeRecipient", "coinbase", "prevRandao", "random", "baseFeePerGas", "baseFee", "blobBaseFee", "blockHash"]
        {
            assert!(blocks.iter().any(|block| block.get(key).is_some()), "{key}");
        }
    }
}
