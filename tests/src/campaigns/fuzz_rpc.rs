//! What nobody should send, to the JSON-RPC and REST of a validator: each answer is by the book and in time, and the node goes on.

use std::{
    collections::BTreeMap,
    io::Write,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use parking_lot::Mutex;
use primitives::U256;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::{task::JoinSet, time::timeout};

use super::{START_LIMIT, Settings, check, observe};
use crate::{
    fuzz::{self, Book, Chain, Expected, HttpLine, Interface, Paths, Reply, Request, SocketLine},
    network::{Further, Network, Plan},
    process::rss_mib,
    report::Report,
    statistics::{longest_gap, ms, quantile},
    transfer::transfers,
    wait::eventually,
};

/// A validator alone, unless more are asked for by the campaign's own option.
const VALIDATORS: usize = 1;
const BLOCK_INTERVAL: Duration = Duration::from_millis(100);
const PUBLIC: &str = "rpc.public=true";
/// All clients are this machine; with a limit most requests would get no further than that.
const UNLIMITED: &str = "rpc.limit_loopback=false";
/// A page that there is not.
const NOT_FOUND: u16 = 404;
/// Transfers on the chain before the first request, and signed ones that are not sent.
const TRANSFERS: u64 = 20;
const UNSENT: u64 = 200;
/// How long any answer may take: a call has 30 s.
const ANSWER_LIMIT: Duration = Duration::from_secs(35);
/// The longest time that may pass between two blocks meanwhile.
const GAP_LIMIT: Duration = Duration::from_secs(10);
/// Memory of the validator that is reached under no circumstances.
const MEMORY_LIMIT_MIB: f64 = 1_024.0;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Of a hundred requests, those that go to a page, and those that go over a WebSocket.
const PAGES: u32 = 6;
const SOCKETS: u32 = 20;
/// Findings that are shown, and bytes of each that are shown; all of them are in a file as a whole.
const MAX_SHOWN: usize = 20;
const MAX_SHOWN_BYTES: usize = 1_500;

/// What is special to this campaign.
#[derive(Clone, Copy, Debug)]
pub struct FuzzRpc {
    pub length: Duration,
    /// At most so many.
    pub requests: u64,
    /// Connections at the same time.
    pub clients: u64,
    /// On a listener as the public has it, which keeps some methods and pages to itself. Clients on this machine are not limited.
    pub public: bool,
}

/// What all clients share.
struct Shared {
    seed: u64,
    port: u16,
    is_public: bool,
    interface: Interface,
    paths: Paths,
    chain: Chain,
    book: Book,
    until: Instant,
    requests: AtomicU64,
    left: AtomicU64,
    tally: Mutex<Tally>,
}

#[derive(Default)]
struct Tally {
    codes: BTreeMap<i64, u64>,
    took: Vec<Duration>,
    slowest: Option<(Duration, String)>,
    findings: Vec<Finding>,
}

/// An answer that must not be.
struct Finding {
    wrong: String,
    what: String,
    /// Client and number of the request in its sequence.
    place: (u64, u64),
    sent: Vec<u8>,
}

/// Sends requests made from the seed, until the time or their number is over.
pub async fn fuzz_rpc(settings: &Settings, options: FuzzRpc) -> Result<Report> {
    let mut report = Report::of("fuzz-rpc");
    let mut network = plan(settings, options.public).make(&mut StdRng::seed_from_u64(settings.seed))?;
    network.start_all()?;
    network.reach(1, START_LIMIT).await?;
    let observer = observe(&network, settings.seed).await?;
    let shared = Arc::new(prepared(&mut network, settings, &options).await?);
    let unknown = shared.interface.unknown();
    if !unknown.is_empty() {
        report.fail(format!("nobody knows valid values of the parameters {unknown:?}; tests/src/fuzz/valid.rs should"));
    }
    let withheld = shared.interface.withheld().count();
    report.figure("methods withheld", withheld as f64, "");
    if options.public != (withheld > 0) {
        report.fail(format!("a listener with rpc.public={} withholds {withheld} methods", options.public));
    }
    let (from, pid) = (Instant::now(), network.validators[0].pid());
    let mut clients: JoinSet<()> = (0..options.clients).map(|client| Client::new(shared.clone(), client).run()).collect();
    let mut most = 0.0_f64;
    while !clients.is_empty() {
        most = most.max(rss_mib(pid));
        if let Ok(Some(ended)) = timeout(LOOK_EVERY, clients.join_next()).await {
            ended.context("a client of the campaign")?;
        }
    }
    let took = from.elapsed();
    shared.show(took, findings_file(&network), &mut report)?;
    report.figure("memory of the validator, most", most, "MiB");
    if MEMORY_LIMIT_MIB < most {
        report.fail(format!("the validator took {most:.0} MiB; the bound is {MEMORY_LIMIT_MIB} MiB"));
    }
    goes_on(&mut network, from, &mut report).await?;
    check(&mut network, &observer, &mut report).await?;
    observer.stop().await;
    settings.finish(&mut network, &mut report);
    Ok(report)
}

fn plan(settings: &Settings, public: bool) -> Plan {
    let contract = |(place, code): (usize, &&str)| Further {
        address: fuzz::contract(place),
        balance: U256::from(1_000_000),
        code: hex::decode(code.trim_start_matches("0x")).ok(),
    };
    let pace = |asked: Duration| if asked.is_zero() { BLOCK_INTERVAL } else { asked };
    let mut plan = settings.plan();
    if public {
        plan.settings.extend([PUBLIC, UNLIMITED].map(str::to_owned));
    }
    Plan {
        validators: VALIDATORS,
        block_interval: pace(plan.block_interval),
        empty_block_interval: pace(plan.empty_block_interval),
        further: fuzz::CONTRACTS.iter().enumerate().map(contract).collect(),
        ..plan
    }
}

/// A chain with transactions in it, and what the node says of itself.
async fn prepared(network: &mut Network, settings: &Settings, options: &FuzzRpc) -> Result<Shared> {
    let chain_id = network.genesis.chain_id;
    let signed = tokio::task::spawn_blocking(move || transfers(chain_id, TRANSFERS + UNSENT)).await??;
    let validator = &network.validators[0];
    for transfer in &signed[..TRANSFERS as usize] {
        validator.client.call("eth_sendRawTransaction", json!([transfer.raw])).await?;
        eventually("a transfer is final", START_LIMIT, async || {
            let receipt = validator.client.call("eth_getTransactionReceipt", json!([transfer.hash])).await.ok()?;
            (!receipt.is_null()).then_some(())
        })
        .await?;
    }
    let accounts = network.genesis.alloc.keys().take(TRANSFERS as usize).map(|address| address.to_string().to_lowercase()).collect();
    let raw = signed.into_iter().map(|transfer| transfer.raw).collect();
    Ok(Shared {
        seed: settings.seed,
        port: validator.ports.rpc,
        is_public: options.public,
        interface: Interface::ask(validator.ports.rpc).await?,
        paths: Paths::ask(&validator.client).await?,
        chain: Chain::read(&validator.client, chain_id, raw, accounts).await?,
        book: Book::open(),
        until: Instant::now() + options.length,
        requests: AtomicU64::new(0),
        left: AtomicU64::new(options.requests),
        tally: Mutex::default(),
    })
}

/// One user with connections of its own.
struct Client {
    shared: Arc<Shared>,
    number: u64,
    random: StdRng,
    http: HttpLine,
    socket: SocketLine,
}

impl Client {
    fn new(shared: Arc<Shared>, number: u64) -> Self {
        let random = StdRng::seed_from_u64(shared.seed.wrapping_mul(1_000_003).wrapping_add(number));
        let (http, socket) = (HttpLine::to(shared.port), SocketLine::to(shared.port));
        Self { shared, number, random, http, socket }
    }

    async fn run(mut self) {
        let mut count = 0;
        while Instant::now() < self.shared.until && self.shared.take() {
            count += 1;
            match self.random.random_range(0..100) {
                0..PAGES => self.page(count).await,
                number => self.call(count, number < PAGES + SOCKETS).await,
            }
        }
    }

    async fn page(&mut self, count: u64) {
        let path = self.shared.paths.random(&self.shared.chain, &mut self.random);
        let begun = Instant::now();
        let reply = timeout(ANSWER_LIMIT, self.http.get(&path)).await;
        self.shared.took(begun, "a page");
        if let Err(wrong) = in_words(reply).and_then(|reply| self.shared.check_page(&path, &reply)) {
            self.shared.found(Finding { wrong, what: "a page".to_owned(), place: (self.number, count), sent: path.into_bytes() });
        }
    }

    async fn call(&mut self, count: u64, over_socket: bool) {
        let request = Request::random(&self.shared.interface, &self.shared.chain, &mut self.random);
        let begun = Instant::now();
        let reply = match request.text().filter(|_| over_socket && request.expected != Expected::Anything) {
            Some(text) => timeout(ANSWER_LIMIT, self.socket.ask(text, request.expected == Expected::Silence)).await,
            None => timeout(ANSWER_LIMIT, self.http.post("/", &request.body)).await,
        };
        self.shared.took(begun, &request.what);
        match in_words(reply).and_then(|reply| self.shared.book.check(&request.expected, &reply)) {
            Ok(codes) => self.shared.answered(&codes),
            Err(wrong) => {
                self.socket.close();
                self.shared.found(Finding { wrong, what: request.what, place: (self.number, count), sent: request.body });
            }
        }
    }
}

fn in_words(reply: Result<Result<Reply>, tokio::time::error::Elapsed>) -> Result<Reply, String> {
    match reply {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(_) => Err(format!("no answer within {ANSWER_LIMIT:?}")),
    }
}

impl Shared {
    /// Whether one more may be sent.
    fn take(&self) -> bool {
        self.requests.fetch_add(1, Relaxed);
        self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    fn check_page(&self, path: &str, reply: &Reply) -> Result<(), String> {
        match fuzz::check_page(reply)? {
            status if self.is_public && fuzz::is_operators_page(path) && status != NOT_FOUND => {
                Err(format!("HTTP {status} for a page that is withheld: {:.300}", String::from_utf8_lossy(&reply.body)))
            }
            _ => Ok(()),
        }
    }

    fn took(&self, begun: Instant, what: &str) {
        let (took, mut tally) = (begun.elapsed(), self.tally.lock());
        tally.took.push(took);
        if tally.slowest.as_ref().is_none_or(|(slowest, _)| *slowest < took) {
            tally.slowest = Some((took, what.to_owned()));
        }
    }

    fn answered(&self, codes: &[i64]) {
        let mut tally = self.tally.lock();
        codes.iter().for_each(|code| *tally.codes.entry(*code).or_default() += 1);
    }

    fn found(&self, finding: Finding) {
        self.tally.lock().findings.push(finding);
    }

    fn show(&self, took: Duration, file: PathBuf, report: &mut Report) -> Result<()> {
        let tally = self.tally.lock();
        let count = tally.took.len() as f64;
        report.figure("requests", count, "");
        report.figure("requests a second", count / took.as_secs_f64().max(0.001), "/s");
        for (code, count) in &tally.codes {
            let what = if *code == 0 { "answers with a result".to_owned() } else { format!("answers with {code}") };
            report.figure(what, *count as f64, "");
        }
        report.figure("time to answer, p50", ms(quantile(&tally.took, 500)), "ms");
        report.figure("time to answer, p99", ms(quantile(&tally.took, 990)), "ms");
        if let Some((slowest, what)) = &tally.slowest {
            report.figure(format!("time to answer, longest ({what})"), ms(*slowest), "ms");
        }
        if tally.findings.is_empty() {
            return Ok(());
        }
        let mut out = std::fs::File::create(&file)?;
        for (index, finding) in tally.findings.iter().enumerate() {
            let Finding { wrong, what, place: (client, count), sent } = finding;
            let head = format!("seed {}, client {client}, request {count}, {what}: {wrong}", self.seed);
            writeln!(out, "{head}\n{}\n", String::from_utf8_lossy(sent))?;
            if index < MAX_SHOWN {
                let shown = &sent[..sent.len().min(MAX_SHOWN_BYTES)];
                report.fail(format!("{head}\n    {} bytes: {}", sent.len(), String::from_utf8_lossy(shown)));
            }
        }
        report.fail(format!("{} findings, as a whole in {}", tally.findings.len(), file.display()));
        Ok(())
    }
}

fn findings_file(network: &Network) -> PathBuf {
    network.validators[0].home.with_file_name("findings.txt")
}

/// Nothing was restarted, and blocks came all the time and still come.
async fn goes_on(network: &mut Network, from: Instant, report: &mut Report) -> Result<()> {
    let gap = longest_gap(&network.history.moments(0, from), from, Instant::now());
    report.figure("longest time without a block", ms(gap), "ms");
    if GAP_LIMIT < gap {
        report.fail(format!("no block for {gap:?}"));
    }
    let next = network.history.tip(0) + 2;
    if let Err(error) = network.reach(next, GAP_LIMIT).await {
        report.fail(format!("{error:#}"));
    }
    let health = network.validators[0].health().await.context("the validator answers /health")?;
    if health["actors"]["restarts_1h"] != 0 {
        report.fail(format!("an actor was restarted: {health}"));
    }
    Ok(())
}
