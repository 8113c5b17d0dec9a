#![allow(clippy::unwrap_used)]
use super::*;
use serde_json::Value;
use std::fs;

fn axolotl(line: &str, directory: &tempfile::TempDir) -> (Result<ExitCode, Failure>, String) {
    let line = line.replace("DIR", directory.path().to_str().unwrap());
    let mut out = Vec::new();
    let result = run(words(&line), Vec::new(), &mut out);
    (result, String::from_utf8(out).unwrap())
}

fn words(line: &str) -> Vec<OsString> {
    std::iter::once("axolotl").chain(line.split(' ')).map(OsString::from).collect()
}

#[track_caller]
fn json(line: &str, directory: &tempfile::TempDir) -> Value {
    let flag = if line.starts_with("testnet") { "--format" } else { "--output" };
    let (result, text) = axolotl(&format!("{line} {flag} json"), directory);
    assert_eq!(result, Ok(ExitCode::Done), "{line}");
    serde_json::from_str(&text).unwrap()
}

#[track_caller]
fn refused(line: &str, directory: &tempfile::TempDir) -> Failure {
    axolotl(line, directory).0.unwrap_err()
}

#[test]
fn a_home_is_made_checked_and_shown() {
    let directory = tempfile::tempdir().unwrap();
    let made = json("init --home DIR/h", &directory);
    let keys = json("keys show --home DIR/h", &directory);
    assert_eq!((&made["node_id"], &made["validator"]), (&keys["node"]["node_id"], &keys["validator"]["address"]));
    assert_eq!(json("config check --home DIR/h", &directory)["valid"], true);
    let shown = json("config show --origin --home DIR/h --set storage.cache=64MiB", &directory);
    assert_eq!((&shown["storage.cache"]["value"], &shown["storage.cache"]["origin"]), (&"64MiB".into(), &"flag --set storage.cache".into()));
    assert_eq!(json("genesis hash DIR/h/config/genesis.json", &directory)["hash"], made["genesis_hash"]);
    assert_eq!(refused("init --home DIR/h", &directory).code, ExitCode::Config);
}

#[test]
fn a_testnet_has_homes_with_keys_of_their_own_and_one_genesis() {
    let directory = tempfile::tempdir().unwrap();
    let made = json("testnet init -v 4 --output DIR/net --port-offset 100 --fund 0x00000000000000000000000000000000000000aa=5", &directory);
    assert_eq!(made["fault_tolerance"], "4 validators tolerate 1 fault");
    assert_eq!((&made["nodes"][1]["rpc"], &made["nodes"][1]["p2p"]), (&3_140.into(), &4_240.into()));
    for index in 0..4 {
        let hash = json(&format!("genesis hash DIR/net/validator-{index}/config/genesis.json"), &directory);
        assert_eq!(hash["hash"], made["genesis_hash"]);
    }
    let genesis: Value = serde_json::from_str(&fs::read_to_string(directory.path().join("net/validator-0/config/genesis.json")).unwrap()).unwrap();
    assert_eq!(genesis["network_kind"], "testnet");
    assert!(genesis["alloc"].to_string().to_lowercase().contains("00000000aa"));
    assert_eq!(refused("testnet init -v 4 --output DIR/net", &directory).code, ExitCode::Config);
}

#[test]
fn development_keys_stay_in_development_networks() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(refused("testnet init -v 4 --output DIR/net --dev --network-kind mainnet", &directory).code, ExitCode::Usage);
    assert!(!directory.path().join("net").exists(), "nothing is written before everything is checked");
    assert_eq!(refused("genesis new --network-kind testnet", &directory).code, ExitCode::Usage);
}

#[test]
fn a_genesis_is_made_validated_and_exported() {
    let directory = tempfile::tempdir().unwrap();
    let made = json(
        "genesis new --file DIR/g.json -v 7 --block-interval 250ms --nonce 0x0000000000000000000000000000000000000000000000000000000000000007",
        &directory,
    );
    let valid = json("genesis validate DIR/g.json", &directory);
    assert_eq!((&valid["hash"], &valid["fault_tolerance"]), (&made["hash"], &"7 validators tolerate 2 faults".into()));
    assert_eq!(json("export genesis --geth DIR/geth.json --genesis-file DIR/g.json", &directory)["hash"], made["hash"]);
    let geth: Value = serde_json::from_str(&fs::read_to_string(directory.path().join("geth.json")).unwrap()).unwrap();
    assert_eq!(geth["config"]["chainId"], 1_337);
    assert_eq!(json("genesis new -v 4", &directory)["validators"].as_array().unwrap().len(), 4);
    assert!(refused("genesis new --file DIR/g.json", &directory).what.contains("already"));
}

#[test]
fn flags_that_make_no_genesis_are_named_with_value_and_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let key = crate::development::validator_key(0).public_key();
    for (line, place) in [
        ("genesis new --chain-id 0".to_owned(), "--chain-id 0: ".to_owned()),
        ("genesis new --chain-id 18446744073709551615".to_owned(), "--chain-id 18446744073709551615: ".to_owned()),
        ("genesis new --timestamp 0".to_owned(), "--timestamp 0: ".to_owned()),
        ("genesis new --timestamp 1767225600000".to_owned(), "--timestamp 1767225600000: ".to_owned()),
        ("genesis new -v 0".to_owned(), "--validators 0".to_owned()),
        ("genesis new -v 101".to_owned(), "--validators 101".to_owned()),
        (format!("genesis new --validator {key}:0"), format!("--validator {key}:0: ")),
        (format!("genesis new --validator {key} --validator {key}"), format!("--validator {key}:1: ")),
        (format!("genesis new --validator {key}:18446744073709551615"), format!("--validator {key}:18446744073709551615: ")),
        ("genesis new --network-kind testnet".to_owned(), "--network-kind testnet".to_owned()),
        ("testnet init -v 0 --output DIR/net".to_owned(), "--validators 0: ".to_owned()),
        ("testnet init -v 101 --dev --output DIR/net".to_owned(), "--validators 101".to_owned()),
        ("testnet init -v 200 --output DIR/net".to_owned(), "--validators 200".to_owned()),
        ("testnet init -v 4 --port-offset 65000 --output DIR/net".to_owned(), "--validators 4".to_owned()),
        ("testnet init -v 4 --block-interval 11m --output DIR/net".to_owned(), "--block-interval 11m: ".to_owned()),
        (
            "testnet init -v 4 --output DIR/net --fund 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266=3".to_owned(),
            "--fund 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266: ".to_owned(),
        ),
        ("localnet --print-initial-state --block-interval 2s --empty-block-interval 1s".to_owned(), "--empty-block-interval 1s: ".to_owned()),
    ] {
        let failure = refused(&line, &directory);
        assert!(failure.code == ExitCode::Usage && failure.at[0].starts_with(&place) && !failure.remedy.is_empty(), "{line}: {failure}");
    }
    assert!(!directory.path().join("net").exists(), "nothing is written before everything is checked");
}

#[test]
fn a_genesis_with_mistakes_names_them_all_with_exit_code_78() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("g.json"), r#"{"chain_id": 0, "network_kind": "moon", "colour": 1}"#).unwrap();
    let failure = refused("genesis validate DIR/g.json", &directory);
    assert_eq!(failure.code as u8, 78);
    for key in ["chain_id", "network_kind", "colour", "timestamp", "validators"] {
        assert!(failure.at.iter().any(|place| place.starts_with(key)), "{key}: {failure}");
    }
}

#[test]
fn keys_are_made_once_and_never_printed() {
    let directory = tempfile::tempdir().unwrap();
    assert!(refused("keys show --home DIR/k", &directory).remedy.contains("keys new"));
    let (_, text) = axolotl("keys new --home DIR/k", &directory);
    let secret = fs::read_to_string(directory.path().join("k/keys/validator.key")).unwrap();
    assert!(text.contains("public key 0x0") && !text.contains(secret.trim().trim_start_matches("0x")));
    assert!(refused("keys new --home DIR/k --validator", &directory).what.contains("nothing was changed"));
    assert_eq!(fs::read_to_string(directory.path().join("k/keys/validator.key")).unwrap(), secret);
}

#[test]
fn the_initial_state_of_a_localnet_is_printed_and_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let state = json("localnet --print-initial-state --data-dir DIR/net", &directory);
    assert_eq!((&state["height"], &state["first_round"], state["validators"].as_array().unwrap().len()), (&0.into(), &0.into(), 4));
    assert!(!directory.path().join("net").exists());
}

#[test]
fn usage_errors_are_exit_code_2_and_help_is_none() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(axolotl("loclnet", &directory).0, Ok(ExitCode::Usage));
    assert_eq!(axolotl("--help", &directory).0, Ok(ExitCode::Done));
    assert_eq!(refused("status --rpc nonsense", &directory).code, ExitCode::Usage);
}

#[test]
fn who_asks_for_json_gets_errors_in_it_and_no_data() {
    let ended = |line: &str| {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = main(words(line), Vec::new(), &mut out, &mut err);
        assert!(out.is_empty(), "{line}");
        (code as u8, String::from_utf8(err).unwrap())
    };
    for (line, exit_code, code, message, remedy) in [
        ("genesis new --chain-id 0 --output json", 2, "usage", "impossible genesis", "genesis new --help"),
        ("genesis validate /none.json --output=json", 78, "config", "reading the genesis failed", "genesis.json"),
        ("statsu --output json", 2, "usage", "unrecognized subcommand 'statsu'", "status"),
        ("wait --output json --height x", 2, "usage", "invalid value 'x' for '--height <N>'", "--help"),
        ("testnet init -v 0 --output /none --format json", 2, "usage", "impossible genesis", "--help"),
    ] {
        let (ended_with, text) = ended(line);
        let error: Value = serde_json::from_str(&text).unwrap();
        let said = |key: &str| error["error"][key].as_str().unwrap_or_default().to_owned();
        assert_eq!((ended_with, &error["error"]["exit_code"], said("code")), (exit_code, &exit_code.into(), code.to_owned()), "{line}");
        assert!(said("message").contains(message) && said("remedy").contains(remedy), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    assert!(ended("genesis new --chain-id 0").1.starts_with("error: "));
}

#[test]
fn nothing_is_looked_for_under_the_users_home() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(axolotl("start", &directory).0, Ok(ExitCode::Usage));
    assert_eq!(refused("start --home DIR/none", &directory).code, ExitCode::Config);
}

#[test]
fn the_version_and_completions_are_printed() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(json("version", &directory)["version"], env!("CARGO_PKG_VERSION"));
    assert!(axolotl("completions bash", &directory).1.contains("localnet"));
}
