//! A supervisor that panics itself.

use supervision::*;

use crate::probe::*;

fn panic_of_the_supervisor() -> FaultInjection {
    FaultInjection { child: "test".into(), kind: FaultKind::Panic, on: Strike::NextMessage }
}

#[tokio::test(start_paused = true)]
async fn when_the_supervisor_panics_all_are_started_anew_in_order_and_addresses_stay_good() {
    let record = Record::default();
    let [(a, a_spec), (b, b_spec), (c, c_spec)] = ["a", "b", "c"].map(|name| probe(name, &record));
    let running = run(vec![c_spec.needs(&["b"]), a_spec.exclusive(), b_spec.after(&["a"])]).await;
    let child = Box::new(crate::probe::spec("child", Address::new("child", MailboxLimits::each(8)), &record));
    a.ask(SOON, |reply| Told::Spawn(1, child, reply)).await.unwrap().unwrap();
    a.try_send(Told::Sleep(ms(10), 1)).unwrap();
    eventually("it is busy", || running.snapshot().child("a").unwrap().busy_ms > 0).await;
    a.try_send(Told::Note(2)).unwrap();

    running.inject(panic_of_the_supervisor()).unwrap();
    event(&running, |event| matches!(event.kind, EventKind::SupervisorPanicked { .. }).then_some(())).await;
    eventually("all live again", || ["a", "b", "c"].iter().all(|name| running.snapshot().child(name).unwrap().incarnation == 2)).await;
    running.ready(SOON).await.unwrap();

    let started: Vec<String> = record.with("started").into_iter().skip(4).collect();
    assert_eq!(started, ["a started", "b started", "c started"]);
    assert_eq!(record.with("note"), ["a 1 note 1", "a 2 note 2"], "who may not live twice finishes what it has in hand");
    assert_eq!((b.ask(SOON, Told::Ask).await, c.ask(SOON, Told::Ask).await), (Ok(0), Ok(0)));
    assert_eq!(running.snapshot().children.len(), 3, "no orphan is left");
    assert!(running.stop("test").await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_panics_again_and_again_ends_the_tree() {
    let (a, spec) = probe("a", &Record::default());
    let running = run(vec![spec]).await;
    for _ in 0..4 {
        running.inject(panic_of_the_supervisor()).unwrap();
    }
    let escalation = tokio::time::timeout(SOON, running.ended()).await.unwrap();
    assert_eq!((escalation.child.as_str(), escalation.exit_code), ("test", EXIT_ESCALATED));
    assert!(escalation.reason.contains("the supervisor panicked"), "{}", escalation.reason);
    eventually("everybody is gone", || running.snapshot().child("a").unwrap().state.is_over()).await;
    assert_eq!(a.ask(ms(10), Told::Ask).await, Err(AskError::Stopped));
}
