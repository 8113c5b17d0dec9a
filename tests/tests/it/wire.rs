//! The wire seen from outside.

use std::{fs, time::Duration};

use serde_json::Value;

use crate::testnet::{Testnet, command, secs};

/// The short form of the campaign `fuzz-wire`.
#[test]
fn damaged_bytes_break_neither_splitter_nor_decoders_nor_handshake() {
    for target in tests::fuzz_wire::run(rand::random(), Duration::from_secs(2)).unwrap() {
        assert!(target.findings.is_empty(), "{:#?}", target.findings);
        assert!(0 < target.cases, "{} had no case", target.target);
    }
}

#[tokio::test]
async fn an_operator_taps_a_link_and_sees_words_but_no_keys() {
    let mut net = Testnet::of(2).start().await;
    net.reach(1).within(secs(60)).await;
    let (home, directory) = (net.validator(0).home.clone(), net.directory().to_owned());
    let tap = |line: &'static str| {
        let mut tap = command(&directory);
        tap.args(["wire", "tap", "--home"]).arg(&home).args(line.split_whitespace());
        let output = tokio::task::spawn_blocking(move || tap.output().unwrap());
        async move { tokio::time::timeout(secs(60), output).await.expect("frames go by all the time").unwrap() }
    };

    let pings = tap("--kind ping --limit 4").await;
    assert!(pings.status.success(), "{}", String::from_utf8_lossy(&pings.stderr));
    let pings: Vec<Value> = String::from_utf8(pings.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(pings.len(), 4);
    let is_ping =
        |line: &Value| line["kind"] == "ping" && line["lane"] == "votes" && line["bytes"].as_u64() > Some(10) && line.get("payload").is_none();
    assert!(pings.iter().all(is_ping), "{pings:?}");
    let directions: std::collections::BTreeSet<_> = pings.iter().filter_map(|line| line["direction"].as_str()).collect();
    assert_eq!(Vec::from_iter(directions), ["inbound", "outbound"]);

    let whole = String::from_utf8(tap("--full --limit 60").await.stdout).unwrap();
    let lines: Vec<Value> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["kind"] == "consensus" && line["payload"].is_object()), "{whole}");
    for key in ["keys/node.key", "keys/validator.key"] {
        let key = fs::read_to_string(home.join(key)).unwrap();
        assert!(!whole.contains(key.trim().trim_start_matches("0x")), "a tap shows a key");
    }

    let refused = tap("--kind haiku").await;
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("validator_proof"), "a kind that is none");
}
