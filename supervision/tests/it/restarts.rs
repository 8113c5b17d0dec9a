use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use supervision::*;

use crate::probe::*;

#[tokio::test(start_paused = true)]
async fn a_crash_loop_backs_off_then_escalates_once_and_leaves_its_siblings_alone() {
    let record = Record::default();
    let ((a, a_spec), (b, b_spec)) = (probe("a", &record), probe("b", &record));
    let budget = Budget { restarts: 9, window: Duration::from_secs(600) };
    for _ in 0..20 {
        a.try_send(Told::Panic).unwrap();
    }
    let tree = Tree::build("test", vec![a_spec.budget(budget), b_spec], config()).unwrap();
    let running = tree.start().await;

    let escalation = tokio::time::timeout(Duration::from_secs(600), running.ended()).await.unwrap();
    assert_eq!((escalation.child.as_str(), escalation.exit_code), ("a", EXIT_ESCALATED));
    assert!(escalation.reason.contains("10 times in a row"), "{}", escalation.reason);

    let events = running.events().recent();
    let delays: Vec<u64> = events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::BackingOff { delay_ms } => Some(delay_ms),
            _ => None,
        })
        .collect();
    let nominal = [0u64, 100, 200, 400, 800, 1600, 3200, 6400, 10_000];
    assert_eq!(delays.len(), nominal.len());
    for (delay, nominal) in delays.iter().zip(nominal) {
        assert!((nominal * 3 / 4..=nominal * 5 / 4).contains(delay), "{delay} is not about {nominal}");
    }
    assert_eq!(events.iter().filter(|event| matches!(event.kind, EventKind::Escalated { .. })).count(), 1);
    assert_eq!(b.ask(SOON, Told::Ask).await, Ok(0));
    let snapshot = running.snapshot();
    assert_eq!(snapshot.child("a").unwrap().state, ChildState::Failed);
    assert_eq!(snapshot.child("b").unwrap().incarnation, 1);
    assert_eq!(a.ask(ms(1), Told::Ask).await, Err(AskError::Stopped));
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn an_error_is_not_a_panic() {
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec]).await;
    address.try_send(Told::Fail).unwrap();
    address.try_send(Told::Panic).unwrap();
    let mut reasons = Vec::new();
    event(&running, |event| {
        if let EventKind::Exited { reason } = &event.kind {
            reasons.push(reason.clone());
        }
        (reasons.len() == 2).then_some(())
    })
    .await;
    assert!(matches!(&reasons[0], ExitReason::Fault { error, during, .. } if error == "told to fail" && during == "Fail"));
    assert!(matches!(&reasons[1], ExitReason::Panic { message, during, .. } if message == "told to panic" && during == "Panic"));
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_panics_or_stays_silent_is_tried_again() {
    let address = Address::<Told>::new("a", MailboxLimits::each(10));
    let attempts = Arc::new(AtomicU64::new(0));
    let counter = attempts.clone();
    let spec = ChildSpec::new("a", address.clone(), move |incarnation| {
        let attempt = counter.fetch_add(1, SeqCst);
        async move {
            match attempt {
                0 => Err(Fault::new("not yet")),
                1 => panic!("not at all"),
                2 => std::future::pending().await,
                _ => Ok(Probe::new("a", incarnation, &Record::default())),
            }
        }
    });
    let running = run(vec![spec.start_limit(ms(500))]).await;
    assert_eq!(attempts.load(SeqCst), 4);
    let exits: Vec<String> = running
        .events()
        .recent()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::Exited { reason } => Some(reason.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!((exits.len(), exits[0].as_str(), exits[2].as_str()), (3, "start failed: not yet", "not ready within 500 ms"));
    assert!(exits[1].starts_with("start failed: panic: not at all"), "{exits:?}");
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn a_timer_of_a_dead_incarnation_never_fires() {
    let record = Record::default();
    let (address, spec) = probe("a", &record);
    let running = run(vec![spec]).await;
    address.try_send(Told::Later(ms(50), 1)).unwrap();
    address.try_send(Told::Panic).unwrap();
    address.try_send(Told::Later(ms(100), 2)).unwrap();
    eventually("the living timer fires", || !record.with("note").is_empty()).await;
    assert_eq!(record.with("note"), ["a 2 note 2"]);
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn a_periodic_timer_goes_on_and_needs_no_room() {
    let record = Record::default();
    let address = Address::new("a", MailboxLimits::each(1));
    let running = run(vec![spec("a", address.clone(), &record)]).await;
    address.try_send(Told::Every(ms(10), 7)).unwrap();
    eventually("three ticks", || record.with("note 7").len() >= 3).await;
    assert_eq!(address.depth(), 0);
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn a_task_that_panics_is_an_event_and_the_actor_lives_on() {
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec]).await;
    address.try_send(Told::PanicInTask).unwrap();
    let (task, message) = event(&running, |event| match &event.kind {
        EventKind::TaskPanicked { task, message, .. } => Some((task.clone(), message.clone())),
        _ => None,
    })
    .await;
    assert_eq!((task.as_str(), message.as_str()), ("doomed", "task panic"));
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    assert_eq!(running.snapshot().child("a").unwrap().incarnation, 1);
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn who_is_done_comes_back_only_if_permanent() {
    let record = Record::default();
    let (permanent, p) = probe("permanent", &record);
    let (transient, t) = probe("transient", &record);
    let running = run(vec![p, t.restart(Restart::Transient)]).await;
    for address in [&permanent, &transient] {
        address.try_send(Told::Done).unwrap();
    }
    eventually("the transient one has ended", || running.snapshot().child("transient").unwrap().state == ChildState::Stopped).await;
    assert_eq!(permanent.ask(SOON, Told::Ask).await, Ok(0));
    eventually("the permanent one is back", || running.snapshot().child("permanent").unwrap().incarnation == 2).await;
    assert_eq!(transient.ask(SOON, Told::Ask).await, Err(AskError::Stopped));
    let _ = running.stop("test").await;
}
