#![allow(clippy::unwrap_used)]
use super::*;
use crate::SecretKey;

fn genesis() -> Genesis {
    let validator = |byte: u8| {
        let public_key = SecretKey::from_bytes([byte; 32]).unwrap().public_key();
        Validator { address: public_key.address(), public_key, power: 1 }
    };
    Genesis::development(1337, ValidatorSet::new((1..=4).map(validator).collect()).unwrap())
}

fn edited(edit: impl FnOnce(&mut Value)) -> Result<Genesis, MalformedGenesis> {
    let mut file: Value = serde_json::from_str(&genesis().to_json()).unwrap();
    edit(&mut file);
    Genesis::from_json(&file.to_string())
}

#[track_caller]
fn refused(edit: impl FnOnce(&mut Value), key: &str) {
    let mistakes = edited(edit).unwrap_err().0;
    assert!(mistakes.iter().any(|mistake| mistake.key == key), "{mistakes:?}");
}

#[test]
fn a_written_genesis_is_read_back_to_the_same_hash() {
    assert_eq!(Genesis::from_json(&genesis().to_json()).unwrap().hash(), genesis().hash());
}

#[test]
fn dev_genesis_is_deterministic() {
    let golden = include_str!("../../../testdata/dev-genesis.hash");
    assert_eq!(genesis().hash().to_string(), golden.trim());
}

#[test]
fn the_consensus_section_is_part_of_the_hash() {
    for edit in [
        |file: &mut Value| file["nonce"] = "0x01".into(),
        |file: &mut Value| file["consensus"]["block_interval"] = "0s".into(),
        |file: &mut Value| file["consensus"]["timeouts"]["propose"] = "2s".into(),
        |file: &mut Value| file["validators"][0]["power"] = 2.into(),
        |file: &mut Value| file["network_kind"] = "dev".into(),
    ] {
        let changed = edited(edit).unwrap();
        let is_same = changed.to_json() == genesis().to_json();
        assert_eq!(changed.hash() == genesis().hash(), is_same);
    }
}

#[test]
fn bootstrap_peers_are_no_part_of_the_hash() {
    assert_eq!(edited(|file| file["bootstrap_peers"] = json!(["host:1"])).unwrap().hash(), genesis().hash());
}

#[test]
fn each_mistake_is_named_by_its_key() {
    refused(|file| file["chain_id"] = 0.into(), "chain_id");
    refused(|file| file["chain_id"] = "many".into(), "chain_id");
    refused(|file| file["timestamp"] = 0.into(), "timestamp");
    refused(|file| file["network_kind"] = "moon".into(), "network_kind");
    refused(|file| file["gas_limit"] = 5.into(), "gas_limit");
    refused(|file| file["forks"]["shanghai"] = 1.into(), "forks.shanghai");
    refused(|file| file["consensus"]["block_interval"] = 250.into(), "consensus.block_interval");
    refused(|file| file["consensus"]["timeouts"]["cap"] = "1s".into(), "consensus.timeouts.cap");
    refused(|file| file["validators"][2]["power"] = 0.into(), "validators[2]");
    refused(|file| file["validators"][1]["public_key"] = "0x02".into(), "validators[1].public_key");
    refused(|file| file["validators"] = json!([]), "validators");
    refused(|file| file["bootstrap_peers"] = json!(["nowhere"]), "bootstrap_peers[0]");
    refused(|file| file["alloc"]["0x12"] = json!({"balance": "0x1"}), "alloc.0x12");
    refused(|file| file["typo"] = 1.into(), "typo");
}

fn mistake(text: &str, key: &str) -> Mistake {
    Genesis::from_json(text).unwrap_err().0.into_iter().find(|mistake| mistake.key == key).unwrap()
}

#[test]
fn an_alloc_that_is_no_object_is_refused_and_only_its_beginning_is_shown() {
    let of = |alloc: Value| {
        let mut file: Value = serde_json::from_str(&genesis().to_json()).unwrap();
        file["alloc"] = alloc;
        mistake(&file.to_string(), "alloc")
    };
    assert_eq!(of(Value::Null), Mistake::new("alloc", "null", "must be an object"));
    assert_eq!(of(json!(["a"])), Mistake::new("alloc", "[\"a\"]", "must be an object"));
    assert_eq!(of("é".repeat(1 << 20).into()), Mistake::new("alloc", format!("\"{}...", "é".repeat(59)), "must be an object"));
    let account = json!({ "0x1111111111111111111111111111111111111111": { "balance": "0x1", "code": "x".repeat(1 << 20) } });
    let mut file: Value = serde_json::from_str(&genesis().to_json()).unwrap();
    file["alloc"] = account;
    let wrong = mistake(&file.to_string(), "alloc.0x1111111111111111111111111111111111111111");
    assert!(wrong.value.starts_with("{\"balance\":\"0x1\",") && wrong.value.ends_with("x..."), "{}", wrong.value.len());
}

#[test]
fn an_account_that_is_listed_twice_is_refused() {
    let account = |digits: &str, balance: u64| format!("\"0x{}\": {{\"balance\": \"{balance:#x}\"}}", digits.repeat(20));
    for (one, other) in [("aa", "aa"), ("aa", "AA")] {
        let twice = format!("\"alloc\": {{ {}, {},", account(one, 1), account(other, 2));
        let wrong = mistake(&genesis().to_json().replace("\"alloc\": {", &twice), &format!("alloc.0x{}", other.repeat(20)));
        assert_eq!((wrong.value.as_str(), wrong.remedy.as_str()), ("2", "is listed twice; merge the two"));
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let mistakes = edited(|file| {
        file["chain_id"] = 0.into();
        file["timestamp"] = 0.into();
        file["typo"] = 1.into();
    });
    assert_eq!(mistakes.unwrap_err().0.len(), 3);
}

#[test]
fn text_that_is_no_json_is_refused_with_its_line() {
    assert!(Genesis::from_json("{\n\"chain_id\": }").unwrap_err().to_string().contains("line 2"));
}

#[test]
fn a_missing_system_contract_is_named() {
    refused(
        |file| file["alloc"].as_object_mut().unwrap().retain(|key, _| !key.to_lowercase().contains("000f3df6")),
        "alloc.0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02",
    );
}

#[test]
fn storage_without_code_or_nonce_is_refused() {
    let address = "0x1111111111111111111111111111111111111111";
    let account = json!({"balance": "0x1", "storage": {format!("0x{:064x}", 1): format!("0x{:064x}", 2)}});
    refused(|file| file["alloc"][address] = account, "alloc.0x1111111111111111111111111111111111111111");
}

#[test]
fn the_development_mnemonic_is_refused_on_a_testnet_and_on_mainnet() {
    for kind in ["testnet", "mainnet"] {
        refused(|file| file["network_kind"] = kind.into(), "alloc.0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    }
}
