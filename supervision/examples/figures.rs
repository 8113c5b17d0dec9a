//! Measures what supervision costs and how fast it heals; prints one line for each figure.
//!
//! CPU time is what counts on a machine with other work: it is read from `/proc/self/stat`, in steps of 10 ms.

use std::time::{Duration, Instant};

use opentelemetry::metrics::MeterProvider;
use opentelemetry::metrics::noop::NoopMeterProvider;
use supervision::*;

const LIMIT: Duration = Duration::from_secs(60);

enum Told {
    Count,
    Get(Reply<u64>),
    Panic,
    Hang,
    Spawn(u64, Address<Told>),
}

impl Message for Told {
    fn name(&self) -> &'static str {
        "Told"
    }
}

#[derive(Default)]
struct Counter {
    total: u64,
    children: Option<Children<u64>>,
}

impl Actor for Counter {
    type Message = Told;

    async fn handle(&mut self, told: Told, context: &mut Context<Told>) -> Result<(), Fault> {
        match told {
            Told::Count => self.total += 1,
            Told::Get(reply) => answer(reply, self.total),
            Told::Panic => panic!("told to"),
            Told::Hang => std::future::pending().await,
            Told::Spawn(key, address) => {
                let children = self.children.get_or_insert_with(|| context.children(100_000));
                children.spawn(key, spec("child", address))?;
            }
        }
        Ok(())
    }
}

fn spec(name: &str, address: Address<Told>) -> ChildSpec {
    let unlimited = Budget { restarts: usize::MAX, window: Duration::from_secs(1) };
    let at_once = Backoff { stable_after: Duration::ZERO, ..Backoff::default() };
    ChildSpec::new(name, address, |_| async { Ok(Counter::default()) }).budget(unlimited).backoff(at_once).hang_limit(Duration::from_millis(100))
}

async fn run(address: Address<Told>) -> Result<Running, TreeError> {
    let config = Config::new(NoopMeterProvider::new().meter("figures"));
    Ok(Tree::build("figures", vec![spec("counter", address)], config)?.start().await)
}

fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    Duration::from_millis(ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10)
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    format!("p50 {:?}, p99 {:?}", at(0.5), at(0.99))
}

async fn costs(address: &Address<Told>) -> anyhow::Result<()> {
    let count = 1_000_000;
    let (wall, used) = (Instant::now(), cpu());
    for _ in 0..count {
        address.send(Told::Count, LIMIT).await?;
    }
    address.ask(LIMIT, Told::Get).await?;
    println!("send: {:?} CPU, {:?} wall each", (cpu() - used) / count, wall.elapsed() / count);
    let (wall, used, count) = (Instant::now(), cpu(), 100_000);
    for _ in 0..count {
        address.ask(LIMIT, Told::Get).await?;
    }
    println!("ask: {:?} CPU, {:?} wall each", (cpu() - used) / count, wall.elapsed() / count);
    Ok(())
}

async fn healing(address: &Address<Told>) -> anyhow::Result<()> {
    for (what, told, times) in [("crash", (|| Told::Panic) as fn() -> Told, 1000), ("hang with a limit of 100 ms", || Told::Hang, 20)] {
        let mut took = Vec::new();
        for _ in 0..times {
            let began = Instant::now();
            address.send(told(), LIMIT).await?;
            address.ask(LIMIT, Told::Get).await?;
            took.push(began.elapsed());
        }
        println!("{what} to serving again: {}", percentiles(took));
    }
    Ok(())
}

async fn storm(address: &Address<Told>, running: Running) -> anyhow::Result<()> {
    let limits = MailboxLimits::each(16);
    let children: Vec<Address<Told>> = (0..10_000).map(|_| Address::new("child", limits)).collect();
    let began = Instant::now();
    for (key, child) in children.iter().enumerate() {
        address.send(Told::Spawn(key as u64, child.clone()), LIMIT).await?;
    }
    answers(&children).await?;
    println!("10,000 children started: {:?}", began.elapsed());
    let began = Instant::now();
    for child in &children {
        child.send(Told::Panic, LIMIT).await?;
    }
    answers(&children).await?;
    println!("10,000 children crashed at once and all back: {:?}", began.elapsed());
    let report = running.stop("measured").await;
    println!("10,001 children stopped in order: {} ms, late {}", report.took_ms, report.late().count());
    Ok(())
}

async fn answers(children: &[Address<Told>]) -> Result<(), AskError> {
    for child in children {
        child.ask(LIMIT, Told::Get).await?;
    }
    Ok(())
}

async fn measure() -> anyhow::Result<()> {
    let address = Address::new("counter", MailboxLimits::each(4096));
    let running = run(address.clone()).await?;
    running.ready(LIMIT).await?;
    costs(&address).await?;
    healing(&address).await?;
    storm(&address, running).await
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    std::panic::set_hook(Box::new(note_panic));
    // In a task: from the blocked main thread every wake-up costs a context switch.
    tokio::spawn(measure()).await?
}
