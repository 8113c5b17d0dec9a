//! Peer books that are handed on, and networks that come together by them.

use std::{fs, path::Path};

use serde_json::Value;

use crate::testnet::{Testnet, Validator, axolotl, eventually, secs};

/// What `axolotl peers ...` prints.
fn peers(net: &Testnet, line: &str) -> Value {
    let printed = axolotl(&format!("peers {line} --output json"), net.directory());
    assert!(printed.status.success(), "{line}: {}", String::from_utf8_lossy(&printed.stderr));
    serde_json::from_slice(&printed.stdout).unwrap()
}

/// What it says when it refuses.
fn refused(net: &Testnet, line: &str) -> (Option<i32>, String) {
    let printed = axolotl(&format!("peers {line}"), net.directory());
    assert!(!printed.status.success(), "{line} was not refused");
    (printed.status.code(), String::from_utf8_lossy(&printed.stderr).into_owned())
}

/// Nobody is configured any more: what the home knows of peers is in its book.
fn forget_configured_peers(home: &Path) {
    let file = home.join("config/config.toml");
    let text = fs::read_to_string(&file).unwrap();
    let without: Vec<_> = text.lines().filter(|line| !line.starts_with("peers = ")).collect();
    assert!(without.len() < text.lines().count(), "{text}");
    fs::write(&file, without.join("\n")).unwrap();
}

/// Exports the book of a running validator to `bundle.json`, once it has the records of so many nodes, its own among them.
async fn export(net: &Testnet, name: &str, nodes: u64) {
    eventually("a full bundle", secs(60), async || {
        let written = peers(net, &format!("export --home {name} --file bundle.json"));
        (nodes <= written["entries"].as_u64()?).then_some(())
    })
    .await;
}

async fn sessions(validator: &Validator) -> usize {
    let page = validator.get("/v1/peers").await.map(|(_, page)| page).unwrap_or_default();
    let page: Value = serde_json::from_str(&page).unwrap_or_default();
    page["peers"].as_array().or(page.as_array()).map_or(0, Vec::len)
}

#[tokio::test]
async fn node_bootstraps_from_exported_peers() {
    let net = Testnet::of(2).start().await;
    export(&net, "validator-0", 2).await;
    let genesis = "validator-0/config/genesis.json";
    let made = axolotl(&format!("init --home validator-2 --genesis-file {genesis} --follower"), net.directory());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    // A bundle that somebody changed is refused whole, and a running node is not written beside.
    let text = fs::read_to_string(net.directory().join("bundle.json")).unwrap();
    fs::write(net.directory().join("changed.json"), text.replacen("\"score\": 0", "\"score\": 9", 1)).unwrap();
    let (code, why) = refused(&net, "import changed.json --home validator-2");
    assert!(code == Some(1) && why.contains("signature") && why.contains("export it again"), "{why}");
    assert_eq!(peers(&net, "list --home validator-2")["peers"], Value::Array(vec![]));

    let imported = peers(&net, "import bundle.json --home validator-2");
    assert_eq!((&imported["imported"], &imported["left_out"]), (&2.into(), &0.into()));
    let (mut late, offset) = net.newcomer(2);
    late.start_with(&["--port-offset", &offset.to_string()]);
    let height = net.height().await;
    late.reach(height + 1, secs(60)).await;
    assert!(0 < sessions(&late).await);
    let (code, why) = refused(&net, "list --home validator-9");
    assert!(code == Some(78), "{why}");
    assert_eq!(late.stop().await.code(), Some(0), "{}", late.log_tail());
}

#[tokio::test]
async fn imported_peers_survive_restart() {
    let mut net = Testnet::of(4).start().await;
    export(&net, "validator-1", 4).await;
    net.stop_one(0).await;
    forget_configured_peers(&net.validator(0).home.clone());
    let imported = peers(&net, "import bundle.json --replace --home validator-0");
    assert!(3 <= imported["imported"].as_u64().unwrap(), "{imported}");
    // Twice: what was imported outlives the first life, too, which ends by a kill.
    for _ in 0..2 {
        let from = net.height().await;
        net.validator(0).start();
        net.validator(0).signs_above(from + 1, secs(60)).await;
        assert!(0 < sessions(net.validator(0)).await);
        net.validator(0).kill();
    }
    net.is_honest().await;
}
