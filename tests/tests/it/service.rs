//! What a service manager hears, and what it finds when the runtime of a process stands still.

use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::testnet::{Manager, Testnet, Transfer, Word, command, eventually, secs};

const LIMIT: Duration = secs(40);

/// A network of one that has a service manager.
fn managed(manager: &Manager, watchdog: Option<Duration>) -> Testnet {
    let mut net = Testnet::of(1).make();
    net.validator(0).set("NOTIFY_SOCKET", &manager.address);
    if let Some(watchdog) = watchdog {
        net.validator(0).set("WATCHDOG_USEC", watchdog.as_micros());
    }
    net
}

fn height(word: &Word) -> Option<u64> {
    word.text.split_once("height ")?.1.split(' ').next()?.parse().ok()
}

fn stuck_reports(net: &mut Testnet) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(net.validator(0).home.join("data")).unwrap().flatten().map(|entry| entry.path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("stuck-")).collect()
}

#[tokio::test]
async fn the_service_manager_hears_of_the_start_then_ready_then_each_second_how_it_stands_then_of_the_stop() {
    let (directory, began) = (tempfile::tempdir().unwrap(), Instant::now());
    let manager = Manager::in_directory(directory.path());
    let mut net = managed(&manager, Some(secs(2)));
    net.validator(0).start();
    let ready = manager.hears("READY=1", began, LIMIT).await;
    let (status, tree) = net.validator(0).get("/v1/actors").await.unwrap();
    let tree: Value = serde_json::from_str(&tree).unwrap();
    for name in ["storage", "consensus"] {
        let child = tree["children"].as_array().unwrap().iter().find(|child| child["name"] == name);
        assert!(status == 200 && child.is_some_and(|child| child["state"] == "running"), "{tree}");
    }
    let first = manager.hears("STATUS=height", began, LIMIT).await;
    assert!(ready.at <= first.at);
    let grown = eventually("a status with a greater height", LIMIT, async || {
        manager.heard("STATUS=height").into_iter().find(|word| height(&first) < height(word))
    });
    assert!(grown.await.text.ends_with(", 0 peers, signing"));
    manager.hears("WATCHDOG=1", Instant::now(), LIMIT).await;
    let status = net.validator(0).stop().await;
    assert_eq!(status.code(), Some(0));

    let starting = manager.heard("STATUS=starting").remove(0);
    let stopping = manager.heard("STOPPING=1").remove(0);
    assert!(starting.at <= ready.at && manager.heard("READY=1").len() == 1);
    assert_eq!(manager.heard("STATUS=stopping").remove(0).text, "STATUS=stopping: terminate");
    let standings = manager.heard("STATUS=height");
    assert!(standings.iter().all(|word| word.at < stopping.at), "{standings:?}");
    for pair in standings.windows(2) {
        assert_ne!(pair[0].text, pair[1].text, "said twice");
    }
    let most = 2 + stopping.at.duration_since(ready.at).as_secs() as usize;
    assert!(standings.len() <= most, "{} in {most} s", standings.len());
    let extended = manager.heard("EXTEND_TIMEOUT_USEC=");
    assert!(extended.iter().any(|word| word.at < ready.at) && extended.iter().any(|word| stopping.at <= word.at), "{extended:?}");
}

#[tokio::test]
async fn a_process_whose_threads_are_all_blocked_says_what_each_actor_was_at_and_ends_with_71() {
    let manager = Manager::abstract_named("axolotl-stuck");
    let mut net = managed(&manager, Some(secs(8)));
    let chaos = ["--set", "chaos.enabled=true"];
    net.validator(0).start_with(&chaos);
    net.reach(3).within(LIMIT).await;
    manager.hears("WATCHDOG=1", Instant::now(), LIMIT).await;
    let frozen = Instant::now();
    net.validator(0).send(Signal::USR2);
    let status = net.validator(0).ended(LIMIT).await;
    println!("blocked for ever: ended after {:?}", frozen.elapsed());
    assert_eq!(status.code(), Some(71), "{}", net.validator(0).log_tail());
    // What was seen turning at the last look before may still be said.
    let fed = manager.heard("WATCHDOG=1").into_iter().filter(|word| frozen + secs(1) < word.at).count();
    assert_eq!(fed, 0, "the watchdog was fed for a runtime that stood");

    let [path] = &stuck_reports(&mut net)[..] else { panic!("{}", net.validator(0).log_tail()) };
    let written: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!((&written["stuck_for_ms"], &written["trees"].as_array().unwrap().len()), (&json!(2_000), &1));
    let names: Vec<_> = written["trees"][0]["children"].as_array().unwrap().iter().map(|child| child["name"].as_str().unwrap()).collect();
    assert!(["storage", "signer", "consensus", "api"].iter().all(|name| names.contains(name)), "{names:?}");
    let log = net.validator(0).log();
    let said = log.lines().find(|line| line.starts_with('{')).expect("the same on stderr");
    assert_eq!(serde_json::from_str::<Value>(said).unwrap(), written);
    assert!(log.contains("SIGUSR2: every thread of the runtime is blocked"), "lines that waited are written: {log}");

    net.validator(0).start();
    let height = net.height().await;
    net.reach(height + 3).within(LIMIT).await;
    net.stop_one(0).await;
}

#[tokio::test]
async fn a_process_that_was_stopped_for_longer_than_the_limit_is_not_condemned() {
    let manager = Manager::abstract_named("axolotl-asleep");
    let watchdog = secs(8);
    let mut net = managed(&manager, Some(watchdog));
    net.validator(0).start();
    net.reach(3).within(LIMIT).await;
    let pid = net.validator(0).pid();
    net.validator(0).send(Signal::STOP);
    // The limit is a quarter of this; how long it sleeps is the fact under test.
    tokio::time::sleep(watchdog * 2 / 4).await;
    let (woken, height) = (Instant::now(), 3);
    net.validator(0).send(Signal::CONT);
    net.reach(height + 10).within(LIMIT).await;
    manager.hears("WATCHDOG=1", woken, LIMIT).await;
    assert_eq!((net.validator(0).pid(), stuck_reports(&mut net).len()), (pid, 0));
    net.stop_one(0).await;
}

#[tokio::test]
async fn one_process_speaks_for_a_whole_localnet() {
    for more in [&[][..], &["--processes"]] {
        let (directory, began) = (tempfile::tempdir().unwrap(), Instant::now());
        let manager = Manager::in_directory(directory.path());
        let mut command = command(directory.path());
        command.args(["localnet", "--validators", "2", "--data-dir", "net", "--port-offset", "any"]).args(more);
        command.env("NOTIFY_SOCKET", &manager.address).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        manager.hears("STATUS=2 nodes: height ", began, LIMIT).await;
        kill_process(Pid::from_raw(process.id() as i32).unwrap(), Signal::TERM).unwrap();
        let status = eventually("the stop of the network", LIMIT, async || process.try_wait().unwrap()).await;
        assert!(status.success(), "{more:?}: {status}");
        let (ready, stopping) = (manager.heard("READY=1"), manager.heard("STOPPING=1"));
        assert_eq!(ready.len(), 1, "{more:?}");
        assert!(!stopping.is_empty() && ready[0].at < stopping[0].at, "{more:?}");
    }
}

#[tokio::test]
async fn a_second_terminate_ends_a_long_stop_at_once_and_nothing_acknowledged_is_lost() {
    let manager = Manager::abstract_named("axolotl-twice");
    let mut net = Testnet::of(4).start().await;
    let height = net.height().await;
    for index in 1..4 {
        net.stop_one(index).await;
    }
    net.stop_one(0).await;
    net.validator(0).set("NOTIFY_SOCKET", &manager.address);
    net.validator(0).start();
    manager.hears("READY=1", Instant::now() - LIMIT, LIMIT).await;
    // Alone it decides nothing, so the one transfer waits in the pool, and whoever asked for the receipt of the other waits too.
    let waits = net.validator(0).submit(&Transfer::new(0, 0)).await.unwrap();
    let (client, (_, raw)) = (net.validator(0).client(), Transfer::new(1, 0).sign());
    let asking = tokio::spawn(async move { client.call("eth_sendRawTransactionSync", json!([raw, 20_000])).await });
    eventually("both are in the pool", LIMIT, async || net.running().next()?.health().await.filter(|health| health["mempool"]["pending"] == 2)).await;
    net.validator(0).send(Signal::TERM);
    manager.hears("STOPPING=1", Instant::now() - LIMIT, LIMIT).await;
    let twice = Instant::now();
    net.validator(0).send(Signal::TERM);
    let status = net.validator(0).ended(LIMIT).await;
    println!("a second SIGTERM: ended after {:?}", twice.elapsed());
    assert_eq!(status.code(), Some(1), "{}", net.validator(0).log_tail());
    assert!(net.validator(0).log().contains("a second terminate ended the stop"), "{}", net.validator(0).log_tail());
    assert!(twice.elapsed() < secs(3), "{:?}", twice.elapsed());
    asking.abort();

    net.start_all();
    net.reach(height + 3).within(LIMIT).await;
    net.validator(0).receipt(waits, LIMIT).await;
    net.agree().await;
    net.is_honest().await;
}
