//! How long it takes until something that broke serves again.
//!
//! Each time begins when the fatal message is sent and ends with the answer of the next incarnation.

use std::time::{Duration, Instant};

use supervision::{Address, EventKind, Group, Running, Strategy, Subscription};

use crate::clock::{micros, millis, quantile};
use crate::counter::{self, HANG_LIMIT, LIMIT, Told};
use crate::table::Row;

const P50_GOAL_US: f64 = 25.0;
const P99_GOAL_US: f64 = 200.0;

/// The first one crashes.
const NAMES: [&str; 4] = ["first", "second", "third", "fourth"];

pub async fn measure(times: usize) -> anyhow::Result<Vec<Row>> {
    let address = counter::address("counter");
    let _running = counter::run(vec![counter::spec("counter", &address).hang_limit(HANG_LIMIT)], counter::no_meter()).await?;
    breaks(&address, || Told::Panic, times / 10).await?;
    let crashes = breaks(&address, || Told::Panic, times).await?;
    let hangs = breaks(&address, || Told::Hang, (times / 100).max(2)).await?;
    let times = times / 10;
    let (stopping, suspending, all) = (four(Tie::Stopping, times).await?, four(Tie::Suspending, times).await?, four(Tie::OneForAll, times).await?);
    Ok(vec![
        percentiles("crash to serving", &crashes, micros, "us").goals(&[("p50", P50_GOAL_US), ("p99", P99_GOAL_US)]),
        percentiles("hang (limit 100 ms) to serving", &hangs, millis, "ms"),
        percentiles("group: one crashes, 3 need it and restart, 4 serve", &stopping, micros, "us"),
        percentiles("group: one crashes, 3 need it and suspend, 4 serve", &suspending, micros, "us"),
        percentiles("group: one-for-all of 4, one crashes, 4 serve", &all, micros, "us"),
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

/// What ties four children together.
#[derive(Clone, Copy)]
enum Tie {
    /// Three need the first, and stop without it.
    Stopping,
    /// Three need the first, and wait for it.
    Suspending,
    OneForAll,
}

/// The first of four crashes again and again.
async fn four(tie: Tie, times: usize) -> anyhow::Result<Vec<Duration>> {
    let addresses = NAMES.map(counter::address);
    let mut group = Group::new("four").strategy(if matches!(tie, Tie::OneForAll) { Strategy::OneForAll } else { Strategy::Graph });
    for (name, address) in NAMES.into_iter().zip(&addresses) {
        let spec = counter::spec(name, address);
        let depends = name != NAMES[0] && !matches!(tie, Tie::OneForAll);
        let spec = if depends { spec.needs(&[NAMES[0]]) } else { spec };
        group = group.with(if matches!(tie, Tie::Suspending) { spec.suspend_when_needs_are_down() } else { spec });
    }
    let running = counter::run([group], counter::no_meter()).await?;
    let mut took = Vec::with_capacity(times);
    for _ in 0..times.max(1) {
        let mut events = from_now_on(&running);
        let began = Instant::now();
        addresses[0].send(Told::Panic, LIMIT).await?;
        // A sibling that is asked too early would answer before it went down.
        siblings_are_back(&mut events).await;
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

async fn siblings_are_back(events: &mut Subscription) {
    let mut back = 0;
    while back < NAMES.len() - 1 {
        let event = events.next().await;
        let is_back = matches!(event.kind, EventKind::Ready | EventKind::Resumed) && event.child != NAMES[0];
        back += usize::from(is_back);
    }
}
