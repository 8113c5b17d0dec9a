//! Ten thousand children in real time: a binary of its own, so that nobody else is measured against a busy machine.
#![allow(clippy::unwrap_used)]

#[path = "it/probe.rs"]
mod probe;

use probe::*;
use supervision::*;

/// Real time, with limits ten times what the benchmark asks for: a test says that it works, the benchmark how fast.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_children_that_crash_at_once_all_come_back_and_snapshots_answer_meanwhile() {
    const MANY: u64 = 10_000;
    let record = Record::default();
    let (parent, parent_spec) = probe("parent", &record);
    let running = run(vec![parent_spec]).await;
    let children: Vec<_> = (0..MANY).map(|_| Address::new("child", MailboxLimits::each(4))).collect();
    for (key, child) in children.iter().enumerate() {
        let child = Box::new(spec("child", child.clone(), &Record::default()));
        parent.ask(SOON, |reply| Told::Spawn(key as u64, child, reply)).await.unwrap().unwrap();
    }
    for child in &children {
        assert_eq!(child.ask(SOON, Told::Ask).await, Ok(0));
    }
    let began = std::time::Instant::now();
    for child in &children {
        child.try_send(Told::Panic).unwrap();
    }
    let snapshots = running.snapshots();
    let looking = tokio::task::spawn_blocking(move || {
        let began = std::time::Instant::now();
        let snapshot = snapshots.take();
        (snapshot.children.len() as u64, began.elapsed())
    });
    for child in &children {
        assert_eq!(child.ask(SOON, Told::Ask).await, Ok(0));
    }
    assert!(began.elapsed() < ms(10_000), "{:?}", began.elapsed());
    let (seen, took) = looking.await.unwrap();
    assert_eq!(seen, MANY + 1);
    assert!(took < ms(500), "{took:?}");
    let restarts: u64 = running.snapshot().children.iter().map(|child| child.restarts).sum();
    assert_eq!(restarts, MANY);
    assert!(running.stop("test").await.in_order);
}
