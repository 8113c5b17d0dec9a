//! The actor that is measured: it counts, and breaks when told to.

use std::time::Duration;

use opentelemetry::metrics::noop::NoopMeterProvider;
use opentelemetry::metrics::{Meter, MeterProvider};
use supervision::*;

/// Longer than anything here takes.
pub const LIMIT: Duration = Duration::from_secs(60);

/// What a handler may take, where a hang is measured.
pub const HANG_LIMIT: Duration = Duration::from_millis(100);

pub enum Told {
    Count,
    Get(Reply<u64>),
    Panic,
    Hang,
    /// Makes a dynamic child of this key behind this address.
    Spawn(u64, Address<Told>),
}

impl Message for Told {
    fn name(&self) -> &'static str {
        match self {
            Told::Count => "Count",
            Told::Get(_) => "Get",
            Told::Panic => "Panic",
            Told::Hang => "Hang",
            Told::Spawn(..) => "Spawn",
        }
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
                let children = self.children.get_or_insert_with(|| context.children(usize::MAX));
                children.spawn(key, spec("child", &address))?;
            }
        }
        Ok(())
    }
}

/// A counter that may crash as often as it likes and is always restarted at once.
pub fn spec(name: &str, address: &Address<Told>) -> ChildSpec {
    let unlimited = Budget { restarts: usize::MAX, window: Duration::from_secs(1) };
    let at_once = Backoff { stable_after: Duration::ZERO, ..Backoff::default() };
    let children_too = GroupBudget { restarts: usize::MAX, per_child: 0, window: Duration::from_secs(1) };
    let make = |_| async { Ok(Counter::default()) };
    ChildSpec::new(name, address.clone(), make).budget(unlimited).children_budget(children_too).backoff(at_once)
}

pub fn address(name: &str) -> Address<Told> {
    Address::new(name, MailboxLimits::each(4096))
}

/// A meter that records nothing.
pub fn no_meter() -> Meter {
    NoopMeterProvider::new().meter("figures")
}

pub async fn run<M: Into<Member>>(members: impl IntoIterator<Item = M>, meter: Meter) -> anyhow::Result<Running> {
    let running = Tree::build("figures", members, Config::new(meter))?.start().await;
    running.ready(LIMIT).await?;
    Ok(running)
}
