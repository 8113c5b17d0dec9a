//! `axolotl actors` against a running node: both are processes, as an operator has them.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::testnet::{eventually, secs};

/// A localnet of one validator, ended with its test.
struct Localnet {
    directory: tempfile::TempDir,
    process: Child,
}

impl Localnet {
    /// Started and serving; `flags` as on the command line.
    async fn start(flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let process = spawn(directory.path(), flags);
        let net = Self { directory, process };
        net.runs().await;
        net
    }

    /// Starts it again on what is there, after it has ended.
    async fn start_again(&mut self, flags: &[&str]) {
        self.process = spawn(self.directory.path(), flags);
        self.runs().await;
    }

    async fn runs(&self) {
        let running = async || {
            let tree = self.json("actors --home net");
            tree?["children"].as_array()?.iter().all(|child| child["state"] == "running").then_some(())
        };
        eventually("a tree that runs", secs(60), running).await;
    }

    /// The address of its RPC.
    fn rpc(&self) -> String {
        let network: Value = serde_json::from_slice(&fs::read(self.path("net/network.json")).unwrap()).unwrap();
        network["nodes"][0]["rpc"].as_str().unwrap().to_owned()
    }

    /// Runs `axolotl LINE` beside it.
    fn axolotl(&self, line: &str) -> Output {
        program(self.directory.path()).args(line.split_whitespace()).output().unwrap()
    }

    fn json(&self, line: &str) -> Option<Value> {
        let output = self.axolotl(&format!("{line} --output json"));
        if output.status.success() { serde_json::from_slice(&output.stdout).ok() } else { None }
    }

    /// What `axolotl LINE` prints when all is well.
    #[track_caller]
    fn says(&self, line: &str) -> String {
        let output = self.axolotl(line);
        assert_eq!(output.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// `axolotl LINE` ends with `code` and says all of `parts`.
    #[track_caller]
    fn refuses(&self, line: &str, code: i32, parts: &[&str]) {
        let output = self.axolotl(line);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{line}: {text}");
        assert!(parts.iter().all(|part| text.contains(part)), "{line}: {text}");
    }

    fn actor(&self, path: &str) -> Value {
        self.json(&format!("actors {path} --home net")).unwrap()["actor"].take()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Localnet {
    fn drop(&mut self) {
        // Either fails only when it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(directory: &Path, flags: &[&str]) -> Child {
    let file = |name: &str| File::create(directory.join(name)).unwrap();
    let mut command = program(directory);
    command.args(["localnet", "-v", "1", "--port-offset", "any", "--data-dir", "net"]).args(flags);
    command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err")).spawn().unwrap()
}

fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_axolotl-under-test"));
    command.current_dir(directory).env_clear().env("HOME", "/nonexistent");
    command
}

#[tokio::test]
async fn an_operator_kills_an_actor_and_watches_it_come_back() {
    let mut net = Localnet::start(&["--chaos"]).await;
    let told = net.says("actors kill mempool --watch --home net");
    let parts = ["mempool: kill was ordered", "ended: killed by the operator", "mempool (2)  is ready", "mempool serves again after "];
    assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    let mempool = net.actor("mempool");
    assert_eq!((&mempool["state"], &mempool["restarts"]), (&"running".into(), &1.into()));
    let tree = net.says("actors --home net/validator-0");
    assert!(tree.starts_with("validator-0: ") && tree.contains("chaos enabled") && tree.is_ascii(), "{tree}");

    net.says("actors suspend mempool --home net");
    assert_eq!(net.actor("mempool")["suspended_by"], "the operator");
    net.says("actors resume mempool --home net");
    eventually("a mempool that runs", secs(20), async || (net.actor("mempool")["state"] == "running").then_some(())).await;
    let told = net.says("actors restart mempool --watch --home net");
    assert!(told.contains("ended: restarted by the operator"), "{told}");

    net.refuses("actors kill mempol --home net", 1, &["no actor \"mempol\"", "did you mean mempool?"]);
    net.refuses("actors --home net --node validator-7", 78, &["there is no home", "net/validator-7", "--node"]);
    let token = fs::read_to_string(net.path("net/validator-0/admin.token")).unwrap();
    let network: Value = serde_json::from_slice(&fs::read(net.path("net/network.json")).unwrap()).unwrap();
    let address = network["nodes"][0]["admin"].as_str().unwrap();
    net.says(&format!("actors --admin {address} --token-file net/validator-0/admin.token"));
    fs::write(net.path("other.token"), "00".repeat(32)).unwrap();
    net.refuses(&format!("actors --admin {address} --token-file other.token"), 78, &["others", "chmod 600 other.token"]);
    assert!(Command::new("chmod").args(["600"]).arg(net.path("other.token")).status().unwrap().success());
    net.refuses(&format!("actors --admin {address} --token-file other.token"), 1, &["not that of this node", "--token-file"]);

    kill_process(Pid::from_raw(net.process.id() as i32).unwrap(), Signal::TERM).unwrap();
    assert!(net.process.wait().unwrap().success());
    net.refuses("actors --home net", 1, &["no node runs on this home", "axolotl start"]);
    net.refuses(&format!("actors --admin {address} --token-file net/validator-0/admin.token"), 1, &["nobody answers"]);
    for log in ["out", "err"] {
        assert!(!fs::read_to_string(net.path(log)).unwrap().contains(token.trim()), "the token is in {log}");
    }
}

#[tokio::test]
async fn faults_are_refused_where_chaos_is_off_and_the_refusal_says_what_to_set() {
    let net = Localnet::start(&[]).await;
    for line in ["kill mempool", "panic mempool", "hang mempool --for 2s", "block mempool"] {
        net.refuses(&format!("actors {line} --home net"), 1, &["fault injection is off", "chaos.enabled = true", "refused on mainnet"]);
    }
    assert_eq!(net.actor("mempool")["restarts"], 0);
}

#[tokio::test]
async fn an_exclusive_actor_that_is_stuck_ends_the_process_with_70_and_its_database_opens_intact() {
    for kind in ["hang", "block --for 120s"] {
        let mut net = Localnet::start(&["--chaos", "--block-interval", "100ms"]).await;
        net.says(&format!("wait --height 3 --rpc {}", net.rpc()));
        let (what, length) = kind.split_once(' ').unwrap_or((kind, ""));
        net.says(&format!("actors {what} storage {length} --home net"));
        let ended = eventually("the end of the process", secs(60), async || net.process.try_wait().unwrap()).await;
        let said = fs::read_to_string(net.path("err")).unwrap();
        assert_eq!(ended.code(), Some(70), "{kind}: {said}");
        assert!(said.contains("an exclusive actor is stuck"), "{kind}: {said}");

        net.start_again(&["--chaos", "--block-interval", "100ms"]).await;
        net.says(&format!("wait --height 6 --rpc {}", net.rpc()));
        let storage = net.actor("storage");
        assert_eq!((&storage["incarnation"], &storage["restarts"]), (&1.into(), &0.into()), "{kind}");
    }
}
