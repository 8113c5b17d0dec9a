//! The light client against a network: what a validator hands over is believed only as far as it is proved.

use std::{fs, path::Path};

use crate::testnet::{Testnet, axolotl, secs};
use serde_json::{Value, json};

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
