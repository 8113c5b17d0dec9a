//! A small supervision tree that really runs, for the pages that show one.

use std::{sync::Arc, time::Duration};

use opentelemetry::metrics::MeterProvider;
use supervision::{
    Actor, Address, ChildSpec, Children, Config, Context, Fault, FaultInjection, FaultKind, MailboxLimits, Message, Running, Strike,
    Tree as Supervised,
};

/// Events that late readers can catch up with.
pub const KEPT: usize = 64;

/// `storage`, and `p2p` with one session.
#[derive(Clone)]
pub struct Tree(pub Arc<Running>);

struct Nothing;

impl Message for Nothing {
    fn name(&self) -> &'static str {
        "Nothing"
    }
}

struct Idle;

impl Actor for Idle {
    type Message = Nothing;

    async fn handle(&mut self, _: Nothing, _: &mut Context<Nothing>) -> Result<(), Fault> {
        Ok(())
    }
}

#[derive(Default)]
struct Owner(Option<Children<&'static str>>);

impl Actor for Owner {
    type Message = Nothing;

    async fn started(&mut self, context: &mut Context<Nothing>) -> Result<(), Fault> {
        let children = context.children(1);
        children.spawn("ab/c", spec("session"))?;
        self.0 = Some(children);
        Ok(())
    }

    async fn handle(&mut self, _: Nothing, _: &mut Context<Nothing>) -> Result<(), Fault> {
        Ok(())
    }
}

fn spec(name: &'static str) -> ChildSpec {
    ChildSpec::new(name, Address::new(name, MailboxLimits::each(4)), |_| async { Ok(Idle) })
}

impl Tree {
    pub async fn start() -> Self {
        let owner = ChildSpec::new("p2p", Address::new("p2p", MailboxLimits::each(4)), |_| async { Ok(Owner::default()) });
        let meter = opentelemetry_sdk::metrics::SdkMeterProvider::default().meter("test");
        let config = Config { chaos: true, events: KEPT, ..Config::new(meter) };
        let running = Supervised::build("node", vec![spec("storage"), owner], config).unwrap().start().await;
        running.ready(Duration::from_secs(20)).await.unwrap();
        // The session is no static child: it is there when it is ready.
        let mut events = running.events().subscribe();
        while events.next().await.child != "p2p.session/ab/c" {}
        while running.snapshot().child("p2p.session/ab/c").unwrap().state != supervision::ChildState::Running {
            tokio::task::yield_now().await;
        }
        Self(Arc::new(running))
    }

    /// One more event of `child`, of the kind `injected`, that holds `text`.
    pub fn happens(&self, child: &str, text: &str) {
        let faults = self.0.faults();
        faults.inject(FaultInjection { child: child.to_owned(), kind: FaultKind::Error, on: Strike::Named(text.to_owned()) }).unwrap();
        assert!(faults.clear(child));
    }

    /// The sequence of the last event.
    pub fn latest(&self) -> u64 {
        self.0.events().latest()
    }
}
