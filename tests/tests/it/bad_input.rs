//! Nonsense from everybody: operators, peers and clients. Each is told what is wrong, and the node goes on.

use std::{fs, net::TcpListener, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::testnet::{Testnet, Transfer, axolotl, eventually, post, secs};
use serde_json::Value;
use tests::campaigns::{FuzzRpc, Hostile, Settings, fuzz_rpc, hostile};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_second_process_on_one_home_is_refused_and_told_who_holds_it() {
    let mut net = Testnet::of(1).start().await;
    let second = axolotl("start --home validator-0 --port-offset any", net.directory());
    let (stderr, pid) = (text(&second.stderr), net.validator(0).pid());
    assert_eq!(second.status.code(), Some(75), "{stderr}");
    assert!(stderr.contains(&format!("pid {pid} on ")) && stderr.contains("   do: stop that process first"), "{stderr}");
    let height = net.height().await;
    net.reach(height + 2).within(secs(10)).await;
}

#[tokio::test]
async fn each_port_in_use_is_named_with_its_holder_and_the_remedy() {
    let mut net = Testnet::of(1).make();
    let ports = [("rpc", net.validator(0).rpc), ("p2p", net.validator(0).p2p)];
    for (what, port) in ports {
        let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let refused = axolotl("start --home validator-0", net.directory());
        let stderr = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{stderr}");
        let holder = format!("held by pid {}", std::process::id());
        for part in [format!("port {port} is in use"), "validator-0".into(), holder, "--port-offset".into(), what.to_uppercase()] {
            assert!(stderr.contains(&part), "{what}: {part:?} is not in {stderr}");
        }
    }
}

#[tokio::test]
async fn every_mistake_of_genesis_keys_and_configuration_is_said_at_once_with_exit_78() {
    let mut net = Testnet::of(1).make();
    let home = net.validator(0).home.clone();
    let directory = net.directory().to_owned();
    let check = |expected: &[&str]| {
        let refused = axolotl("start --home validator-0", &directory);
        let stderr = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(78), "{stderr}");
        assert!(expected.iter().all(|part| stderr.contains(part)), "{expected:?} is not in {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    };
    let genesis_file = home.join("config/genesis.json");
    let genesis = fs::read_to_string(&genesis_file).unwrap();
    let mut broken: Value = serde_json::from_str(&genesis).unwrap();
    broken["chain_id"] = 0.into();
    broken["network_kind"] = "moon".into();
    broken["validators"][0]["power"] = 0.into();
    fs::write(&genesis_file, broken.to_string()).unwrap();
    check(&["3 mistakes", "chain_id", "network_kind", "moon", "power", "genesis.json"]);
    fs::write(&genesis_file, &genesis[..genesis.len() / 2]).unwrap();
    check(&["genesis.json"]);
    fs::write(&genesis_file, [0xff, 0xfe, 0]).unwrap();
    check(&["genesis.json"]);
    fs::write(&genesis_file, &genesis).unwrap();

    let key_file = home.join("keys/validator.key");
    let key = fs::read(&key_file).unwrap();
    for bad in [&b"not a key"[..], &[0; 32], b"", &key[..key.len() / 2]] {
        fs::write(&key_file, bad).unwrap();
        check(&["validator.key"]);
    }
    fs::write(&key_file, fs::read(home.join("keys/node.key")).unwrap()).unwrap();
    check(&["the validator key is also the node key", "axolotl keys new --node"]);
    fs::write(&key_file, &key).unwrap();

    let config_file = home.join("config/config.toml");
    let config = fs::read_to_string(&config_file).unwrap();
    fs::write(&config_file, "[rpc]\nlisten = \"nowhere\"\n[p2p]\npeers = [\"x\"]\n[shutdown]\ngrace = \"1\"\n").unwrap();
    check(&["3 mistakes", "rpc.listen", "p2p.peers", "shutdown.grace", "config.toml:2"]);
    fs::write(&config_file, "[rpc\n").unwrap();
    check(&["config.toml"]);
    fs::write(&config_file, config).unwrap();
    net.validator(0).start();
    net.reach(1).within(secs(20)).await;
}

#[tokio::test]
async fn a_node_of_another_genesis_never_connects_and_both_say_why() {
    let mut ours = Testnet::of(1).start().await;
    let mut theirs = Testnet::of(2).with_nonce(7).make();
    let peers = format!("p2p.peers=127.0.0.1:{}", ours.validator(0).p2p);
    let stranger = theirs.validator(1);
    stranger.start_with(&["--set", &peers]);
    eventually("the stranger says why", secs(20), async || stranger.log().contains("genesis").then_some(())).await;
    eventually("we say why", secs(20), async || ours.running().next()?.log().contains("genesis").then_some(())).await;
    for node in [ours.validator(0), theirs.validator(1)] {
        assert_eq!(node.health().await.unwrap()["p2p"]["peers"], 0);
    }
    let height = ours.height().await;
    ours.reach(height + 2).within(secs(10)).await;
    println!("{}\n{}", ours.validator(0).log_tail(), theirs.validator(1).log_tail());
}

#[tokio::test]
async fn rubbish_on_the_p2p_port_is_closed_and_disturbs_nobody() {
    let mut net = Testnet::of(4).start().await;
    let port = net.validator(0).p2p;
    let hello = [&[0x16, 3, 1, 0xff, 0xff, 1][..], &[0; 500]].concat();
    let rubbish = [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), vec![0; 100_000], vec![b'\n'; 100_000], hello, vec![0x16, 3, 3], Vec::new()];
    let idle = rubbish.len() * 8;
    let mut streams = Vec::new();
    for index in 0..idle {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        // Whoever is refused early may find the door shut.
        let _ = stream.write_all(&rubbish[index % rubbish.len()]).await;
        streams.push(stream);
    }
    let height = net.height().await;
    net.reach(height + 5).within(secs(20)).await;
    for mut stream in streams {
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(secs(15), stream.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "a silent stranger is kept");
        assert!(answer.len() < 1_000, "a stranger is told {} bytes", answer.len());
    }
    let health =
        eventually("nothing has happened", secs(10), async || net.running().next()?.health().await.filter(|health| health["status"] == "ok")).await;
    assert_eq!((&health["p2p"]["peers"], &health["actors"]["restarts_1h"]), (&3.into(), &0.into()), "{health}");
}

#[tokio::test]
async fn malformed_calls_are_answered_with_their_code_and_the_node_goes_on() {
    let mut net = Testnet::of(1).start().await;
    let port = net.validator(0).rpc;
    let call = |method: &str, parameters: &str| format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{parameters}}}"#);
    let deep = call("eth_getBalance", &("[".repeat(200_000) + &"]".repeat(200_000)));
    let deep_object = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let address = "0x00000000000000000000000000000000000000aa";
    let cases = [
        ("{".to_owned(), -32_700),
        (String::new(), -32_700),
        ("\0\u{1}\u{2}".to_owned(), -32_700),
        ("[]".to_owned(), -32_600),
        ("{}".to_owned(), -32_600),
        (deep_object, -32_600),
        (call("eth_nothing", "[]"), -32_601),
        (call("eth_getBalance", "[]"), -32_602),
        (call("eth_getBalance", "{}"), -32_602),
        (call("eth_getBalance", &format!("[{address:?},{{}}]")), -32_602),
        (call("eth_getBalance", &format!("[{address:?},\"0xfffffffffffffffffffffffff\"]")), -32_602),
        (call("eth_getBalance", "[\"0xaa\",\"latest\"]"), -32_602),
        (call("eth_getBlockByNumber", "[true,\"latest\"]"), -32_602),
        (call("eth_call", "[7]"), -32_602),
        (call("eth_sendRawTransaction", "[[[]]]"), -32_602),
        (call("eth_getLogs", "[{\"fromBlock\":\"0x2\",\"toBlock\":\"0x1\"}]"), -32_602),
    ];
    for (body, code) in cases {
        let (_, answer) = post(port, body.as_bytes()).await;
        let value: Value = serde_json::from_str(&answer).unwrap_or_default();
        assert_eq!(value["error"]["code"], code, "{:.200} is answered with {answer:.300}", body);
        assert!(value["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer:.300}");
    }
    let (_, answer) = post(port, deep.as_bytes()).await;
    assert!(answer.contains("\"error\""), "{answer:.300}");
    let (status, answer) = post(port, &vec![b' '; 6 << 20]).await;
    assert!(status == 413 || answer.contains("too large") || answer.contains("too big"), "{status} {answer:.300}");
    let batch = format!("[{}]", vec![call("eth_blockNumber", "[]"); 1_001].join(","));
    assert!(post(port, batch.as_bytes()).await.1.contains("error"));
    let hash = net.validator(0).submit(&Transfer::new(0, 0)).await.unwrap();
    net.validator(0).receipt(hash, secs(10)).await;
    assert_eq!(net.validator(0).health().await.unwrap()["actors"]["restarts_1h"], 0);
}

fn campaign(validators: usize) -> Settings {
    let program = env!("CARGO_BIN_EXE_axolotl-under-test").into();
    let (block_interval, empty_block_interval) = (Duration::ZERO, Duration::ZERO);
    Settings { program, validators, seed: 1, block_interval, empty_block_interval, settings: Vec::new(), keep: false }
}

/// `tests campaign fuzz-rpc` goes on for longer.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_hostile_requests_are_answered_by_the_book_and_the_node_goes_on() {
    let report = fuzz_rpc(&campaign(1), FuzzRpc { length: secs(60), requests: 4_000, clients: 4, public: false }).await.unwrap();
    assert!(report.failures().is_empty(), "{}", report.table());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_listener_answers_hostile_requests_by_the_book_and_none_of_what_it_withholds() {
    let report = fuzz_rpc(&campaign(1), FuzzRpc { length: secs(30), requests: 2_000, clients: 4, public: true }).await.unwrap();
    assert!(report.failures().is_empty(), "{}", report.table());
}

/// `tests campaign hostile` does it for longer, from ten thousand accounts.
#[tokio::test(flavor = "multi_thread")]
async fn floods_full_blocks_and_endless_calls_keep_neither_the_chain_nor_a_bystander_from_going_on() {
    let report = hostile(&campaign(4), &Hostile { length: secs(2), accounts: 300, only: None }).await.unwrap();
    assert!(report.failures().is_empty(), "{}", report.table());
}
