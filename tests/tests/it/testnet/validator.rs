//! One validator: a home, a process, and the questions that anybody may ask it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use node::client::{Client, ClientError};
use primitives::{B256, U256};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{FIRST_PORTS, Transfer, eventually, secs};

/// How long an ordered stop may take.
const STOP_LIMIT: Duration = secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);
const TAIL_LINES: usize = 40;

/// One validator of a [`Testnet`](super::Testnet).
pub struct Validator {
    pub name: String,
    pub home: PathBuf,
    pub rpc: u16,
    pub p2p: u16,
    metrics: Client,
    client: Client,
    environment: Vec<(&'static str, String)>,
    process: Option<Child>,
    log: PathBuf,
}

/// Runs `line` in `directory`, as a user whose home does not exist.
pub fn axolotl(line: &str, directory: &Path) -> Output {
    command(directory).args(line.split_whitespace()).output().unwrap()
}

/// The program, to be run in `directory` as a user whose home does not exist.
pub fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_axolotl-under-test"));
    command.current_dir(directory).env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

impl Validator {
    pub(super) fn at(directory: &Path, index: usize, offset: u16) -> Self {
        let name = format!("validator-{index}");
        let [rpc, p2p, metrics, _admin] = FIRST_PORTS.map(|first| first + offset);
        let client = |port: u16| Client::new(&format!("http://127.0.0.1:{port}")).unwrap();
        let (home, log) = (directory.join(&name), directory.join(format!("{name}.log")));
        Self { name, home, rpc, p2p, metrics: client(metrics), client: client(rpc), environment: Vec::new(), process: None, log }
    }

    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A variable for all its lives from now on.
    pub fn set(&mut self, name: &'static str, value: impl ToString) {
        self.environment.push((name, value.to_string()));
    }

    pub fn start(&mut self) {
        self.start_with(&[]);
    }

    /// Starts with further arguments. The log goes on where it was.
    pub fn start_with(&mut self, arguments: &[&str]) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut command = command(self.home.parent().unwrap());
        command.args(["start", "--home", &self.name]).args(arguments).envs(self.environment.iter().cloned()).stdout(Stdio::null()).stderr(log);
        if let Ok(level) = std::env::var(super::LOG_VARIABLE) {
            command.args(["--set", &format!("telemetry.log_level={level}")]);
        }
        self.process = Some(command.spawn().unwrap());
    }

    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Child::id)
    }

    pub(super) fn send_kill(&self) {
        self.send(Signal::KILL);
    }

    pub fn send(&self, signal: Signal) {
        if let Some(pid) = self.process.as_ref().and_then(|process| Pid::from_raw(process.id() as i32)) {
            kill_process(pid, signal).unwrap();
        }
    }

    /// SIGKILL: nothing is put in order.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// SIGTERM, and waits for the ordered stop.
    pub async fn stop(&mut self) -> ExitStatus {
        self.send(Signal::TERM);
        self.ended(STOP_LIMIT).await
    }

    /// Waits until the process has ended by itself.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        let started = Instant::now();
        loop {
            if let Some(status) = process.try_wait().unwrap() {
                return status;
            }
            if limit < started.elapsed() {
                process.kill().unwrap();
                process.wait().unwrap();
                panic!("{} did not end within {limit:?}\n{}", self.name, self.log_tail());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Everything the process said on stderr, over all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines of the log, after the last of those that warn.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let last = |lines: Vec<&str>| lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        let warnings = log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR "));
        format!("{}\n...\n{}", last(warnings.collect()), last(log.lines().collect()))
    }

    /// A path below `data/alpha`.
    pub fn data(&self, path: &str) -> PathBuf {
        self.home.join("data/alpha").join(path)
    }

    pub async fn call(&self, method: &str, parameters: Value) -> Result<Value, ClientError> {
        self.client.call(method, parameters).await
    }

    pub async fn get(&self, path: &str) -> Result<(u16, String), ClientError> {
        let (status, body) = self.client.get(path).await?;
        Ok((status.as_u16(), String::from_utf8_lossy(&body).into_owned()))
    }

    pub async fn height(&self) -> Option<u64> {
        self.client.height().await.ok()
    }

    pub async fn reach(&self, height: u64, limit: Duration) {
        let started = Instant::now();
        loop {
            let at = self.height().await;
            if at >= Some(height) {
                return;
            }
            let health = if limit < started.elapsed() { Some(self.get("/health").await) } else { None };
            assert!(health.is_none(), "{} is at {at:?}, not at {height}, after {limit:?}: {health:?}\n{}", self.name, self.log_tail());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub async fn block(&self, height: u64) -> Option<Value> {
        let block = self.call("eth_getBlockByNumber", json!([format!("{height:#x}"), false])).await.unwrap();
        if block.is_null() { None } else { Some(block) }
    }

    pub async fn hash(&self, height: u64) -> Option<B256> {
        Some(self.block(height).await?["hash"].as_str()?.parse().unwrap())
    }

    /// Height and hash of the latest block; none when nobody answers.
    pub async fn head(&self) -> Option<(u64, B256)> {
        let block = self.call("eth_getBlockByNumber", json!(["latest", false])).await.ok()?;
        let number = u64::from_str_radix(block["number"].as_str()?.strip_prefix("0x")?, 16).ok()?;
        Some((number, block["hash"].as_str()?.parse().ok()?))
    }

    pub async fn balance(&self, of: primitives::Address) -> U256 {
        self.call("eth_getBalance", json!([of, "latest"])).await.unwrap().as_str().unwrap().parse().unwrap()
    }

    pub async fn submit(&self, transfer: &Transfer) -> Result<B256, ClientError> {
        let (hash, raw) = transfer.sign();
        let answered = self.call("eth_sendRawTransaction", json!([raw])).await?;
        assert_eq!(answered, json!(hash));
        Ok(hash)
    }

    /// The receipt of a transaction that this validator has finalised.
    pub async fn receipt(&self, hash: B256, limit: Duration) -> Value {
        eventually(&format!("a receipt of {hash} on {}", self.name), limit, async || {
            self.call("eth_getTransactionReceipt", json!([hash])).await.ok().filter(|receipt| !receipt.is_null())
        })
        .await
    }

    pub async fn is_pending(&self, hash: B256) -> bool {
        let transaction = self.call("eth_getTransactionByHash", json!([hash])).await.unwrap();
        !transaction.is_null() && transaction["blockHash"].is_null()
    }

    /// Waits until `/health` gives a reason that contains `text`.
    pub async fn says(&self, text: &str, limit: Duration) -> Value {
        eventually(&format!("{} says {text} in /health", self.name), limit, async || {
            self.health().await.filter(|health| health["reasons"].to_string().contains(text))
        })
        .await
    }

    pub async fn health(&self) -> Option<Value> {
        serde_json::from_str(&self.get("/health").await.ok()?.1).ok()
    }

    /// Waits until the key may sign, and has signed something at `height` or above.
    pub async fn signs_above(&self, height: u64, limit: Duration) {
        eventually(&format!("{} signs above {height}", self.name), limit, async || {
            let health = self.health().await?;
            let is_enabled = health["consensus"]["signing"] == "enabled";
            let last = health["consensus"]["last_signed"]["height"].as_u64()?;
            (is_enabled && height <= last).then_some(())
        })
        .await;
    }

    /// The sum over all labels of a metric; 0 when it was never counted.
    pub async fn metric(&self, name: &str) -> f64 {
        self.metric_of(name, "").await
    }

    /// The same over those whose labels contain `label`.
    pub async fn metric_of(&self, name: &str, label: &str) -> f64 {
        let (_, body) = self.metrics.get("/metrics").await.unwrap();
        let text = String::from_utf8_lossy(&body);
        let is_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(label));
        text.lines().filter(is_it).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.name, self.log_tail());
        }
    }
}
