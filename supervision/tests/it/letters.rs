use supervision::*;

use crate::job::*;
use crate::probe::*;

fn counts(running: &Running) -> Vec<u64> {
    let count = |event: &Event| match event.kind {
        EventKind::DeadLetter { count, .. } => Some(count),
        _ => None,
    };
    running.events().recent().iter().filter_map(count).collect()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_dead_letters_are_all_counted_and_told_in_few_events() {
    let (address, spec) = worker(roomy(), &Record::default());
    let running = run(vec![spec.restart(Restart::Transient)]).await;
    address.try_send(Job::Done).unwrap();
    eventually("it is over", || running.snapshot().child("a").unwrap().state == ChildState::Stopped).await;
    for n in 0..100_000 {
        assert!(matches!(address.try_send(Job::Note(n)), Err(SendError::Stopped(_))));
    }
    assert_eq!(counts(&running), [1]);
    tokio::time::sleep(ms(1100)).await;
    assert_eq!(counts(&running), [1, 99_999]);
    assert_eq!(running.snapshot().child("a").unwrap().dead_letters, 100_000);
    assert_eq!(running.dead_letters().recent().len(), DEAD_LETTERS);
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_tells_whose_it_was_and_why() {
    let (address, spec) = worker(roomy(), &Record::default());
    let running = run(vec![spec.restart(Restart::Temporary)]).await;
    tokio::time::sleep(ms(500)).await;
    address.try_send(Job::Once(Break::Panic, Times::new(1))).unwrap();
    for n in 0..3 {
        address.try_send(Job::Note(n)).unwrap();
    }
    eventually("they are told", || running.dead_letters().recent().len() == 3).await;
    assert_eq!(address.send(Job::Strict(1), SOON).await, Err(AskError::Stopped));
    let letters = running.dead_letters().recent();
    let whys: Vec<_> = letters.iter().map(|letter| (letter.message.as_str(), letter.why)).collect();
    assert_eq!(whys, [("Note", Unhandled::Stopped), ("Note", Unhandled::Stopped), ("Note", Unhandled::Stopped), ("Strict", Unhandled::SentLate)]);
    assert!(letters.iter().all(|letter| letter.child == "a" && letter.incarnation == 1 && letter.at_ms >= 500));
    // Who is over has nothing more to wait for: the rest of the burst is told with its end.
    assert_eq!(counts(&running).iter().sum::<u64>(), 3);
    let text = serde_json::to_string(&letters).unwrap();
    assert!(text.contains(r#""why":"sent_late""#), "{text}");
    assert_eq!(serde_json::from_str::<Vec<DeadLetter>>(&text).unwrap(), letters);
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn a_slow_reader_of_events_lags_alone() {
    let (address, spec) = worker(roomy(), &Record::default());
    let unlimited = Budget { restarts: usize::MAX, window: ms(1000) };
    let at_once = Backoff { stable_after: ms(0), ..Backoff::default() };
    let tree = Tree::build("test", vec![spec.budget(unlimited).backoff(at_once)], Config { events: 64, ..config() }).unwrap();
    let running = tree.start().await;
    let (mut fast, mut slow) = (running.events().subscribe(), running.events().subscribe());
    let (mut heard, mut crashes) = (Vec::new(), 0);
    while crashes < 100 {
        address.send(Job::Once(Break::Fail, Times::new(1)), SOON).await.unwrap();
        loop {
            let event = fast.next().await;
            heard.push(event.sequence);
            if matches!(event.kind, EventKind::Exited { .. }) {
                crashes += 1;
                break;
            }
        }
    }
    assert_eq!(heard, (1..=heard.len() as u64).collect::<Vec<_>>(), "the fast one hears everything");
    assert_eq!(fast.missed(), 0);
    let first = slow.next().await;
    assert!(first.sequence > 1);
    assert_eq!(slow.missed(), first.sequence - 1, "the slow one knows what it missed");
    let mut rest = 1;
    while slow.try_next().is_some() {
        rest += 1;
    }
    assert_eq!(rest, 64, "and has what the ring holds");
    let _ = running.stop("test").await;
}
