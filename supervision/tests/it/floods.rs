use supervision::*;

use crate::job::*;
use crate::probe::*;

fn inject(running: &Running, kind: FaultKind, on: Strike) {
    running.inject(FaultInjection { child: "a".into(), kind, on }).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_flood_fills_the_lane_at_once_and_is_handled_like_messages() {
    let record = Record::default();
    let (address, spec) = worker(MailboxLimits::each(100), &record);
    let running = run(vec![spec]).await;
    address.try_send(Job::Note(1)).unwrap();
    inject(&running, FaultKind::Flood { messages: 1000 }, Strike::NextMessage);
    assert_eq!(address.depth(), 100);
    assert!(matches!(address.try_send(Job::Note(2)), Err(SendError::Full(_))));
    assert_eq!(address.send(Job::Latest(3), SOON).await, Err(AskError::Full), "what floods does not yield");
    address.send(Job::Note(4), SOON).await.expect("there is room when it was handled");
    eventually("all handled", || record.lines().len() == 2).await;
    assert_eq!(record.lines(), ["1 note 1", "1 note 4"]);
    let child = running.snapshot().child("a").unwrap().clone();
    assert_eq!((child.handled, child.dead_letters, child.mailbox_depth), (101, 0, 0));
    let refused = event(&running, |event| match &event.kind {
        EventKind::Injected { what } => Some(what.clone()),
        _ => None,
    });
    assert_eq!(refused.await, "Flood { messages: 1000 }: 901 found no room");
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn the_next_starts_fail_as_they_were_told_to() {
    for (kind, expected) in [
        (FaultKind::Panic, "start failed: panic: injected panic"),
        (FaultKind::Error, "start failed: injected fault"),
        (FaultKind::Hang { ms: None }, "not ready within 500 ms"),
    ] {
        let record = Record::default();
        let (address, spec) = worker(roomy(), &record);
        let running = run(vec![spec.start_limit(ms(500))]).await;
        inject(&running, kind, Strike::Start { times: 3 });
        address.try_send(Job::Note(1)).unwrap();
        address.try_send(Job::Once(Break::Panic, Times::new(1))).unwrap();
        address.try_send(Job::Note(2)).unwrap();
        eventually("it is back", || record.lines().len() == 2).await;
        assert_eq!(record.lines(), ["1 note 1", "5 note 2"]);
        let exits = running.events().recent().into_iter().filter_map(|event| match event.kind {
            EventKind::Exited { reason } => Some(reason.to_string()),
            _ => None,
        });
        let exits: Vec<String> = exits.collect();
        assert_eq!(exits.len(), 4);
        assert!(exits[1..].iter().all(|exit| exit.starts_with(expected)), "{exits:?}");
        let _ = running.stop("test").await;
    }
}
