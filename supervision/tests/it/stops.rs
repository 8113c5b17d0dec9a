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
    let running = run(vec![a_spec, b_spec.after(&["a"]).drain_limit(ms(100)).stop_limit(ms(200))]).await;
    b.try_send(Told::Hang).unwrap();
    b.try_send(Told::Note(1)).unwrap();
    let report = running.stop("test").await;
    assert_eq!(report.late().collect::<Vec<_>>(), ["b"]);
    let b = &report.children[0];
    assert!((300..=400).contains(&b.took_ms), "{b:?}");
    assert_eq!((b.undrained, b.late, b.abandoned, b.dead_letters), (true, true, false, 1));
    assert_eq!(b.exit.as_deref(), Some("did not leave within 300 ms and was killed"));
    assert!(!report.children[1].late);
    assert_eq!(record.with("stopping"), ["a stopping"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_blocked_thread_is_abandoned_and_said_so() {
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec.drain_limit(ms(25)).stop_limit(ms(25))]).await;
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

#[tokio::test(start_paused = true)]
async fn what_is_not_drained_in_time_is_left_and_the_goodbye_is_still_said() {
    let record = Record::default();
    let (a, spec) = probe("a", &record);
    let running = run(vec![spec.drain_limit(ms(100)).stop_limit(ms(100))]).await;
    for n in 0..100 {
        a.try_send(Told::Sleep(ms(10), n)).unwrap();
    }
    let report = running.stop("test").await;
    let line = &report.children[0];
    assert_eq!((line.undrained, line.late), (true, false), "{line:?}");
    assert!((80..=95).contains(&line.dead_letters), "{line:?}");
    assert_eq!(record.lines().last().map(String::as_str), Some("a stopping"));
}

#[tokio::test(start_paused = true)]
async fn who_is_starting_does_not_hold_up_a_stop_and_never_runs() {
    let record = Record::default();
    let (a, _) = probe("a", &record);
    let slow = ChildSpec::new("a", a, |_| std::future::pending::<Result<Probe, Fault>>());
    let running = Tree::build("test", [slow], config()).unwrap().start().await;
    eventually("it starts", || running.snapshot().child("a").unwrap().state == ChildState::Starting).await;
    let report = running.stop("test").await;
    assert!(report.is_clean() && report.took_ms < 50, "{report:?}");
    assert_eq!(record.lines(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_leaving_when_the_stop_comes_does_not_come_back() {
    let record = Record::default();
    let (a, spec) = probe("a", &record);
    let running = run(vec![spec]).await;
    a.try_send(Told::Sleep(ms(500), 1)).unwrap();
    eventually("it is busy", || running.snapshot().child("a").unwrap().busy_ms > 0).await;
    running.controls().restart("a", "test").await.unwrap();
    let report = running.stop("test").await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(record.with("started").len(), 1);
}
