//! `axolotl chaos`: a short run on a localnet of its own, and runs on networks that are as they should not be.

use std::{
    path::Path,
    process::{Child, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::testnet::{Testnet, account, axolotl, command, eventually, secs};

fn start(line: &str, directory: &Path) -> Child {
    let mut command = command(directory);
    command.args(["chaos", "--output", "json"]).args(line.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[track_caller]
fn report(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The verdict on an invariant.
fn verdict<'a>(report: &'a Value, name: &str) -> &'a Value {
    let all = report["invariants"].as_array().unwrap();
    &all.iter().find(|invariant| invariant["name"] == name).unwrap()["verdict"]
}

/// A network of processes in which actors may be made to fail.
async fn chaotic() -> Testnet {
    let mut net = Testnet::of(4).make();
    for index in 0..4 {
        net.validator(index).set("AXOLOTL_CHAOS_ENABLED", true);
    }
    net.start_all();
    for validator in net.running() {
        validator.signs_above(1, secs(40)).await;
    }
    net
}

/// Waits until a transfer of the run's load is in a block.
async fn is_under_way(net: &Testnet) {
    let client = net.running().next().unwrap().client();
    let has_load = async || {
        let count = client.call("eth_getTransactionCount", json!([account(0), "latest"])).await.ok()?;
        (count != "0x0").then_some(())
    };
    eventually("its load is under way", secs(20), has_load).await;
}

#[test]
fn a_short_run_on_a_localnet_is_safe_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let run = start("--seed 1 --duration 6s --data-dir net", directory.path()).wait_with_output().unwrap();
    let report = report(&run, 0);
    let invariants = report["invariants"].as_array().unwrap();
    assert!(invariants.len() == 8 && invariants.iter().all(|invariant| invariant["verdict"] == "held"), "{report:#}");
    let healed = report["faults"].as_array().unwrap().iter().filter(|fault| fault["healed_ms"].is_number());
    assert!(3 <= healed.count(), "{report:#}");
    let Value::Object(transactions) = &report["transactions"] else { panic!("{report:#}") };
    assert!(transactions["acknowledged"] == 120 && transactions["finalised"] == 120, "{report:#}");
    // It was stopped in order: its homes are free.
    assert!(!directory.path().join("net/validator-0/admin.json").exists());
    let again = axolotl("chaos --data-dir net", directory.path());
    assert_eq!(again.status.code(), Some(2), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not empty"));
}

#[tokio::test]
async fn a_validator_that_ends_during_the_run_and_does_not_come_back_violates_what_must_hold() {
    let mut net = chaotic().await;
    let run = start("--network . --seed 1 --duration 4s --settle 3s", net.directory());
    is_under_way(&net).await;
    net.validator(2).kill();
    let report = report(&run.wait_with_output().unwrap(), 1);
    assert_eq!((verdict(&report, "end"), verdict(&report, "no_fork")), (&"violated".into(), &"held".into()), "{report:#}");
    assert!(report["invariants"].to_string().contains("validator-2"), "{report:#}");
}

#[tokio::test]
async fn an_interrupted_run_says_what_it_has_seen_and_takes_back_what_has_not_struck() {
    let net = chaotic().await;
    let run = start("--network . --seed 2 --duration 1h --tx-rate 5", net.directory());
    is_under_way(&net).await;
    kill_process(Pid::from_raw(run.id() as i32).unwrap(), Signal::INT).unwrap();
    let report = report(&run.wait_with_output().unwrap(), 0);
    assert!(report["interrupted"] == true && verdict(&report, "no_fork") == "held", "{report:#}");
}

#[tokio::test]
async fn a_network_that_does_not_run_or_does_not_allow_faults_is_a_usage_error_with_a_remedy() {
    let mut net = Testnet::of(1).make();
    let refused = |net: &Testnet, line: &str| {
        let output = axolotl(line, net.directory());
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&net, "chaos --network .").contains("there is no network"));
    net.start_all();
    net.reach(1).within(secs(40)).await;
    let off = refused(&net, "chaos --network .");
    assert!(off.contains("fault injection is off") && off.contains("validator-0") && off.contains("chaos.enabled = true"), "{off}");
    net.stop_all().await;
    let still = refused(&net, "chaos --network .");
    assert!(still.contains("no node runs on this home") && still.contains("axolotl start"), "{still}");
    assert!(refused(&net, "chaos --network . --processes").contains("a network that runs is taken as it is"));
    assert!(refused(&net, "chaos -v 3 --print-plan").contains("--all"));
}
