//! Those that say themselves when they are ready, and what moves while they run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use supervision::*;

use crate::probe::*;

fn state(running: &Running, name: &str) -> ChildState {
    running.snapshot().child(name).unwrap().state
}

#[tokio::test(start_paused = true)]
async fn those_that_need_it_wait_until_it_says_that_it_is_ready() {
    let record = Record::default();
    let ((a, a_spec), (_, b_spec)) = (probe("a", &record), probe("b", &record));
    let tree = Tree::build("test", [a_spec.says_when_ready(SOON), b_spec.needs(&["a"])], config()).unwrap();
    let running = tree.start().await;
    assert_eq!(a.ask(SOON, Told::Ask).await, Ok(0), "it handles messages while it recovers");
    assert_eq!((state(&running, "a"), state(&running, "b")), (ChildState::Recovering, ChildState::Waiting));
    a.try_send(Told::Ready).unwrap();
    running.ready(SOON).await.unwrap();
    assert_eq!((state(&running, "a"), state(&running, "b")), (ChildState::Running, ChildState::Running));

    a.try_send(Told::Panic).unwrap();
    eventually("it recovers again", || state(&running, "a") == ChildState::Recovering).await;
    eventually("b is down", || state(&running, "b") == ChildState::Waiting).await;
    a.try_send(Told::Ready).unwrap();
    running.ready(SOON).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_does_not_get_ready_in_time_is_started_again() {
    let record = Record::default();
    let (a, spec) = probe("a", &record);
    let running = Tree::build("test", [spec.says_when_ready(ms(500))], config()).unwrap().start().await;
    let at = event(&running, |event| match &event.kind {
        EventKind::Exited { reason: ExitReason::ReadyLate { limit_ms: 500 } } => Some(event.at_ms),
        _ => None,
    });
    assert!((500..560).contains(&at.await));
    a.try_send(Told::Ready).unwrap();
    running.ready(SOON).await.unwrap();
    assert_eq!(running.snapshot().child("a").unwrap().incarnation, 2);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_move_is_told_once_and_restarts_nobody() {
    let height = Arc::new(AtomicU64::new(0));
    let read = height.clone();
    let (_, spec) = probe("a", &Record::default());
    let running = run(vec![spec.probe("height", ms(1000), move || Some(read.load(SeqCst)))]).await;
    tokio::time::sleep(ms(5000)).await;
    height.store(1, SeqCst);
    event(&running, |event| matches!(event.kind, EventKind::MovesAgain { .. }).then_some(())).await;
    let stalls = running.events().recent().into_iter().filter(|event| matches!(event.kind, EventKind::Stalled { .. }));
    assert_eq!(stalls.count(), 1);
    let child = running.snapshot().child("a").unwrap().clone();
    assert_eq!((child.incarnation, child.probes[0].value, child.probes[0].stalled), (1, Some(1), false));
}
