//! An actor crashes, hangs and falls with what it needs, and comes back each time; the events tell the story.
//!
//! `cargo run --release -p supervision --example heal`

use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry::metrics::noop::NoopMeterProvider;
use supervision::*;

const LIMIT: Duration = Duration::from_secs(5);

enum Told {
    Greet(String, Reply<String>),
    Crash,
    Hang,
}

impl Message for Told {
    fn name(&self) -> &'static str {
        match self {
            Told::Greet(..) => "Greet",
            Told::Crash => "Crash",
            Told::Hang => "Hang",
        }
    }
}

struct Greeter {
    life: Incarnation,
}

impl Actor for Greeter {
    type Message = Told;

    async fn handle(&mut self, told: Told, _: &mut Context<Told>) -> Result<(), Fault> {
        match told {
            Told::Greet(name, reply) => answer(reply, format!("good day, {name} (life {})", self.life)),
            Told::Crash => panic!("a bug"),
            Told::Hang => std::future::pending().await,
        }
        Ok(())
    }
}

fn greeter(name: &str) -> (Address<Told>, ChildSpec) {
    let address = Address::new(name, MailboxLimits::each(64));
    let spec = ChildSpec::new(name, address.clone(), |life| async move { Ok(Greeter { life }) }).hang_limit(Duration::from_millis(200));
    (address, spec)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The hook keeps the place of a panic for the exit reason, and prints nothing.
    std::panic::set_hook(Box::new(note_panic));
    let ((database, database_spec), (shop, shop_spec)) = (greeter("database"), greeter("shop"));
    let config = Config::new(NoopMeterProvider::new().meter("heal"));
    let running = Tree::build("heal", [database_spec, shop_spec.needs(&["database"])], config)?.start().await;
    running.ready(LIMIT).await?;

    println!("{}", shop.ask(LIMIT, |reply| Told::Greet("Ada".into(), reply)).await?);
    for trouble in [Told::Crash, Told::Hang] {
        database.send(trouble, LIMIT).await?;
        // Asked while it is down: the question waits in the mailbox and is answered by the next life.
        println!("{}", shop.ask(LIMIT, |reply| Told::Greet("Ada".into(), reply)).await?);
        println!("{}", database.ask(LIMIT, |reply| Told::Greet("Ada".into(), reply)).await?);
    }
    running.ready(LIMIT).await?;
    for Event { at_ms, child, incarnation, kind, .. } in running.events().recent() {
        println!("{at_ms:>5} ms  {child:<9} life {incarnation}  {kind}");
    }
    let report = running.stop("the example is over").await;
    println!("stopped in {} ms, in order: {}", report.took_ms, report.children.iter().map(|line| line.child.as_str()).collect::<Vec<_>>().join(", "));
    Ok(())
}
