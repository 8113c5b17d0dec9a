use std::time::{Duration, Instant};

use supervision::*;

use crate::probe::*;

const LIMIT: Duration = Duration::from_millis(200);

fn hung_after(running: &Running) -> impl Future<Output = u64> {
    event(running, |event| match &event.kind {
        EventKind::Hung { busy_ms, .. } => Some(*busy_ms),
        _ => None,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_awaits_for_ever_is_replaced() {
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec.hang_limit(LIMIT)]).await;
    address.try_send(Told::Hang).unwrap();
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    assert!(hung_after(&running).await >= 200);
    assert_eq!(running.snapshot().child("a").unwrap().hangs, 1);
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn a_hang_is_found_within_its_limit_and_a_tick_or_two() {
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec.hang_limit(LIMIT)]).await;
    address.try_send(Told::Hang).unwrap();
    let busy_ms = hung_after(&running).await;
    assert!((200..=240).contains(&busy_ms), "{busy_ms}");
    let _ = running.stop("test").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replaced_incarnation_that_wakes_up_handles_nothing_more() {
    let record = Record::default();
    let (address, spec) = probe("a", &record);
    let running = run(vec![spec.hang_limit(LIMIT)]).await;
    let blocked = Duration::from_millis(1500);
    let began = Instant::now();
    address.try_send(Told::Block(blocked)).unwrap();
    for n in 0..100 {
        address.send(Told::Note(n), SOON).await.unwrap();
    }
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(100));
    assert!(began.elapsed() < blocked, "the replacement did not wait for the blocked thread");
    eventually("the old one woke up", || !record.with("note 999").is_empty()).await;
    event(&running, |event| (event.kind == EventKind::AbandonedGone).then_some(())).await;
    for n in 100..200 {
        address.send(Told::Note(n), SOON).await.unwrap();
    }
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(200));
    // It could finish the line it was in, and nothing else.
    assert_eq!(record.with("a 1 note"), ["a 1 note 999"]);
    let _ = running.stop("test").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn declared_work_of_a_replaced_incarnation_does_not_return() {
    let record = Record::default();
    let (address, spec) = probe("a", &record);
    let running = run(vec![spec.hang_limit(LIMIT)]).await;
    address.try_send(Told::Declared(ms(900), ms(300))).unwrap();
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    assert!(hung_after(&running).await >= 300, "the declared limit counts");
    event(&running, |event| (event.kind == EventKind::AbandonedGone).then_some(())).await;
    assert!(record.with("note 999").is_empty());
    let _ = running.stop("test").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn declared_work_within_its_limit_is_no_hang() {
    let record = Record::default();
    let (address, spec) = probe("a", &record);
    let running = run(vec![spec.hang_limit(LIMIT)]).await;
    address.try_send(Told::Declared(ms(500), SOON)).unwrap();
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(1));
    assert_eq!(running.snapshot().child("a").unwrap().incarnation, 1);
    let _ = running.stop("test").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_exclusive_child_that_is_stuck_escalates_and_never_has_a_second_incarnation() {
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec.hang_limit(LIMIT).exclusive()]).await;
    address.try_send(Told::Block(ms(800))).unwrap();
    let escalation = tokio::time::timeout(SOON, running.ended()).await.unwrap();
    assert_eq!((escalation.child.as_str(), escalation.exit_code), ("a", EXIT_ESCALATED));
    assert!(escalation.reason.contains("exclusive"), "{}", escalation.reason);
    event(&running, |event| (event.kind == EventKind::AbandonedGone).then_some(())).await;
    let child = running.snapshot().child("a").unwrap().clone();
    assert_eq!((child.incarnation, child.state), (1, ChildState::Failed));
    let fence = running.fence("a").unwrap();
    assert!(!fence.is_current(Incarnation(1)));
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_another_is_not_hung() {
    let record = Record::default();
    let ((a, a_spec), (b, b_spec)) = (probe("a", &record), probe("b", &record));
    let running = run(vec![a_spec.hang_limit(LIMIT), b_spec.hang_limit(LIMIT)]).await;
    a.try_send(Told::AskOther(b, LIMIT * 10)).unwrap();
    assert_eq!(a.ask(SOON, Told::Ask).await, Ok(0));
    assert_eq!(record.with("asked"), ["a asked Err(Deadline)"]);
    assert_eq!(running.snapshot().child("a").unwrap().incarnation, 1);
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn who_is_idle_for_long_is_pinged_and_left_alone() {
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec.hang_limit(LIMIT)]).await;
    tokio::time::sleep(LIMIT * 50).await;
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    assert_eq!(running.snapshot().child("a").unwrap().incarnation, 1);
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn a_late_supervisor_condemns_nobody() {
    let record = Record::default();
    let (address, spec) = probe("a", &record);
    let tree = Tree::build("test", vec![spec.hang_limit(ms(400))], Config { tick: ms(100), ..config() }).unwrap();
    let running = tree.start().await;
    running.ready(SOON).await.unwrap();
    // The work outlasts the standstill by a little, so that whoever looks right after it still sees it going on.
    let delay = FaultKind::Delay { ms: 1050 };
    running.inject(FaultInjection { child: "a".into(), kind: delay, on: Strike::NextMessage }).unwrap();
    address.try_send(Told::Note(1)).unwrap();
    eventually("it is at it", || running.snapshot().child("a").unwrap().busy_ms > 0).await;
    // The whole runtime stands still for longer than the limit: not the actor's fault.
    std::thread::sleep(ms(1000));
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(1));
    assert_eq!(record.with("note"), ["a 1 note 1"]);
    assert_eq!(running.snapshot().child("a").unwrap().hangs, 0);
    let _ = running.stop("test").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn declared_work_is_slow_after_two_seconds_and_hung_at_its_limit() {
    let record = Record::default();
    let (address, spec) = probe("a", &record);
    let running = run(vec![spec.hang_limit(LIMIT)]).await;
    address.try_send(Told::Declared(ms(3000), ms(2600))).unwrap();
    eventually("it is called slow", || running.snapshot().child("a").unwrap().slow).await;
    let child = running.snapshot().child("a").unwrap().clone();
    assert_eq!((child.busy_with.as_deref(), child.hangs, child.incarnation), (Some("declared"), 0, 1));
    assert!(child.busy_ms >= 2000);
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    let exit = running.snapshot().child("a").unwrap().last_exit.clone().unwrap();
    assert!(exit.starts_with("hung in declared for ") && exit.ends_with("(limit 2600 ms)"), "{exit}");
    let _ = running.stop("test").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn declared_work_of_an_exclusive_child_beyond_its_limit_escalates() {
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec.hang_limit(LIMIT).exclusive()]).await;
    address.try_send(Told::Declared(ms(900), ms(300))).unwrap();
    let escalation = tokio::time::timeout(SOON, running.ended()).await.unwrap();
    assert!(escalation.reason.starts_with("an exclusive actor is stuck: hung in declared"), "{}", escalation.reason);
    event(&running, |event| (event.kind == EventKind::AbandonedGone).then_some(())).await;
    assert_eq!(running.snapshot().child("a").unwrap().incarnation, 1);
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn declared_work_that_panics_is_an_error_and_the_actor_lives_on() {
    let record = Record::default();
    let (address, spec) = probe("a", &record);
    let running = run(vec![spec]).await;
    address.try_send(Told::DeclaredPanic).unwrap();
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    let told = record.with("declared");
    assert!(told[0].starts_with("a declared panicked: told to panic"), "{told:?}");
    assert_eq!(running.snapshot().child("a").unwrap().incarnation, 1);
    let _ = running.stop("test").await;
}
