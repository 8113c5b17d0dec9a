//! One validator as a process, whose log is read while it runs.

use std::{
    ffi::OsStr,
    fmt::Display,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use node::{client::Client, ports::Ports};
use primitives::{Address, B256};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    Plan,
    history::{Commit, History, committed},
    small_disk::SmallDisk,
    wait::eventually,
};

/// How long an ordered stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(40);

/// A validator of a [`Network`](crate::Network).
pub struct Validator {
    pub index: usize,
    pub name: String,
    pub home: PathBuf,
    /// Address of its consensus key.
    pub address: Address,
    pub ports: Ports,
    pub client: Client,
    /// Under its home, where that is not on the disk of the others. It goes after the process.
    pub disk: Option<SmallDisk>,
    metrics: Client,
    program: PathBuf,
    /// What runs the program, with its arguments; nothing: we do.
    runner: Vec<String>,
    settings: Vec<String>,
    history: History,
    life: Option<Life>,
}

struct Life {
    process: Child,
    /// Ends when the process has closed its log.
    reader: JoinHandle<()>,
}

impl Validator {
    pub(crate) fn new(index: usize, home: &Path, address: Address, ports: Ports, plan: &Plan, history: &History) -> Result<Self> {
        let client = |port: u16| Client::new(&format!("http://127.0.0.1:{port}")).map_err(|failure| anyhow::anyhow!("{failure}"));
        let (name, home, program, settings) = (node::network::name(index), home.to_owned(), plan.program.clone(), plan.settings.clone());
        let (client, metrics) = (client(ports.rpc)?, client(ports.metrics)?);
        let (runner, history) = (Vec::new(), history.clone());
        Ok(Self { index, name, home, address, ports, client, disk: None, metrics, program, runner, settings, history, life: None })
    }

    /// A key of its configuration, for all its lives from now on.
    pub fn set(&mut self, key: &str, value: impl Display) {
        self.settings.push(format!("{key}={value}"));
    }

    /// Has another program run it from now on, which becomes the validator.
    pub fn run_by(&mut self, runner: Vec<String>) {
        self.runner = runner;
    }

    /// Starts the process. Its log goes on in the same file.
    pub fn start(&mut self) -> Result<()> {
        anyhow::ensure!(self.life.is_none(), "{} runs already", self.name);
        let mut words = self.runner.iter().map(OsStr::new).chain([self.program.as_os_str()]);
        let mut command = Command::new(words.next().context("a program")?);
        command.args(words).args(["start", "--home"]).arg(&self.home).env_clear().env("HOME", "/nonexistent");
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let log = File::options().create(true).append(true).open(self.log_file())?;
        let lines = BufReader::new(process.stderr.take().context("stderr is piped")?);
        let (index, history) = (self.index, self.history.clone());
        let reader = std::thread::Builder::new().name(format!("log-{index}")).spawn(move || read(lines, log, index, &history))?;
        self.life = Some(Life { process, reader });
        Ok(())
    }

    pub fn is_running(&self) -> bool {
        self.life.is_some()
    }

    /// The status of a process that ended though nobody ended it.
    pub fn ended_by_itself(&mut self) -> Option<ExitStatus> {
        self.life.as_mut()?.process.try_wait().ok()?
    }

    pub fn pid(&self) -> u32 {
        self.life.as_ref().map_or(0, |life| life.process.id())
    }

    pub fn send(&self, signal: Signal) {
        if let Some(pid) = self.life.as_ref().and_then(|life| Pid::from_raw(life.process.id() as i32)) {
            // One that has ended meanwhile needs no signal.
            let _ = kill_process(pid, signal);
        }
    }

    /// SIGKILL, and reads the rest of what it said.
    pub fn kill(&mut self) {
        self.send(Signal::KILL);
        self.bury();
    }

    /// SIGTERM, and waits for the ordered stop.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        self.send(Signal::TERM);
        let name = self.name.clone();
        let status = eventually(&format!("the ordered stop of {name}"), STOP_LIMIT, async || self.ended_by_itself()).await?;
        self.bury();
        Ok(status)
    }

    fn bury(&mut self) {
        if let Some(Life { mut process, reader }) = self.life.take() {
            // Both only fail when the process or the thread is gone already, which is what we wait for.
            let _ = process.wait();
            let _ = reader.join();
        }
    }

    pub fn log_file(&self) -> PathBuf {
        self.home.with_extension("log")
    }

    /// Everything it said over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// What `/health` says; none when nobody answers.
    pub async fn health(&self) -> Option<Value> {
        serde_json::from_slice(&self.client.get("/health").await.ok()?.1).ok()
    }

    /// The block at `height`, without its transactions; none when this validator does not have it.
    pub async fn block(&self, height: u64) -> Result<Option<Value>> {
        let block = self.client.call("eth_getBlockByNumber", json!([format!("{height:#x}"), false])).await?;
        Ok(if block.is_null() { None } else { Some(block) })
    }

    pub async fn hash(&self, height: u64) -> Result<Option<B256>> {
        let Some(block) = self.block(height).await? else { return Ok(None) };
        Ok(Some(block["hash"].as_str().context("a block has a hash")?.parse()?))
    }

    /// All metrics, as Prometheus reads them.
    pub async fn metrics(&self) -> Result<Metrics> {
        let (_, body) = self.metrics.get("/metrics").await?;
        Ok(Metrics(String::from_utf8_lossy(&body).into_owned()))
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a node counted.
pub struct Metrics(String);

impl Metrics {
    /// The sum over all labels; 0 when it was never counted.
    pub fn sum(&self, name: &str) -> f64 {
        self.lines(name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// The sum over the lines that have this label.
    pub fn of(&self, name: &str, label: &str) -> f64 {
        self.lines(name).filter(|line| line.contains(label)).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.lines().filter(move |line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
    }
}

fn read(lines: impl BufRead, mut log: File, validator: usize, history: &History) {
    for line in lines.lines().map_while(Result::ok) {
        let at = Instant::now();
        if let Some((height, hash, transactions)) = committed(&line) {
            history.note(Commit { validator, height, hash, transactions, at });
        }
        // The campaign goes on without a log.
        let _ = writeln!(log, "{line}");
    }
}
