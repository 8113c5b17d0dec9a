//! The light client against a network: what a validator hands over is believed only as far as it is proved.

use std::{fs, path::Path};

use alloy_consensus::TxEip1559;
use primitives::{Address, B256};
use serde_json::{Value, json};

use crate::testnet::{CHAIN_ID, Testnet, account, axolotl, secs, sign};

/// Init code that stores 42 at slot 7.
const STORES_42: &[u8] = &[0x60, 42, 0x60, 7, 0x55, 0];
const GWEI: u128 = 1_000_000_000;

/// Runs `line`, which must end with `code`; the JSON of stdout, or of stderr.
#[track_caller]
fn ends(line: &str, directory: &Path, code: i32) -> Value {
    let output = axolotl(&format!("{line} --output json"), directory);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{line}: {out}{err}");
    let text = if code == 0 { out.as_ref() } else { err.lines().last().unwrap_or_default() };
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{line}: {error} in {text}"))
}

#[tokio::test]
async fn a_block_fetched_from_one_validator_is_verified_with_the_genesis_alone_and_a_tampered_one_refused() {
    let mut net = Testnet::of(4).start().await;
    net.reach(8).within(secs(30)).await;
    let rpc = format!("http://127.0.0.1:{}", net.validator(0).rpc);
    let (hash, later) = (net.validator(2).hash(5).await.unwrap(), net.validator(3).hash(8).await.unwrap());
    let block = net.validator(1).block(5).await.unwrap();
    let here = net.directory().to_owned();
    ends(&format!("export proof --height 5 --file 5.json --rpc {rpc}"), &here, 0);
    assert_eq!(ends(&format!("export proof --height 6 --height 8 --file list.json --rpc {rpc}"), &here, 0)["heights"], json!([6, 8]));
    ends(&format!("export proof --file latest.json --rpc {rpc}"), &here, 0);
    assert!(ends(&format!("export proof --height 0 --file x --rpc {rpc}"), &here, 1).to_string().contains("genesis hash"));
    net.stop_all().await;

    // Nobody answers any more: what follows needs files alone.
    let genesis = "--trusted validator-3/config/genesis.json";
    fs::write(here.join("block.json"), block.to_string()).unwrap();
    let verified = ends(&format!("verify {genesis} --bundle 5.json --header block.json --write-checkpoint at-5.json"), &here, 0);
    assert_eq!((&verified["block"]["hash"], &verified["block"]["state_root"]), (&json!(hash), &block["stateRoot"]));
    assert!(3 <= verified["block"]["signed"]["power"].as_u64().unwrap(), "{verified}");
    assert_eq!(ends("verify --trusted at-5.json --bundle list.json", &here, 0)["block"]["hash"], json!(later));
    ends(&format!("verify {genesis} --bundle latest.json"), &here, 0);

    let honest: Value = serde_json::from_slice(&fs::read(here.join("5.json")).unwrap()).unwrap();
    let list: Value = serde_json::from_slice(&fs::read(here.join("list.json")).unwrap()).unwrap();
    for (part, step) in [("header", "metadata"), ("metadata", "metadata"), ("certificate", "certificate_block")] {
        let mut tampered = honest.clone();
        tampered[part] = list[0][part].clone();
        fs::write(here.join("tampered.json"), tampered.to_string()).unwrap();
        let error = ends(&format!("verify {genesis} --bundle tampered.json"), &here, 1);
        assert!(error["error"]["at"][0].as_str().unwrap().ends_with(step) && error["error"]["remedy"].is_string(), "{error}");
    }
    let mut few = honest.clone();
    few["certificate"]["signatures"].as_array_mut().unwrap().truncate(2);
    fs::write(here.join("tampered.json"), few.to_string()).unwrap();
    assert!(ends(&format!("verify {genesis} --bundle tampered.json"), &here, 1).to_string().contains("power 2, but 3 is needed"));

    // The same validators, but another network.
    ends("genesis new --validators 4 --nonce 0x0000000000000000000000000000000000000000000000000000000000000009 --file other.json", &here, 0);
    let error = ends("verify --trusted other.json --bundle 5.json", &here, 1);
    assert!(error["error"]["at"][0].as_str().unwrap().ends_with("signatures"), "{error}");
}

/// The JSON with one digit of the hex at `path` changed.
fn with_one_digit_changed(proof: &Value, path: &str) -> Value {
    let mut changed = proof.clone();
    let hex = changed.pointer_mut(path).unwrap_or_else(|| panic!("no {path} in {proof}"));
    let mut digits = hex.as_str().unwrap().to_owned();
    let last = if digits.pop() == Some('0') { '1' } else { '0' };
    digits.push(last);
    *hex = digits.into();
    changed
}

#[tokio::test]
async fn what_eth_get_proof_answers_of_an_account_and_a_slot_is_verified_and_with_one_byte_changed_refused() {
    let mut net = Testnet::of(4).start().await;
    net.reach(2).within(secs(30)).await;
    let (max_fee_per_gas, max_priority_fee_per_gas, input) = (100 * GWEI, GWEI, STORES_42.to_vec().into());
    let fields = TxEip1559 { chain_id: CHAIN_ID, gas_limit: 200_000, max_fee_per_gas, max_priority_fee_per_gas, input, ..Default::default() };
    let (hash, raw) = sign(0, fields);
    net.validator(0).call("eth_sendRawTransaction", json!([raw])).await.unwrap();
    let receipt = net.validator(1).receipt(hash, secs(30)).await;
    let (contract, height) = (&receipt["contractAddress"], receipt["blockNumber"].as_str().unwrap());
    let node = net.validator(1);
    let of_contract = node.call("eth_getProof", json!([contract, ["0x7", "0x8"], height])).await.unwrap();
    let of_sender = node.call("eth_getProof", json!([account(0), [], height])).await.unwrap();
    let of_nobody = node.call("eth_getProof", json!([Address::repeat_byte(0xee), [B256::ZERO], height])).await.unwrap();
    let rpc = node.rpc;
    let here = net.directory().to_owned();
    let number = u64::from_str_radix(&height[2..], 16).unwrap();
    ends(&format!("export proof --height {number} --file bundle.json --rpc http://127.0.0.1:{rpc}"), &here, 0);
    ends(&format!("export proof --height {} --file before.json --rpc http://127.0.0.1:{rpc}", number - 1), &here, 0);
    net.stop_all().await;

    let verify = |proof: &Value, bundle: &str, code: i32| {
        fs::write(here.join("proof.json"), proof.to_string()).unwrap();
        ends(&format!("verify --trusted validator-3/config/genesis.json --bundle {bundle} --proof proof.json"), &here, code)
    };
    let proved = verify(&json!({ "jsonrpc": "2.0", "id": 1, "result": of_contract }), "bundle.json", 0)["accounts"][0].clone();
    assert_eq!(
        (&proved["address"], &proved["account"]["nonce"], &proved["account"]["storage_root"]),
        (contract, &json!(1), &of_contract["storageHash"])
    );
    let slots: Vec<_> = proved["slots"].as_array().unwrap().iter().map(|slot| (slot["present"].clone(), slot["value"].clone())).collect();
    assert_eq!(slots, [(json!(true), json!(B256::with_last_byte(42))), (json!(false), json!(B256::ZERO))], "{proved}");
    let sender = verify(&of_sender, "bundle.json", 0)["accounts"][0]["account"].clone();
    assert_eq!((&sender["nonce"], &sender["code_hash"]), (&json!(1), &of_sender["codeHash"]));
    assert_eq!(verify(&of_nobody, "bundle.json", 0)["accounts"][0]["present"], false);

    let paths = [
        "/nonce",
        "/balance",
        "/codeHash",
        "/storageHash",
        "/accountProof/0",
        "/storageProof/0/value",
        "/storageProof/0/proof/0",
        "/storageProof/1/value",
    ];
    for path in paths {
        let error = verify(&with_one_digit_changed(&of_contract, path), "bundle.json", 1);
        let step = if path.starts_with("/storageProof") { "slot" } else { "account" };
        assert!(error["error"]["at"].to_string().contains(&format!("step      {step}")), "{path}: {error}");
    }
    // The state before the contract was made is another one.
    assert!(verify(&of_contract, "before.json", 1)["error"]["at"].to_string().contains("step      account"));
}
