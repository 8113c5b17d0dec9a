use supervision::*;

use crate::probe::*;

#[tokio::test]
async fn what_waits_is_handled_before_the_stop() {
    let record = Record::default();
    let (address, spec) = probe("a", &record);
    let running = run(vec![spec]).await;
    for n in 0..500 {
        address.try_send(Told::Note(n)).unwrap();
    }
    let report = running.stop("test").await;
    assert_eq!(record.with("note").len(), 500);
    assert_eq!(record.lines().last().map(String::as_str), Some("a stopping"));
    assert_eq!(report.children[0].dead_letters, 0);
    assert_eq!(report.cause, "test");
}

#[tokio::test(start_paused = true)]
async fn who_stops_late_is_named_and_killed_and_the_rest_goes_on() {
    let record = Record::default();
    let ((_, a_spec), (b, b_spec)) = (probe("a", &record), probe("b", &record));
    let running = run(vec![a_spec, b_spec.after(&["a"]).stop_limit(ms(100))]).await;
    b.try_send(Told::Hang).unwrap();
    b.try_send(Told::Note(1)).unwrap();
    let report = running.stop("test").await;
    assert_eq!(report.late().collect::<Vec<_>>(), ["b"]);
    let b = &report.children[0];
    assert!((100..=200).contains(&b.took_ms), "{b:?}");
    assert_eq!((b.dead_letters, b.abandoned), (1, false));
    assert!(!report.children[1].late);
    assert_eq!(record.with("stopping"), ["a stopping"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_blocked_thread_is_abandoned_and_said_so() {
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec.stop_limit(ms(50))]).await;
    address.try_send(Told::Block(ms(2000))).unwrap();
    eventually("it is blocked", || running.snapshot().child("a").unwrap().busy_ms > 0).await;
    let report = running.stop("test").await;
    assert!(report.children[0].late && report.children[0].abandoned, "{report:?}");
    assert!(report.took_ms < 2000);
}

#[tokio::test(start_paused = true)]
async fn who_backs_off_or_waits_does_not_hold_up_a_stop() {
    let record = Record::default();
    let ((a, a_spec), (_, b_spec)) = (probe("a", &record), probe("b", &record));
    let running = run(vec![a_spec, b_spec.needs(&["a"])]).await;
    a.try_send(Told::Panic).unwrap();
    a.try_send(Told::Panic).unwrap();
    eventually("b waits", || running.snapshot().child("b").unwrap().state == ChildState::Waiting).await;
    let report = running.stop("test").await;
    assert!(report.is_clean() && report.took_ms < 50, "{report:?}");
}
