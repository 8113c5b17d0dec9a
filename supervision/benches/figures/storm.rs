//! Many children that crash at once, what a snapshot takes meanwhile, and the stop of all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::ensure;
use supervision::{Address, MailboxLimits, Running, Snapshots};

use crate::clock::{Stopwatch, median, millis, quantile};
use crate::counter::{self, LIMIT, Told};
use crate::table::Row;

const FEW: usize = 200;
pub const MANY: usize = 10_000;

const STORM_GOAL_MS: f64 = 700.0;
const SNAPSHOT_GOAL_MS: f64 = 50.0;
const STOP_GOAL_MS: f64 = 200.0;

/// How often somebody looks at the tree during a storm.
const LOOK: Duration = Duration::from_millis(10);

/// A parent and its dynamic children, all of whom have answered once.
pub struct Flock {
    pub children: Vec<Address<Told>>,
    running: Running,
}

pub async fn measure(times: usize) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    rows.extend(storms(FEW, times).await?);
    rows.extend(storms(MANY, (times / 2).max(1)).await?);
    rows.push(stops((times / 4).max(1)).await?);
    Ok(rows)
}

async fn storms(size: usize, times: usize) -> anyhow::Result<Vec<Row>> {
    let flock = Flock::gather(size).await?;
    let (mut healed, mut used, mut looks) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..times {
        let (began, watch) = (Instant::now(), Stopwatch::start());
        flock.crash().await?;
        healed.push(millis(began.elapsed()));
        used.push(watch.each(size).cpu_ns / 1e3);
        // Once more, for the snapshots: on few cores, taking them is no small part of the work.
        let onlooker = Onlooker::start(flock.running.snapshots());
        flock.crash().await?;
        looks.extend(onlooker.end()?.into_iter().map(millis));
    }
    let _ = flock.stop().await?;
    let storm = Row::new(format!("storm: {size} crash at once, all serve")).reading("median", median(&healed), "ms");
    let storm = if size == MANY { storm.goal(STORM_GOAL_MS) } else { storm };
    let storm = storm.reading("worst", quantile(&healed, 1.0), "ms").reading("CPU a child", median(&used), "us");
    let look = Row::new(format!("storm: a snapshot of {size} meanwhile")).reading("median", median(&looks), "ms");
    Ok(vec![storm, look.reading("worst", quantile(&looks, 1.0), "ms").goal(SNAPSHOT_GOAL_MS)])
}

async fn stops(times: usize) -> anyhow::Result<Row> {
    let (mut took, mut used) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let flock = Flock::gather(MANY).await?;
        let watch = Stopwatch::start();
        took.push(millis(flock.stop().await?));
        used.push(watch.each(MANY).cpu_ns / 1e3);
    }
    let row = Row::new(format!("ordered stop of {MANY}")).reading("median", median(&took), "ms").goal(STOP_GOAL_MS);
    Ok(row.reading("worst", quantile(&took, 1.0), "ms").reading("CPU a child", median(&used), "us"))
}

impl Flock {
    pub async fn gather(size: usize) -> anyhow::Result<Self> {
        let limits = MailboxLimits::each(16);
        let children: Vec<Address<Told>> = (0..size).map(|_| Address::new("child", limits)).collect();
        let parent = counter::address("parent");
        let running = counter::run(vec![counter::spec("parent", &parent)], counter::no_meter()).await?;
        for (key, child) in children.iter().enumerate() {
            parent.send(Told::Spawn(key as u64, child.clone()), LIMIT).await?;
            // One after the other, so that no memory is taken for thousands of starts at a time.
            child.ask(LIMIT, Told::Get).await?;
        }
        Ok(Flock { children, running })
    }

    /// Everybody crashes at once; ends when all have answered.
    async fn crash(&self) -> anyhow::Result<()> {
        for child in &self.children {
            child.try_send(Told::Panic)?;
        }
        for child in &self.children {
            child.ask(LIMIT, Told::Get).await?;
        }
        Ok(())
    }

    /// Stops everybody in order, and sees that everybody was there and nobody was late.
    pub async fn stop(self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let report = self.running.stop("measured").await;
        let took = began.elapsed();
        ensure!(report.is_clean(), "{} children were late", report.late().count());
        ensure!(report.children.len() == self.children.len() + 1, "{} children stopped", report.children.len());
        Ok(took)
    }
}

/// A thread outside the runtime that takes snapshots and notes how long each took.
struct Onlooker {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Onlooker {
    fn start(snapshots: Snapshots) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let thread = std::thread::spawn(move || {
            let mut took = Vec::new();
            // At least once, however soon it is over.
            loop {
                let began = Instant::now();
                let snapshot = snapshots.take();
                took.push(began.elapsed());
                drop(snapshot);
                if over.load(Relaxed) {
                    return took;
                }
                std::thread::sleep(LOOK);
            }
        });
        Onlooker { is_over, thread }
    }

    fn end(self) -> anyhow::Result<Vec<Duration>> {
        self.is_over.store(true, Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the onlooker panicked"))
    }
}
