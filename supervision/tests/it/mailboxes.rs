use supervision::*;

use crate::probe::*;

#[tokio::test]
async fn a_mailbox_outlives_the_actor_behind_it() {
    let record = Record::default();
    let (address, spec) = probe("a", &record);
    for n in 0..1000 {
        let told = if n == 500 { Told::Panic } else { Told::Note(n) };
        address.try_send(told).unwrap();
    }
    let running = run(vec![spec]).await;
    eventually("999 handled", || record.with("note").len() == 999).await;
    let expected: Vec<String> = (0..1000).filter(|n| *n != 500).map(|n| format!("a {} note {n}", if n < 500 { 1 } else { 2 })).collect();
    assert_eq!(record.with("note"), expected);
    assert!(running.stop("test").await.is_clean());
}

#[tokio::test]
async fn a_full_mailbox_refuses_and_gives_the_message_back() {
    let address = Address::new("a", MailboxLimits { urgent: 1, normal: 2, bulk: 1 });
    address.try_send(Told::Note(1)).unwrap();
    address.try_send(Told::Note(2)).unwrap();
    assert!(matches!(address.try_send(Told::Note(3)), Err(SendError::Full(Told::Note(3)))));
    address.try_send(Told::Urgent(4)).expect("each lane has its own room");
    assert_eq!(address.depth(), 3);

    let running = run(vec![spec("a", address.clone(), &Record::default())]).await;
    address.send(Told::Note(5), SOON).await.expect("there is room again");
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(4));
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn urgent_messages_overtake_and_bulk_waits() {
    let record = Record::default();
    let (address, spec) = probe("a", &record);
    for told in [Told::Bulk(1), Told::Note(2), Told::Urgent(3), Told::Note(4), Told::Urgent(5)] {
        address.try_send(told).unwrap();
    }
    let running = run(vec![spec]).await;
    eventually("all handled", || record.with("note").len() == 5).await;
    let order = [3, 5, 2, 4, 1].map(|n| format!("a 1 note {n}"));
    assert_eq!(record.with("note"), order);
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn each_silence_has_its_name() {
    let address = Address::new("a", MailboxLimits::each(2));
    assert_eq!(address.ask(ms(10), Told::Ask).await, Err(AskError::Restarting), "not started yet");

    let running = run(vec![spec("a", address.clone(), &Record::default())]).await;
    assert_eq!(address.ask(ms(10), Told::Ignore).await, Err(AskError::Deadline));
    assert_eq!(address.ask(ms(10), Told::PanicAsked).await, Err(AskError::Crashed));

    // The second crash backs off for about 100 ms; a limit within that ends while the actor is down.
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    assert_eq!(address.ask(ms(10), Told::PanicAsked).await, Err(AskError::Crashed));
    assert_eq!(address.ask(ms(10), Told::Ask).await, Err(AskError::Restarting));
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0), "a longer limit outlives the restart");

    address.try_send(Told::Hang).unwrap();
    eventually("it hangs", || address.depth() == 0).await;
    address.try_send(Told::Note(1)).unwrap();
    address.try_send(Told::Note(2)).unwrap();
    assert_eq!(address.ask(ms(10), Told::Ask).await, Err(AskError::Full));

    let _ = running.stop("test").await;
    assert_eq!(address.ask(ms(10), Told::Ask).await, Err(AskError::Stopped));
    assert!(matches!(address.try_send(Told::Note(1)), Err(SendError::Stopped(_))));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_waits_when_its_actor_stops_for_good_is_told_so() {
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec.hang_limit(SOON * 10).stop_limit(ms(100))]).await;
    address.try_send(Told::Hang).unwrap();
    let (asked, report) = tokio::join!(address.ask(SOON, Told::Ask), running.stop("test"));
    assert_eq!(asked, Err(AskError::Stopped));
    assert_eq!(report.late().collect::<Vec<_>>(), ["a"]);
}

#[tokio::test]
async fn an_asker_who_left_harms_nobody() {
    let (address, spec) = probe("a", &Record::default());
    let left = address.ask(ms(0), Told::Ask).await;
    assert_eq!(left, Err(AskError::Restarting));
    let running = run(vec![spec]).await;
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    assert_eq!(running.snapshot().child("a").unwrap().incarnation, 1);
    let _ = running.stop("test").await;
}
