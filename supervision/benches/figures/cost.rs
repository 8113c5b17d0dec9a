//! What one message costs, beside what it costs on ractor alone.
//!
//! All contenders take turns within a round, so that noise hits all of them; a ratio is taken within its round, and
//! medians are over rounds. Casts come in bursts, each followed by a question, so that no queue grows without end.

use opentelemetry_sdk::metrics::SdkMeterProvider;
use ractor::ActorRef;
use supervision::{Address, Running};
use tracing::Instrument;

use crate::clock::{Cost, Stopwatch, median};
use crate::counter::{self, LIMIT, Told};
use crate::raw;
use crate::table::Row;
use crate::telemetry::{Spans, metered};

const BURST: usize = 1_000;
const CASTS: usize = 100 * BURST;
const ASKS: usize = 50_000;

const CAST_GOAL: f64 = 1.0;
const ASK_GOAL: f64 = 1.4;
const ASK_STRETCH: f64 = 1.25;

/// How a message is sent, and what it is held against on raw ractor.
#[derive(Clone, Copy)]
enum Way {
    /// `try_send`, which never waits, as `cast` does.
    Cast,
    /// `send`, which waits for room.
    Send,
    Ask,
}

const WAYS: [(Way, &str); 3] = [(Way::Cast, "cast (try_send)"), (Way::Send, "cast (send)"), (Way::Ask, "ask")];

/// Someone on `supervision` who is measured.
struct Contender {
    telemetry: &'static str,
    address: Address<Told>,
    spans: bool,
    _running: Running,
    _provider: Option<SdkMeterProvider>,
}

/// What each round has found for one row, and, in the same round, for raw ractor.
#[derive(Default)]
struct Rounds {
    costs: Vec<Cost>,
    ratios: Vec<f64>,
}

pub async fn measure(spans: Spans, rounds: usize) -> anyhow::Result<Vec<Row>> {
    let raw = raw::spawn().await?;
    let contenders = contenders().await?;
    let mut plain: [Rounds; 3] = Default::default();
    let mut found: Vec<[Rounds; 3]> = contenders.iter().map(|_| Default::default()).collect();
    // The first round warms up.
    for round in 0..=rounds {
        let (cast, call, timed_call) = (raw_casts(&raw).await?, raw_calls(&raw, false).await?, raw_calls(&raw, true).await?);
        if round > 0 {
            plain.iter_mut().zip([cast, call, timed_call]).for_each(|(rounds, cost)| rounds.note(cost, cost));
        }
        for (contender, found) in contenders.iter().zip(&mut found) {
            spans.switch(contender.spans)?;
            for ((way, _), rounds) in WAYS.into_iter().zip(found) {
                let cost = contender.cost(way).await?;
                let beside = if matches!(way, Way::Ask) { call } else { cast };
                if round > 0 {
                    rounds.note(cost, beside);
                }
            }
            spans.switch(false)?;
        }
    }
    Ok(rows(&contenders, &found, &plain))
}

async fn contenders() -> anyhow::Result<Vec<Contender>> {
    let mut contenders = Vec::new();
    for (telemetry, metrics, spans) in [("neither", false, false), ("metrics", true, false), ("metrics, spans", true, true)] {
        let (provider, meter) = if metrics { metered().map(|(provider, meter)| (Some(provider), meter))? } else { (None, counter::no_meter()) };
        let address = counter::address("counter");
        let running = counter::run(vec![counter::spec("counter", &address)], meter).await?;
        contenders.push(Contender { telemetry, address, spans, _running: running, _provider: provider });
    }
    Ok(contenders)
}

impl Contender {
    async fn cost(&self, way: Way) -> anyhow::Result<Cost> {
        // With spans on, what is sent belongs to a trace, and its context travels along.
        let span = tracing::info_span!("sender");
        async {
            match way {
                Way::Cast => self.casts().await,
                Way::Send => self.sends().await,
                Way::Ask => self.asks().await,
            }
        }
        .instrument(span)
        .await
    }

    async fn casts(&self) -> anyhow::Result<Cost> {
        let watch = Stopwatch::start();
        for _ in 0..CASTS / BURST {
            for _ in 1..BURST {
                self.address.try_send(Told::Count)?;
            }
            self.address.ask(LIMIT, Told::Get).await?;
        }
        Ok(watch.each(CASTS))
    }

    async fn sends(&self) -> anyhow::Result<Cost> {
        let watch = Stopwatch::start();
        for _ in 0..CASTS / BURST {
            for _ in 1..BURST {
                self.address.send(Told::Count, LIMIT).await?;
            }
            self.address.ask(LIMIT, Told::Get).await?;
        }
        Ok(watch.each(CASTS))
    }

    async fn asks(&self) -> anyhow::Result<Cost> {
        let watch = Stopwatch::start();
        for _ in 0..ASKS {
            self.address.ask(LIMIT, Told::Get).await?;
        }
        Ok(watch.each(ASKS))
    }
}

async fn raw_casts(raw: &ActorRef<raw::Told>) -> anyhow::Result<Cost> {
    let watch = Stopwatch::start();
    for _ in 0..CASTS / BURST {
        for _ in 1..BURST {
            raw.cast(raw::Told::Count)?;
        }
        raw::ask(raw, None).await?;
    }
    Ok(watch.each(CASTS))
}

async fn raw_calls(raw: &ActorRef<raw::Told>, timed: bool) -> anyhow::Result<Cost> {
    let limit = timed.then_some(LIMIT);
    let watch = Stopwatch::start();
    for _ in 0..ASKS {
        raw::ask(raw, limit).await?;
    }
    Ok(watch.each(ASKS))
}

impl Rounds {
    fn note(&mut self, cost: Cost, beside: Cost) {
        self.costs.push(cost);
        self.ratios.push(cost.cpu_ns / beside.cpu_ns);
    }

    fn median_of(&self, part: impl Fn(&Cost) -> f64) -> f64 {
        median(&self.costs.iter().map(part).collect::<Vec<_>>())
    }

    fn row(&self, figure: String) -> Row {
        Row::new(figure).reading("CPU", self.median_of(|cost| cost.cpu_ns), "ns").reading("wall", self.median_of(|cost| cost.wall_ns), "ns")
    }
}

fn rows(contenders: &[Contender], found: &[[Rounds; 3]], plain: &[Rounds; 3]) -> Vec<Row> {
    let names = ["cast", "call", "call with a time limit"];
    let mut rows: Vec<Row> = names.iter().zip(plain).map(|(name, rounds)| rounds.row(format!("raw ractor: {name}"))).collect();
    for (w, (way, name)) in WAYS.into_iter().enumerate() {
        for (contender, found) in contenders.iter().zip(found) {
            let rounds = &found[w];
            let row = rounds.row(format!("{name}, {}", contender.telemetry)).reading("of ractor's", median(&rounds.ratios), "x");
            // ractor has neither metrics nor spans: like is held against like.
            let is_alike = contender.telemetry == "neither";
            rows.push(match way {
                _ if !is_alike => row,
                Way::Cast | Way::Send => row.goal(CAST_GOAL),
                Way::Ask => row.goal(ASK_GOAL).stretch(ASK_STRETCH),
            });
        }
    }
    rows
}
