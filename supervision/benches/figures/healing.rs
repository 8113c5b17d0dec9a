//! How long it takes until something that broke serves again.
//!
//! Each time begins when the fatal message is sent and ends with the answer of the next incarnation.

use std::time::{Duration, Instant};

use supervision::{Address, EventKind, Running, Subscription};

use crate::clock::{micros, millis, quantile};
use crate::counter::{self, HANG_LIMIT, LIMIT, Told};
use crate::table::Row;

const P50_GOAL_US: f64 = 25.0;
const P99_GOAL_US: f64 = 200.0;

/// How many need the one that crashes.
const DEPENDENTS: usize = 3;

pub async fn measure(times: usize) -> anyhow::Result<Vec<Row>> {
    let address = counter::address("counter");
    let _running = counter::run(vec![counter::spec("counter", &address).hang_limit(HANG_LIMIT)], counter::no_meter()).await?;
    breaks(&address, || Told::Panic, times / 10).await?;
    let crashes = breaks(&address, || Told::Panic, times).await?;
    let hangs = breaks(&address, || Told::Hang, (times / 100).max(2)).await?;
    let (leaving, suspended) = (group(false, times / 10).await?, group(true, times / 10).await?);
    Ok(vec![
        percentiles("crash to serving", &crashes, micros, "us").goals(&[("p50", P50_GOAL_US), ("p99", P99_GOAL_US)]),
        percentiles("hang (limit 100 ms) to serving", &hangs, millis, "ms"),
        percentiles("crash of one that 3 need, which restart, to all 4 serving", &leaving, micros, "us"),
        percentiles("crash of one that 3 need, which suspend, to all 4 serving", &suspended, micros, "us"),
    ])
}

fn percentiles(figure: &str, times: &[Duration], unit_of: fn(Duration) -> f64, unit: &'static str) -> Row {
    let times: Vec<f64> = times.iter().copied().map(unit_of).collect();
    let at = |part| quantile(&times, part);
    Row::new(figure.to_owned()).reading("p50", at(0.5), unit).reading("p99", at(0.99), unit).reading("worst", at(1.0), unit)
}

async fn breaks(address: &Address<Told>, fatal: fn() -> Told, times: usize) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let began = Instant::now();
        address.send(fatal(), LIMIT).await?;
        address.ask(LIMIT, Told::Get).await?;
        took.push(began.elapsed());
    }
    Ok(took)
}

/// One child that others need goes down again and again.
async fn group(suspends: bool, times: usize) -> anyhow::Result<Vec<Duration>> {
    let names = ["needed", "first", "second", "third"];
    let addresses = names.map(counter::address);
    let specs = names.iter().zip(&addresses).map(|(name, address)| {
        let spec = counter::spec(name, address);
        let spec = if *name == "needed" { spec } else { spec.needs(&["needed"]) };
        if suspends { spec.suspend_when_needs_are_down() } else { spec }
    });
    let running = counter::run(specs.collect(), counter::no_meter()).await?;
    let mut took = Vec::with_capacity(times);
    for _ in 0..times.max(1) {
        let mut events = from_now_on(&running);
        let began = Instant::now();
        addresses[0].send(Told::Panic, LIMIT).await?;
        // A dependent that is asked too early would answer before it went down.
        back(&mut events).await;
        for address in &addresses {
            address.ask(LIMIT, Told::Get).await?;
        }
        took.push(began.elapsed());
    }
    Ok(took)
}

fn from_now_on(running: &Running) -> Subscription {
    let mut events = running.events().subscribe();
    while events.try_next().is_some() {}
    events
}

async fn back(events: &mut Subscription) {
    let mut back = 0;
    while back < DEPENDENTS {
        let event = events.next().await;
        let is_back = matches!(event.kind, EventKind::Ready | EventKind::Resumed) && event.child != "needed";
        back += usize::from(is_back);
    }
}
