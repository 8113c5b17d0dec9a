//! `axolotl load` against a network, its figures held against the chain.

use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::testnet::{Testnet, account, eventually, secs};

const TOKEN: &str = include_str!("../../clients/contracts/Token.json");

/// Starts a load on all validators that prints JSON.
fn start(net: &Testnet, line: &str) -> Child {
    let nodes: Vec<_> = net.running().map(|validator| format!("http://127.0.0.1:{}", validator.rpc)).collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_axolotl-under-test"));
    command.args(["load", "--output", "json", "--rpc", &nodes.join(",")]).args(line.split_whitespace());
    command.env_clear().env("HOME", "/nonexistent").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[track_caller]
fn report(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_load_of_tokens_becomes_final_and_its_figures_are_those_of_the_chain() {
    let mut net = Testnet::of(4).start().await;
    // More than the ten accounts that have ether from the beginning.
    let load = start(&net, "--kind erc20 --tx-rate 50 --duration 2s --accounts 12 --batch 5");
    let report = report(&load.wait_with_output().unwrap());
    assert_eq!((&report["submitted"], &report["accepted"], &report["finalised"]), (&json!(100), &json!(100), &json!(100)), "{report}");
    assert_eq!((&report["checks"]["nonces_moved"], &report["checks"]["receipts_failed"]), (&json!(100), &json!(0)), "{report}");
    let (first, last) = (report["blocks"]["first"].as_u64().unwrap(), report["blocks"]["last"].as_u64().unwrap());
    let mut found = 0;
    for height in first..=last {
        let block = net.validator(3).call("eth_getBlockByNumber", json!([format!("{height:#x}"), false])).await.unwrap();
        found += block["transactions"].as_array().unwrap().len();
    }
    assert_eq!(found, 100, "{report}");
}

#[tokio::test]
async fn an_interrupted_load_says_what_it_has_measured() {
    let net = Testnet::of(1).start().await;
    let load = start(&net, "--tx-rate 20 --duration 1h");
    let client = net.running().next().unwrap().client();
    // Ten accounts take turns: when the first has its second in a block, the first block is half a second old.
    eventually("the load is well under way", secs(20), async || {
        let nonce = client.call("eth_getTransactionCount", json!([account(0), "latest"])).await.ok()?;
        (nonce != "0x0" && nonce != "0x1").then_some(())
    })
    .await;
    kill_process(Pid::from_raw(load.id() as i32).unwrap(), Signal::INT).unwrap();
    let report = report(&load.wait_with_output().unwrap());
    let [submitted, finalised] = ["submitted", "finalised"].map(|name| report[name].as_u64().unwrap());
    assert!(report["interrupted"] == true && 0 < finalised && finalised <= submitted && submitted < 72_000, "{report}");
}

#[test]
fn the_token_that_is_deployed_is_the_one_compiled_beside_its_source() {
    let artefact: Value = serde_json::from_str(TOKEN).unwrap();
    assert_eq!(artefact["bytecode"], format!("0x{}", node::load::token::BYTECODE.trim()));
}
