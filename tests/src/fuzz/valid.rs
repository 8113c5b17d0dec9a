//! A valid value for each parameter there is, by its name.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Map, Value, json};

use super::{chain, chain::Chain, overridden};

const TAGS: [&str; 5] = ["latest", "earliest", "pending", "safe", "finalized"];
const TRACERS: [&str; 2] = ["callTracer", "prestateTracer"];
const SUBSCRIPTIONS: [&str; 4] = ["newHeads", "logs", "newPendingTransactions", "syncing"];
/// Enough for all that is not endless; what is endless ends soon.
const GAS: [&str; 4] = ["0x5208", "0x186a0", "0xf4240", "0x2dc6c0"];

/// Whether [`value`] knows this parameter.
pub fn is_known(name: &str) -> bool {
    use rand::SeedableRng;
    value("", name, &Chain::default(), &mut StdRng::seed_from_u64(0)).is_some()
}

/// A value for parameter `name` of `method`; none when there is no such parameter.
pub fn value(method: &str, name: &str, chain: &Chain, random: &mut StdRng) -> Option<Value> {
    Some(match name {
        "address" => chain.address(random),
        "block" if method.ends_with("ByNumber") || method.ends_with("ByNumberAndIndex") => number_or_tag(chain, random),
        "block" => block(chain, random),
        "newestBlock" => number_or_tag(chain, random),
        "blockHash" => chain.block_hash(random),
        "transactionHash" => chain.transaction_hash(random),
        "fullTransactions" => json!(random.random_bool(0.5)),
        "blockCount" => quantity(random, 2_000),
        "rewardPercentiles" => json!([0, 25.5, 50, 100]),
        "filter" if method.starts_with("eth_getFilter") || method.starts_with("eth_uninstall") => chain.filter(random),
        "filter" => log_filter(chain, random),
        "data" => hex(random, 0..300),
        "slot" => quantity(random, 20),
        "storageKeys" => json!([word(random), word(random)]),
        "slots" => Value::Object(Map::from_iter([(chain.address(random).as_str().unwrap_or_default().to_owned(), json!([word(random)]))])),
        "index" => quantity(random, 3),
        "transaction" if method.starts_with("eth_send") => chain.raw_transaction(random),
        "transaction" => call(chain, random),
        "timeout" => json!(random.random_range(1..300)),
        "subscription" if method == "eth_subscribe" => one(&SUBSCRIPTIONS, random),
        "subscription" => chain.filter(random),
        "options" if random.random_bool(0.5) => json!(random.random_bool(0.5)),
        "options" => log_filter(chain, random),
        "stateOverride" => overridden::accounts(chain, random),
        "blockOverride" => overridden::block(chain, random),
        "config" => tracing(chain, random),
        _ => return None,
    })
}

pub(super) fn one(from: &[&str], random: &mut StdRng) -> Value {
    json!(from.choose(random))
}

fn number_or_tag(chain: &Chain, random: &mut StdRng) -> Value {
    if random.random_bool(0.3) { one(&TAGS, random) } else { chain.number(random) }
}

/// A number, a tag, or an object of EIP-1898, whose keys may contradict each other.
fn block(chain: &Chain, random: &mut StdRng) -> Value {
    match random.random_range(0..10) {
        0 => json!({ "blockNumber": chain.number(random) }),
        1 => json!({ "blockHash": chain.block_hash(random), "requireCanonical": random.random_bool(0.5) }),
        2 => json!({ "blockHash": chain.block_hash(random), "blockNumber": chain.number(random) }),
        3 => json!({ "blockNumber": "latest", "requireCanonical": true }),
        4 => chain.block_hash(random),
        _ => number_or_tag(chain, random),
    }
}

fn log_filter(chain: &Chain, random: &mut StdRng) -> Value {
    let mut filter = Map::new();
    let mut put = |key: &str, value: Value| filter.insert(key.to_owned(), value);
    match random.random_range(0..4) {
        0 => drop(put("blockHash", chain.block_hash(random))),
        1 => {
            put("blockHash", chain.block_hash(random));
            put("fromBlock", chain.number(random));
        }
        _ => {
            put("fromBlock", number_or_tag(chain, random));
            put("toBlock", number_or_tag(chain, random));
        }
    }
    match random.random_range(0..3) {
        0 => drop(put("address", chain.address(random))),
        1 => drop(put("address", json!([chain.address(random), chain.address(random)]))),
        _ => {}
    }
    match random.random_range(0..3) {
        0 => drop(put("topics", json!([word(random), null, [word(random), word(random)]]))),
        1 => drop(put("topics", json!([null]))),
        _ => {}
    }
    Value::Object(filter)
}

/// Of what geth knows, any part.
fn call(chain: &Chain, random: &mut StdRng) -> Value {
    let place = random.random_range(0..chain::CONTRACTS.len());
    let to = if random.random_bool(0.75) { json!(chain::contract(place)) } else { json!(overridden::address(chain, random)) };
    let all = [
        ("from", chain.address(random)),
        ("to", to),
        ("gas", one(&GAS, random)),
        ("gasPrice", quantity(random, 10_000_000_000)),
        ("maxFeePerGas", quantity(random, 10_000_000_000)),
        ("maxPriorityFeePerGas", quantity(random, 1_000_000_000)),
        ("value", quantity(random, 1_000)),
        ("data", json!(format!("0x{:064x}{:064x}", random.random_range(0..200_000u64), 7))),
        ("input", hex(random, 0..100)),
        ("nonce", quantity(random, 10)),
        ("chainId", json!(format!("{:#x}", chain.chain_id))),
        ("type", one(&["0x0", "0x1", "0x2", "0x3", "0x4"], random)),
        ("accessList", json!([{ "address": chain.address(random), "storageKeys": [word(random)] }])),
        ("authorizationList", json!([])),
        ("blobVersionedHashes", json!([word(random)])),
        ("maxFeePerBlobGas", quantity(random, 1_000_000)),
    ];
    // The gas is nearly always said, so that what never ends takes no more than its share.
    let share = |name: &str| match name {
        "gas" => 0.99,
        "to" | "data" => 0.9,
        _ => 0.15,
    };
    Value::Object(all.into_iter().filter(|(name, _)| random.random_bool(share(name))).map(|(name, value)| (name.to_owned(), value)).collect())
}

fn tracing(chain: &Chain, random: &mut StdRng) -> Value {
    let flag = |random: &mut StdRng| json!(random.random_bool(0.5));
    let all = [
        ("tracer", one(&TRACERS, random)),
        ("tracerConfig", json!({ "onlyTopCall": flag(random), "withLog": flag(random), "diffMode": flag(random) })),
        ("timeout", one(&["1ms", "300ms", "2s", "1h", "0s", "-5s"], random)),
        ("enableMemory", flag(random)),
        ("disableStack", flag(random)),
        ("disableStorage", flag(random)),
        ("enableReturnData", flag(random)),
        ("limit", json!(random.random_range(0..10_000))),
        ("stateOverrides", overridden::accounts(chain, random)),
        ("blockOverrides", overridden::block(chain, random)),
    ];
    Value::Object(all.into_iter().filter(|_| random.random_bool(0.4)).map(|(name, value)| (name.to_owned(), value)).collect())
}

pub(super) fn quantity(random: &mut StdRng, below: u64) -> Value {
    json!(format!("{:#x}", random.random_range(0..below)))
}

pub(super) fn word(random: &mut StdRng) -> Value {
    json!(format!("{:#066x}", random.random_range(0..10u64)))
}

pub(super) fn hex(random: &mut StdRng, bytes: std::ops::Range<usize>) -> Value {
    let count = random.random_range(bytes);
    let bytes: Vec<u8> = (0..count).map(|_| random.random()).collect();
    json!(format!("0x{}", hex::encode(bytes)))
}
