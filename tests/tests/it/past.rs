//! The past: state at earlier heights, its proofs, and what is no longer kept.

use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use primitives::{Address, B256, Bytes, U256, keccak256};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::testnet::{Testnet, Transfer, Validator, ether, secs};

const TO: Address = Address::repeat_byte(0x22);

fn parsed<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// The balance that a proof of `TO` at `height` shows, held against the header's state root.
async fn proved_balance(node: &Validator, height: u64) -> U256 {
    let block = json!(format!("{height:#x}"));
    let header = node.call("eth_getBlockByNumber", json!([block, false])).await.unwrap();
    let proof = node.call("eth_getProof", json!([TO, ["0x0"], block])).await.unwrap();
    let account = TrieAccount {
        nonce: parsed::<U256>(&proof["nonce"]).to(),
        balance: parsed(&proof["balance"]),
        storage_root: parsed(&proof["storageHash"]),
        code_hash: parsed(&proof["codeHash"]),
    };
    let nodes: Vec<Bytes> = parsed(&proof["accountProof"]);
    let expected = (!account.balance.is_zero()).then(|| alloy_rlp::encode(account));
    verify_proof(parsed::<B256>(&header["stateRoot"]), Nibbles::unpack(keccak256(TO)), expected, &nodes).unwrap();
    assert_eq!(proof["storageProof"], json!([{ "key": "0x0", "value": "0x0", "proof": [] }]));
    account.balance
}

async fn balance(node: &Validator, height: u64) -> Result<U256, String> {
    let answer = node.call("eth_getBalance", json!([TO, format!("{height:#x}")])).await;
    answer.map(|balance| parsed(&balance)).map_err(|error| error.to_string())
}

#[tokio::test]
async fn earlier_heights_are_told_and_proved_until_they_are_pruned() {
    const KEPT: u64 = 30;
    let mut net = Testnet::of(1).make();
    let node = net.validator(0);
    node.start_with(&["--set", &format!("history.state={KEPT}")]);
    node.signs_above(1, secs(40)).await;
    let hash = node.submit(&Transfer { to: TO, value: ether(3), ..Transfer::new(0, 0) }).await.unwrap();
    let receipt = node.receipt(hash, secs(10)).await;
    let height = parsed::<U256>(&receipt["blockNumber"]).to::<u64>();
    node.reach(height + 2, secs(10)).await;
    for (at, expected) in [(height - 1, U256::ZERO), (height, ether(3)), (height + 2, ether(3))] {
        assert_eq!(balance(node, at).await, Ok(expected), "after {at}, sent at {height}");
        assert_eq!(proved_balance(node, at).await, expected, "after {at}, sent at {height}");
    }

    node.reach(height + KEPT + 1, secs(30)).await;
    let error = balance(node, height - 1).await.unwrap_err();
    assert!(error.contains(&format!("the state of block {} is not kept; kept are ", height - 1)), "{error}");

    // An archive keeps from where it begins, what is there already included.
    node.stop().await;
    node.start_with(&["--set", "history.state=archive"]);
    let begun = node.height().await.unwrap_or(0).max(height + KEPT);
    node.reach(begun + KEPT + 5, secs(60)).await;
    assert_eq!(proved_balance(node, begun).await, ether(3));
    assert!(balance(node, begun + KEPT + 1_000).await.unwrap_err().contains("header not found"));
}
