//! What a running node shows: probes, pages, exports.

use std::fs;

use crate::testnet::{Testnet, Transfer, axolotl, eventually, secs};
use alloy_rlp::Decodable;
use primitives::{Block, block_hash};
use serde_json::Value;

/// Every key of a JSON value, as paths.
fn keys(value: &Value, path: &str, found: &mut Vec<String>) {
    let Value::Object(object) = value else { return found.push(path.to_owned()) };
    for (key, value) in object {
        keys(value, &format!("{path}.{key}"), found);
    }
}

#[tokio::test]
async fn health_has_its_fixed_shape_and_every_probe_holds() {
    let mut net = Testnet::of(4).start().await;
    let node = net.validator(0);
    let health = eventually("a node that is well", secs(20), async || node.health().await.filter(|health| health["status"] == "ok")).await;
    let mut found = Vec::new();
    keys(&health, "", &mut found);
    found.retain(|key| !key.starts_with(".chains."));
    found.sort();
    let expected = "
        .actors.failed .actors.restarting .actors.restarts_1h .actors.running .actors.total .blobs.undecided .blockchain.chain_id
        .blockchain.height .blockchain.latest_block_hash .blockchain.latest_block_time .clock.skew_ms .consensus.height
        .consensus.last_signed.height .consensus.last_signed.round .consensus.last_signed.step .consensus.power_needed
        .consensus.power_online .consensus.round .consensus.signing .consensus.stalled_seconds .consensus.step .consensus.validator
        .mempool.pending .mempool.queued .p2p.listening .p2p.peers .p2p.self_dial_ok .status .storage.free_bytes .storage.lock
        .sync.behind .sync.state";
    assert_eq!(found, expected.split_whitespace().collect::<Vec<_>>());
    assert!(health["chains"]["alpha"]["blockchain"]["height"].is_u64() && health["blockchain"]["height"].is_u64(), "{health}");
    assert_eq!((&health["consensus"]["power_online"], &health["consensus"]["power_needed"]), (&4.into(), &3.into()));
    assert_eq!((&health["storage"]["lock"], &health["sync"]["state"]), (&"held".into(), &"synced".into()));

    assert_eq!(node.get("/livez").await.unwrap(), (200, "ok\n".to_owned()));
    let (status, ready) =
        eventually("readiness", secs(20), async || node.get("/readyz?verbose").await.ok().filter(|(status, _)| *status == 200)).await;
    let criteria = [
        "listener_rpc",
        "listener_p2p",
        "listener_metrics",
        "mempool_answers",
        "storage_open",
        "disk_has_room",
        "consensus_running",
        "actors_running",
        "height_fresh",
        "synced",
        "quorum_online",
        "signing",
        "clock",
    ];
    assert!(status == 200 && criteria.iter().all(|name| ready.contains(&format!("[+] {name}: "))), "{ready}");
    assert_eq!(ready.lines().count(), criteria.len() + 1, "{ready}");

    let actors: Value = serde_json::from_str(&node.get("/v1/actors").await.unwrap().1).unwrap();
    let children = actors["children"].as_array().unwrap();
    let names: Vec<_> = children.iter().map(|child| child["name"].as_str().unwrap()).collect();
    let expected = [
        "storage",
        "signer",
        "mempool",
        "proposals",
        "execution",
        "p2p.gossip",
        "p2p.listener",
        "p2p.dialer",
        "p2p.store",
        "sync",
        "evidence",
        "consensus",
        "api",
    ];
    assert!(expected.iter().all(|name| names.contains(name)), "{names:?}");
    assert!(children.iter().all(|child| child["state"] == "running" && child["restarts"] == 0), "{actors}");

    let gossip = children.iter().find(|child| child["name"] == "p2p.gossip").unwrap();
    let session = gossip["children"][0]["name"].as_str().unwrap();
    let (unnumbered, _) = session.split_once('#').unwrap();
    for path in [unnumbered.to_owned(), session.replace('#', "%23"), session.replace('/', "%2F").replace('#', "%23")] {
        let one: Value = serde_json::from_str(&node.get(&format!("/v1/actors/{path}")).await.unwrap().1).unwrap();
        assert_eq!((&one["parent"], one["events"].is_array()), (&"p2p.gossip".into(), true), "{path}: {one}");
    }
    for name in criteria {
        assert_eq!(node.metric_of("node_ready_criterion", &format!("criterion=\"{name}\"")).await, 1.0, "{name}");
    }

    let (rpc, p2p) = (node.rpc, node.p2p);
    let index = node.get("/").await.unwrap().1;
    for address in [format!("http://127.0.0.1:{rpc}/health"), format!("ws://127.0.0.1:{rpc}/"), format!("127.0.0.1:{p2p}"), "/metrics".to_owned()] {
        assert!(index.contains(&address), "{address} is not in {index}");
    }
    let peers: Value = serde_json::from_str(&node.get("/v1/peers").await.unwrap().1).unwrap();
    let links = peers["peers"].as_array().unwrap();
    assert_eq!((links.len(), &peers["banned"], &peers["limits"]["strangers"]), (3, &serde_json::json!([]), &0.into()), "{peers}");
    for peer in links {
        assert_eq!((&peer["configured"], &peer["offences"]), (&true.into(), &serde_json::json!({})), "{peer}");
        assert!(peer["validator"].is_string() && peer["rtt_ms"].is_u64() && 0 < peer["inbound"]["bytes"].as_u64().unwrap(), "{peer}");
    }
    assert_eq!(node.get("/nothing").await.unwrap().0, 404);
}

#[tokio::test]
async fn exported_blocks_chain_by_parent_hash_down_to_the_exported_genesis() {
    let mut net = Testnet::of(1).start().await;
    let node = net.validator(0);
    let mut last = Default::default();
    for nonce in 0..5 {
        last = node.submit(&Transfer::new(0, nonce)).await.unwrap();
    }
    node.receipt(last, secs(10)).await;
    let (height, _) = node.head().await.unwrap();
    let (rpc, hash) = (node.rpc, node.hash(height).await.unwrap());
    let exported = axolotl(&format!("export blocks --rlp blocks.rlp --to {height} --rpc http://127.0.0.1:{rpc}"), net.directory());
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let bytes = fs::read(net.directory().join("blocks.rlp")).unwrap();
    let mut rest = bytes.as_slice();
    let mut parent = net.validator(0).hash(0).await.unwrap();
    let mut transactions = 0;
    for number in 1..=height {
        let block = Block::decode(&mut rest).unwrap();
        assert_eq!((block.header.number, block.header.parent_hash), (number, parent));
        parent = block_hash(&block);
        transactions += block.body.transactions.len();
    }
    assert!(rest.is_empty());
    assert_eq!((parent, transactions), (hash, 5));

    let exported = axolotl("export genesis --geth geth.json --home validator-0", net.directory());
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let genesis: Value = serde_json::from_slice(&fs::read(net.directory().join("geth.json")).unwrap()).unwrap();
    assert_eq!(genesis["config"]["chainId"], 1_337);
    let block = net.validator(0).block(0).await.unwrap();
    assert_eq!((&genesis["extraData"], &genesis["gasLimit"]), (&block["extraData"], &block["gasLimit"]));
    assert!(genesis["alloc"].as_object().is_some_and(|accounts| 10 <= accounts.len()), "{genesis}");
}
