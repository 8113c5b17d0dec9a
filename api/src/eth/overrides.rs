//! What a call finds otherwise than it was decided: its parameters `stateOverride` and `blockOverride`.
//!
//! The values are those of the Ethereum types; a complaint begins with the path of the value that is wrong.

use alloy_rpc_types_eth::{
    BlockOverrides,
    state::{AccountOverride, StateOverride},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::config::{MAX_OVERRIDDEN_ACCOUNTS, MAX_OVERRIDDEN_HASHES, MAX_OVERRIDDEN_SLOTS};

/// What can be overridden of a block, by geth's names; then by the names that other clients use.
const BLOCK_KEYS: &[&str] = &["number", "time", "gasLimit", "feeRecipient", "prevRandao", "baseFeePerGas", "blobBaseFee", "blockHash"];
const OTHER_BLOCK_KEYS: &[&str] = &["blockNumber", "timestamp", "coinbase", "random", "baseFee"];
/// What other clients know of a block and no opcode shows here.
const UNSEEN_BLOCK_KEYS: &[&str] = &["difficulty", "beaconRoot", "parentBeaconBlockRoot", "withdrawals"];

/// Overridden accounts; or which of them cannot be taken, and why.
pub(super) fn state(accounts: Map<String, Value>) -> Result<StateOverride, String> {
    if accounts.len() > MAX_OVERRIDDEN_ACCOUNTS {
        return Err(format!("too many accounts: {}, at most {MAX_OVERRIDDEN_ACCOUNTS}", accounts.len()));
    }
    let accounts: StateOverride = parse(accounts)?;
    if let Some((address, _)) = accounts.iter().find(|(_, account)| account.state.is_some() && account.state_diff.is_some()) {
        return Err(format!("{address}: both state and stateDiff are set; use state to replace all slots, stateDiff to change some"));
    }
    let slots: usize = accounts.values().map(slots).sum();
    match slots <= MAX_OVERRIDDEN_SLOTS {
        true => Ok(accounts),
        false => Err(format!("too many slots: {slots}, at most {MAX_OVERRIDDEN_SLOTS} over all accounts")),
    }
}

/// Overridden values of the block; or which of them cannot be taken, and why.
pub(super) fn block(values: Map<String, Value>) -> Result<BlockOverrides, String> {
    for key in values.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key.as_str()) {
        check_block_key(key)?;
    }
    let block: BlockOverrides = parse(values)?;
    let hashes = block.block_hash.as_ref().map_or(0, |hashes| hashes.len());
    match hashes <= MAX_OVERRIDDEN_HASHES {
        true => Ok(block),
        false => Err(format!("blockHash: too many hashes: {hashes}, at most {MAX_OVERRIDDEN_HASHES}")),
    }
}

/// A misspelt key passed over would leave the call in the block as it is, and its answer wrong.
fn check_block_key(key: &str) -> Result<(), String> {
    if UNSEEN_BLOCK_KEYS.contains(&key) {
        return Err(format!("{key}: a call does not see it, so it cannot be overridden"));
    }
    match BLOCK_KEYS.contains(&key) || OTHER_BLOCK_KEYS.contains(&key) {
        true => Ok(()),
        false => Err(format!("{key:.32}: no such key; known are {}", BLOCK_KEYS.join(", "))),
    }
}

fn slots(account: &AccountOverride) -> usize {
    let count = |slots: &Option<alloy_primitives::map::B256HashMap<_>>| slots.as_ref().map_or(0, |slots| slots.len());
    count(&account.state) + count(&account.state_diff)
}

fn parse<T: DeserializeOwned>(values: Map<String, Value>) -> Result<T, String> {
    serde_path_to_error::deserialize(Value::Object(values)).map_err(|error| format!("{}: {}", error.path(), error.inner()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use alloy_primitives::{Address, B256, U256};
    use serde_json::json;

    use super::*;

    const ACCOUNT: &str = "0x0000000000000000000000000000000000000001";

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn refused(account: Value) -> String {
        state(map(json!({ ACCOUNT: account }))).unwrap_err()
    }

    #[test]
    fn what_an_account_overrides_is_read() {
        let (slot, value) = (B256::with_last_byte(1), B256::with_last_byte(2));
        let accounts = json!({ ACCOUNT: {
            "balance": "0xa", "nonce": "0x7", "code": "0x6001", "stateDiff": { slot.to_string(): value }, "movePrecompileToAddress": Address::ZERO,
        } });
        let expected =
            AccountOverride::default().with_balance(U256::from(10)).with_nonce(7).with_code(vec![0x60, 1]).with_state_diff([(slot, value)]);
        let expected = expected.with_move_precompile_to_opt(Some(Address::ZERO));
        assert_eq!(state(map(accounts)).unwrap()[&Address::with_last_byte(1)], expected);
        assert_eq!(state(Map::new()), Ok(StateOverride::default()));
    }

    #[test]
    fn what_is_wrong_with_an_account_is_named_by_its_key() {
        for (account, path, reason) in [
            (json!({ "balance": "0xzz" }), ".balance: ", "0xzz"),
            (json!({ "nonce": "0x10000000000000000" }), ".nonce: ", ""),
            (json!({ "code": "0x123" }), ".code: ", ""),
            (json!({ "state": { "0x1": "0x1" } }), ".state.0x1: ", ""),
            (json!({ "stateDiff": { B256::ZERO.to_string(): "0x1" } }), &format!(".stateDiff.{}: ", B256::ZERO), ""),
            (json!({ "movePrecompileToAddress": "0x12" }), ".movePrecompileToAddress: ", ""),
            (json!({ "balances": "0x1" }), ".balances: ", "unknown field"),
            (json!("0x1"), ": ", "invalid type"),
            (json!({ "state": {}, "stateDiff": {} }), ": ", "both state and stateDiff are set"),
        ] {
            let message = refused(account);
            assert!(message.starts_with(&format!("{ACCOUNT}{path}")) && message.contains(reason), "{message}");
        }
        assert!(state(map(json!({ "0x12": {} }))).unwrap_err().starts_with("0x12: "));
    }

    #[test]
    fn more_accounts_or_slots_than_the_limit_are_refused() {
        let accounts = |count: usize| (0..count).map(|index| (Address::from_word(U256::from(index).into()).to_string(), json!({}))).collect();
        assert_eq!(state(accounts(MAX_OVERRIDDEN_ACCOUNTS)).unwrap().len(), MAX_OVERRIDDEN_ACCOUNTS);
        assert_eq!(state(accounts(MAX_OVERRIDDEN_ACCOUNTS + 1)).unwrap_err(), "too many accounts: 1025, at most 1024");
        let slots = |count: usize| -> Map<_, _> { (0..count).map(|index| (B256::from(U256::from(index)).to_string(), json!(B256::ZERO))).collect() };
        assert!(state(map(json!({ ACCOUNT: { "state": slots(MAX_OVERRIDDEN_SLOTS) } }))).is_ok());
        assert_eq!(refused(json!({ "stateDiff": slots(MAX_OVERRIDDEN_SLOTS + 1) })), "too many slots: 16385, at most 16384 over all accounts");
    }

    #[test]
    fn a_block_is_overridden_by_the_names_of_any_client() {
        let geth = json!({ "number": "0x1", "time": "0x2", "gasLimit": "0x3", "feeRecipient": Address::ZERO, "prevRandao": B256::ZERO, "baseFeePerGas": "0x4" });
        let older = json!({ "number": "0x1", "time": "0x2", "gasLimit": "0x3", "coinbase": Address::ZERO, "random": B256::ZERO, "baseFee": "0x4" });
        assert_eq!(block(map(geth)).unwrap(), block(map(older)).unwrap());
        assert!(block(map(json!({ "time": "soon" }))).unwrap_err().starts_with("time: "));
        for (key, name) in ["blockNumber", "timestamp"].into_iter().zip(["number", "time"]) {
            assert_eq!(block(map(json!({ key: "0x7" }))), block(map(json!({ name: "0x7" }))));
        }
    }

    #[test]
    fn a_key_that_no_block_has_or_no_call_sees_is_refused_by_its_name() {
        for key in ["timestmp", "Number", "gas_limit", "slotNumber", ""] {
            let message = block(map(json!({ key: "0x1" }))).unwrap_err();
            assert_eq!(message, format!("{key}: no such key; known are {}", BLOCK_KEYS.join(", ")));
        }
        for key in ["difficulty", "beaconRoot", "parentBeaconBlockRoot", "withdrawals"] {
            assert!(block(map(json!({ key: "0x1" }))).unwrap_err().starts_with(&format!("{key}: a call does not see it")), "{key}");
            assert_eq!(block(map(json!({ key: null }))), Ok(BlockOverrides::default()));
        }
    }

    #[test]
    fn more_hashes_than_blocks_a_call_can_ask_for_are_refused() {
        let hashes = |count: usize| -> Map<_, _> { (0..count).map(|number| (number.to_string(), json!(B256::ZERO))).collect() };
        let read = |count| block(map(json!({ "blockHash": hashes(count) })));
        assert_eq!(read(MAX_OVERRIDDEN_HASHES).unwrap().block_hash.unwrap().len(), 256);
        assert_eq!(read(MAX_OVERRIDDEN_HASHES + 1).unwrap_err(), "blockHash: too many hashes: 257, at most 256");
    }
}
