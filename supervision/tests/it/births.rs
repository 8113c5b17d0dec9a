use std::time::Duration;

use supervision::*;

use crate::probe::*;

/// Does something that takes time in `started`.
struct SlowStart {
    record: Record,
    /// Whether timers run beside it.
    ticks: bool,
}

impl Actor for SlowStart {
    type Message = Told;

    async fn started(&mut self, context: &mut Context<Told>) -> Result<(), Fault> {
        if self.ticks {
            context.every(ms(10), || Told::Note(1)).detach();
            context.after(ms(10), Told::Note(2)).detach();
        }
        tokio::time::sleep(ms(50)).await;
        context.blocking(SOON, "open", || {}).await?;
        self.record.add("ready".to_owned());
        Ok(())
    }

    async fn handle(&mut self, told: Told, _: &mut Context<Told>) -> Result<(), Fault> {
        if let Told::Note(n) = told {
            self.record.add(format!("note {n}"));
        }
        Ok(())
    }
}

async fn slow_start(hang_limit: Duration, ticks: bool) -> (Running, Record) {
    let record = Record::default();
    let made_with = record.clone();
    let address = Address::new("a", MailboxLimits::each(4));
    let spec = ChildSpec::new("a", address, move |_| {
        let record = made_with.clone();
        async move { Ok(SlowStart { record, ticks }) }
    });
    (run(vec![spec.hang_limit(hang_limit)]).await, record)
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_fires_before_its_actor_is_ready_waits_for_it() {
    let (running, record) = slow_start(SOON, true).await;
    eventually("both timers were heard", || record.with("note 1").len() > 3 && record.with("note 2").len() == 1).await;
    assert_eq!(record.lines()[0], "ready");
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn declared_work_before_the_first_message_leaves_nobody_busy() {
    let (running, _) = slow_start(ms(100), false).await;
    tokio::time::sleep(ms(1000)).await;
    let child = running.snapshot().child("a").unwrap().clone();
    assert_eq!((child.incarnation, child.hangs, child.busy_ms), (1, 0, 0));
    let _ = running.stop("test").await;
}
