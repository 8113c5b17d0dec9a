//! A thousand sessions under one parent, by key: half of them crash, all of them are there again, and one is ended.
//!
//! `cargo run --release -p supervision --example sessions`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use opentelemetry::metrics::MeterProvider;
use opentelemetry::metrics::noop::NoopMeterProvider;
use supervision::*;

const LIMIT: Duration = Duration::from_secs(5);
const SESSIONS: u64 = 1000;

struct Session;

enum ToSession {
    Crash,
    Hello(Reply<()>),
}

impl Message for ToSession {
    fn name(&self) -> &'static str {
        match self {
            ToSession::Crash => "Crash",
            ToSession::Hello(_) => "Hello",
        }
    }
}

impl Actor for Session {
    type Message = ToSession;

    async fn handle(&mut self, told: ToSession, _: &mut Context<ToSession>) -> Result<(), Fault> {
        match told {
            ToSession::Crash => panic!("a bug in a session"),
            ToSession::Hello(reply) => answer(reply, ()),
        }
        Ok(())
    }
}

/// Keeps the sessions. They end with it.
#[derive(Default)]
struct Hotel {
    rooms: Option<Children<u64>>,
}

enum ToHotel {
    CheckIn(u64, Address<ToSession>, Reply<Result<(), SpawnError>>),
    CheckOut(u64),
    Guests(Reply<usize>),
}

impl Message for ToHotel {
    fn name(&self) -> &'static str {
        match self {
            ToHotel::CheckIn(..) => "CheckIn",
            ToHotel::CheckOut(_) => "CheckOut",
            ToHotel::Guests(_) => "Guests",
        }
    }
}

impl Actor for Hotel {
    type Message = ToHotel;

    async fn handle(&mut self, told: ToHotel, context: &mut Context<ToHotel>) -> Result<(), Fault> {
        let rooms = self.rooms.get_or_insert_with(|| context.children(SESSIONS as usize));
        match told {
            ToHotel::CheckIn(key, address, reply) => {
                let spec = ChildSpec::new("session", address, |_| async { Ok(Session) });
                answer(reply, rooms.spawn(key, spec));
            }
            ToHotel::CheckOut(key) => drop(rooms.stop(&key)),
            ToHotel::Guests(reply) => answer(reply, rooms.len()),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    std::panic::set_hook(Box::new(note_panic));
    let hotel = Address::new("hotel", MailboxLimits::each(2048));
    let spec = ChildSpec::new("hotel", hotel.clone(), |_| async { Ok(Hotel::default()) });
    let config = Config::new(NoopMeterProvider::new().meter("sessions"));
    let running = Tree::build("sessions", [spec], config)?.start().await;

    let mut guests = BTreeMap::new();
    for key in 0..SESSIONS {
        let address = Address::new("session", MailboxLimits::each(8));
        hotel.ask(LIMIT, |reply| ToHotel::CheckIn(key, address.clone(), reply)).await??;
        guests.insert(key, address);
    }
    let began = Instant::now();
    for guest in guests.values().step_by(2) {
        guest.send(ToSession::Crash, LIMIT).await?;
    }
    for guest in guests.values() {
        guest.ask(LIMIT, ToSession::Hello).await?;
    }
    println!("{} of {SESSIONS} sessions crashed and all answer again after {:?}", SESSIONS / 2, began.elapsed());

    hotel.send(ToHotel::CheckOut(7), LIMIT).await?;
    while guests[&7].ask(LIMIT, ToSession::Hello).await != Err(AskError::Stopped) {}
    println!("guests now: {}", hotel.ask(LIMIT, ToHotel::Guests).await?);
    let report = running.stop("the example is over").await;
    println!("{} actors stopped in {} ms", report.children.len(), report.took_ms);
    Ok(())
}
