//! An actor that does what it is told, and a record of what it did.

// Each test binary uses a part.
#![allow(dead_code)]

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry::metrics::noop::NoopMeterProvider;
use parking_lot::Mutex;
use supervision::*;

/// Longer than anything here takes; only a broken build waits for it.
pub const SOON: Duration = Duration::from_secs(20);

pub enum Told {
    Note(u64),
    Urgent(u64),
    Bulk(u64),
    Ask(Reply<u64>),
    /// Keeps the reply and never answers.
    Ignore(Reply<u64>),
    Panic,
    PanicAsked(#[allow(dead_code)] Reply<u64>),
    Fail,
    Hang,
    /// Blocks the thread, then notes 999.
    Block(Duration),
    /// The same, declared with a limit.
    Declared(Duration, Duration),
    /// Panics in declared work, and goes on.
    DeclaredPanic,
    /// Asks another probe something it ignores, with this limit.
    AskOther(Address<Told>, Duration),
    /// Notes a number later.
    Later(Duration, u64),
    /// Notes a number again and again.
    Every(Duration, u64),
    PanicInTask,
    /// Takes this long, then notes a number.
    Sleep(Duration, u64),
    /// Says that it is ready.
    Ready,
    /// Tells itself to note a number.
    Itself(u64),
    Done,
    /// Makes a dynamic child.
    Spawn(u64, Box<ChildSpec>, Reply<Result<(), SpawnError>>),
    StopChild(u64),
    Count(Reply<usize>),
}

impl Message for Told {
    fn name(&self) -> &'static str {
        match self {
            Told::Note(_) | Told::Urgent(_) | Told::Bulk(_) => "Note",
            Told::Ask(_) => "Ask",
            Told::Panic | Told::PanicAsked(_) => "Panic",
            Told::Sleep(..) => "Sleep",
            Told::Fail => "Fail",
            Told::Hang => "Hang",
            Told::Block(_) => "Block",
            _ => "Other",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Told::Urgent(_) => Lane::Urgent,
            Told::Bulk(_) => Lane::Bulk,
            _ => Lane::Normal,
        }
    }
}

/// What probes did, in order.
#[derive(Clone, Default)]
pub struct Record(Arc<Mutex<Vec<String>>>);

impl Record {
    pub fn add(&self, line: String) {
        self.0.lock().push(line);
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    /// The lines that contain `part`.
    pub fn with(&self, part: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.contains(part)).collect()
    }
}

pub struct Probe {
    name: String,
    incarnation: Incarnation,
    record: Record,
    kept: Vec<Reply<u64>>,
    timers: Vec<Timer>,
    children: Option<Children<u64>>,
    total: u64,
}

impl Probe {
    pub fn new(name: &str, incarnation: Incarnation, record: &Record) -> Self {
        let (name, record) = (name.to_owned(), record.clone());
        Probe { name, incarnation, record, kept: vec![], timers: vec![], children: None, total: 0 }
    }

    fn note(&mut self, number: u64) {
        self.total += 1;
        self.record.add(format!("{} {} note {number}", self.name, self.incarnation));
    }
}

impl Actor for Probe {
    type Message = Told;

    async fn started(&mut self, context: &mut Context<Told>) -> Result<(), Fault> {
        self.children = Some(context.children(100_000));
        self.record.add(format!("{} started", self.name));
        Ok(())
    }

    async fn handle(&mut self, told: Told, context: &mut Context<Told>) -> Result<(), Fault> {
        match told {
            Told::Note(n) | Told::Urgent(n) | Told::Bulk(n) => self.note(n),
            Told::Ask(reply) => answer(reply, self.total),
            Told::Ignore(reply) => self.kept.push(reply),
            Told::Panic => panic!("told to panic"),
            Told::PanicAsked(_reply) => panic!("told to panic"),
            Told::Fail => return Err(Fault::new("told to fail")),
            Told::Hang => std::future::pending().await,
            Told::Block(time) => {
                std::thread::sleep(time);
                self.note(999);
            }
            Told::Declared(time, limit) => {
                context.blocking(limit, "declared", || std::thread::sleep(time)).await?;
                self.note(999);
            }
            Told::DeclaredPanic => {
                let outcome: Result<(), BlockingError> = context.blocking(SOON, "declared", || panic!("told to panic")).await;
                self.record.add(format!("{} {}", self.name, outcome.unwrap_err()));
            }
            Told::AskOther(other, limit) => {
                let got = other.ask(limit, Told::Ignore).await;
                self.record.add(format!("{} asked {got:?}", self.name));
            }
            Told::Later(delay, n) => self.timers.push(context.after(delay, Told::Note(n))),
            Told::Every(period, n) => self.timers.push(context.every(period, move || Told::Note(n))),
            Told::PanicInTask => drop(context.task("doomed", async { panic!("task panic") })),
            Told::Sleep(time, n) => {
                tokio::time::sleep(time).await;
                self.note(n);
            }
            Told::Ready => context.ready(),
            Told::Itself(n) => drop(context.address().try_send(Told::Note(n))),
            Told::Done => context.done(),
            Told::Spawn(key, spec, reply) => answer(reply, self.children.as_ref().unwrap().spawn(key, *spec)),
            Told::StopChild(key) => drop(self.children.as_ref().unwrap().stop(&key)),
            Told::Count(reply) => answer(reply, self.children.as_ref().unwrap().len()),
        }
        Ok(())
    }

    async fn stopping(&mut self, _: &mut Context<Told>) {
        self.record.add(format!("{} stopping", self.name));
    }
}

/// A probe child with its address.
pub fn probe(name: &'static str, record: &Record) -> (Address<Told>, ChildSpec) {
    let address = Address::new(name, MailboxLimits::each(2000));
    (address.clone(), spec(name, address, record))
}

pub fn spec(name: &'static str, address: Address<Told>, record: &Record) -> ChildSpec {
    let record = record.clone();
    ChildSpec::new(name, address, move |incarnation| {
        let probe = Probe::new(name, incarnation, &record);
        async move { Ok(probe) }
    })
}

pub fn config() -> Config {
    Config { chaos: true, tick: Duration::from_millis(20), ..Config::new(NoopMeterProvider::new().meter("test")) }
}

/// A tree of these children, all ready.
pub async fn run<M: Into<Member>>(specs: Vec<M>) -> Running {
    let running = Tree::build("test", specs, config()).unwrap().start().await;
    running.ready(SOON).await.unwrap();
    running
}

/// The first event for which `wanted` answers, from the beginning of the stream.
pub async fn event<T>(running: &Running, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
    let mut events = running.events().subscribe();
    let search = async {
        loop {
            if let Some(found) = wanted(&events.next().await) {
                return found;
            }
        }
    };
    tokio::time::timeout(SOON, search).await.expect("the event happens")
}

/// Waits until `condition` holds.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
