//! Panics at odd moments, and slow starts.

use supervision::*;

use crate::probe::*;

/// Breaks where it is told to.
struct Fragile {
    record: Record,
    breaks: &'static str,
    incarnation: Incarnation,
}

impl Fragile {
    fn at(&self, place: &str) {
        self.record.add(format!("{} {place}", self.incarnation));
        // Only the first life breaks.
        if self.breaks == place && self.incarnation == Incarnation(1) {
            panic!("broken in {place}");
        }
    }
}

impl Actor for Fragile {
    type Message = Told;

    async fn started(&mut self, context: &mut Context<Told>) -> Result<(), Fault> {
        self.at("started");
        if self.breaks == "task" {
            context.task("doomed", async { panic!("broken in task") });
        }
        Ok(())
    }

    async fn handle(&mut self, told: Told, _: &mut Context<Told>) -> Result<(), Fault> {
        self.at("handle");
        if let Told::Ask(reply) = told {
            answer(reply, self.incarnation.0);
        }
        Ok(())
    }

    async fn stopping(&mut self, _: &mut Context<Told>) {
        self.at("stopping");
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.at("drop");
        }
    }
}

async fn fragile(breaks: &'static str) -> (Address<Told>, Record, Running) {
    let (record, address) = (Record::default(), Address::new("a", MailboxLimits::each(8)));
    let kept = record.clone();
    let make = move |incarnation| {
        let record = kept.clone();
        async move { Ok(Fragile { record, breaks, incarnation }) }
    };
    let running = run(vec![ChildSpec::new("a", address.clone(), make)]).await;
    (address, record, running)
}

#[tokio::test(start_paused = true)]
async fn a_panic_at_any_moment_of_a_life_costs_that_life_alone() {
    for (breaks, lives) in [("started", 2), ("handle", 2), ("task", 1), ("nowhere", 1)] {
        let (address, _, running) = fragile(breaks).await;
        let _ = address.ask(SOON, Told::Ask).await;
        assert_eq!(address.ask(SOON, Told::Ask).await, Ok(lives), "{breaks}");
        assert!(running.stop("test").await.is_clean(), "{breaks}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_stopping_is_named_in_the_report_and_holds_nobody_up() {
    let (_, record, running) = fragile("stopping").await;
    let report = running.stop("test").await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.children[0].exit.as_deref(), Some("panic in stopping: broken in stopping"));
    assert_eq!(record.lines(), ["1 started", "1 stopping", "1 drop"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_dropping_harms_nobody() {
    let (address, _, running) = fragile("drop").await;
    running.controls().restart("a", "a test").await.unwrap();
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(2));
    let (_, _, other) = fragile("drop").await;
    assert!(other.stop("test").await.is_clean());
    assert!(running.stop("test").await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_slow_start_delays_nobody_who_does_not_wait_for_it() {
    let record = Record::default();
    let (slow, _) = probe("slow", &record);
    let make = |_| async {
        tokio::time::sleep(ms(5000)).await;
        Err::<Probe, _>(Fault::new("too late"))
    };
    let slow = ChildSpec::new("slow", slow, make);
    let ((b, b_spec), (_, c_spec)) = (probe("b", &record), probe("c", &record));
    let running = Tree::build("test", [slow, b_spec, c_spec.needs(&["slow"])], config()).unwrap().start().await;
    assert_eq!(b.ask(ms(10), Told::Ask).await, Ok(0));
    b.try_send(Told::Panic).unwrap();
    assert_eq!(b.ask(ms(10), Told::Ask).await, Ok(0), "nor is a restart delayed");
    assert_eq!(record.with("c started").len(), 0);
    assert!(running.stop("test").await.took_ms < 50);
}
