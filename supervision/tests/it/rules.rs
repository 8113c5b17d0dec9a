use std::sync::Arc;
use std::time::Duration;

use supervision::*;
use tokio::time::Instant;

use crate::job::*;
use crate::probe::*;

/// How many messages there are to one mailbox.
const MANY: u64 = 1_000_000;

#[test]
fn memory_is_bounded_at_a_million_sends_under_each_rule() {
    for rule in [WhenFull::Wait, WhenFull::Reject, WhenFull::DropOldest] {
        let address = Address::new("a", MailboxLimits::each(100));
        let token = Arc::new(());
        let taken = (0..MANY).filter(|_| address.try_send(Job::Token(rule, token.clone())).is_ok()).count();
        assert_eq!((address.depth(), Arc::strong_count(&token)), (100, 101), "{rule:?}");
        assert_eq!(taken as u64, if rule == WhenFull::DropOldest { MANY } else { 100 }, "{rule:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_for_room_leaves_nothing_behind() {
    let address = Address::new("a", MailboxLimits::each(1));
    let token = Arc::new(());
    for _ in 0..10_000 {
        let _ = address.send(Job::Token(WhenFull::Wait, token.clone()), Duration::ZERO).await;
    }
    assert_eq!(Arc::strong_count(&token), 2);
}

#[tokio::test(start_paused = true)]
async fn only_what_waits_by_its_rule_waits_for_room() {
    let record = Record::default();
    let (address, spec) = worker(MailboxLimits::each(2), &record);
    for n in 0..2 {
        address.try_send(Job::Note(n)).unwrap();
    }
    let began = Instant::now();
    assert_eq!(address.send(Job::Strict(2), SOON).await, Err(AskError::Full));
    assert!(matches!(address.try_send(Job::Strict(3)), Err(SendError::Full(Job::Strict(3)))));
    assert_eq!(address.send(Job::Latest(4), SOON).await, Err(AskError::Full), "nothing there yields");
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(address.send(Job::Note(5), ms(10)).await, Err(AskError::Restarting));
    assert!(began.elapsed() >= ms(10));

    let running = run(vec![spec]).await;
    address.send(Job::Strict(6), SOON).await.expect("there is room again");
    eventually("all handled", || record.lines().len() == 3).await;
    assert_eq!(record.lines(), ["1 note 0", "1 note 1", "1 note 6"]);
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn the_oldest_that_yields_is_dropped_for_the_newest_and_its_asker_told() {
    let record = Record::default();
    let (address, spec) = worker(MailboxLimits::each(3), &record);
    let tree = Tree::build("test", vec![spec], config()).unwrap();
    address.try_send(Job::Note(1)).unwrap();
    let question = {
        let address = address.clone();
        tokio::spawn(async move { address.ask(SOON, Job::LatestQuestion).await })
    };
    eventually("it waits", || address.depth() == 2).await;
    for n in 2..=5 {
        address.try_send(Job::Latest(n)).unwrap();
    }
    assert_eq!(question.await.unwrap(), Err(AskError::Full));
    let running = tree.start().await;
    eventually("all handled", || record.lines().len() == 3).await;
    assert_eq!(record.lines(), ["1 note 1", "1 note 4", "1 note 5"]);
    let letters = running.dead_letters().recent();
    assert_eq!(letters.len(), 3);
    assert!(letters.iter().all(|letter| letter.why == Unhandled::DroppedOldest && letter.message == "Latest"));
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_room_are_served_in_their_order() {
    let record = Record::default();
    let (address, spec) = worker(MailboxLimits::each(1), &record);
    address.try_send(Job::Note(0)).unwrap();
    let mut waiting = Vec::new();
    for n in 1..=5 {
        let address = address.clone();
        let limit = if n == 3 { ms(10) } else { SOON };
        waiting.push(tokio::spawn(async move { address.send(Job::Note(n), limit).await }));
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(ms(20)).await;
    let running = run(vec![spec]).await;
    let mut outcomes = Vec::new();
    for one in waiting {
        outcomes.push(one.await.unwrap());
    }
    assert_eq!(outcomes, [Ok(()), Ok(()), Err(AskError::Restarting), Ok(()), Ok(())]);
    eventually("all handled", || record.lines().len() == 5).await;
    assert_eq!(record.lines(), [0, 1, 2, 4, 5].map(|n| format!("1 note {n}")));
    assert_eq!(address.depth(), 0);
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_room_when_the_actor_stops_are_told() {
    let (address, spec) = worker(MailboxLimits::each(1), &Record::default());
    let running = run(vec![spec.hang_limit(SOON * 9).stop_limit(ms(50))]).await;
    address.try_send(Job::Once(Break::Hang, Times::new(1))).unwrap();
    eventually("it hangs", || address.depth() == 0).await;
    address.try_send(Job::Note(1)).unwrap();
    let (sent, report) = tokio::join!(address.send(Job::Note(2), SOON), running.stop("test"));
    assert_eq!((sent, report.children[0].dead_letters), (Err(AskError::Stopped), 2));
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_during_a_backoff_is_handled_in_order_over_a_second_crash() {
    let record = Record::default();
    let (address, spec) = worker(roomy(), &record);
    let running = run(vec![spec]).await;
    let crash = || Job::Once(Break::Panic, Times::new(1));
    address.try_send(crash()).unwrap();
    address.try_send(crash()).unwrap();
    eventually("it backs off", || running.snapshot().child("a").unwrap().backoff_ms > 0).await;
    for n in 0..300 {
        address.send(if n == 150 { crash() } else { Job::Note(n) }, SOON).await.unwrap();
    }
    assert_eq!(running.snapshot().child("a").unwrap().mailbox_depth, 300);
    eventually("all handled", || record.lines().len() == 299).await;
    let expected: Vec<String> = (0..300).filter(|n| *n != 150).map(|n| format!("{} note {n}", if n < 150 { 3 } else { 4 })).collect();
    assert_eq!(record.lines(), expected);
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn an_address_is_good_after_a_thousand_restarts() {
    let record = Record::default();
    let (address, spec) = worker(roomy(), &record);
    let unlimited = Budget { restarts: usize::MAX, window: Duration::from_secs(1) };
    let at_once = Backoff { stable_after: Duration::ZERO, ..Backoff::default() };
    let running = run(vec![spec.budget(unlimited).backoff(at_once)]).await;
    let (old, controls) = (address.clone(), running.controls().clone());
    for n in 0..1000 {
        let how = if n % 2 == 0 { Break::Panic } else { Break::Fail };
        address.send(Job::Once(how, Times::new(1)), SOON).await.unwrap();
        old.send(Job::Note(n), SOON).await.unwrap();
    }
    eventually("all handled", || record.lines().len() == 1000).await;
    let expected: Vec<String> = (0..1000).map(|n| format!("{} note {n}", n + 2)).collect();
    assert_eq!(record.lines(), expected);
    let child = running.snapshot().child("a").unwrap().clone();
    assert_eq!((child.incarnation, child.restarts, child.dead_letters), (1001, 1000, 0));
    assert!(old.fence().is_current(Incarnation(1001)));
    controls.restart("a", "the test").await.unwrap();
    eventually("the next one is there", || old.fence().is_current(Incarnation(1002))).await;
    old.send(Job::Note(1000), SOON).await.unwrap();
    eventually("it serves", || record.lines().last().is_some_and(|line| line == "1002 note 1000")).await;
    let _ = running.stop("test").await;
}
