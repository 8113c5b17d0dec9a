use supervision::*;

use crate::job::*;
use crate::probe::*;

#[tokio::test(start_paused = true)]
async fn what_may_be_handled_again_comes_first_in_the_next_incarnation() {
    for how in [Break::Panic, Break::Fail, Break::Hang] {
        let record = Record::default();
        let (address, spec) = worker(roomy(), &record);
        let running = run(vec![spec]).await;
        address.try_send(Job::Note(1)).unwrap();
        address.try_send(Job::Retry(2, how, Times::new(2))).unwrap();
        address.try_send(Job::Note(3)).unwrap();
        eventually("all handled", || record.lines().len() == 3).await;
        assert_eq!(record.lines(), ["1 note 1", "3 retry 2", "3 note 3"], "{how:?}");
        let child = running.snapshot().child("a").unwrap().clone();
        assert_eq!((child.restarts, child.dead_letters, child.mailbox_depth), (2, 0, 0));
        let _ = running.stop("test").await;
    }
}

#[tokio::test(start_paused = true)]
async fn poison_is_buried_after_three_incarnations_and_the_rest_is_handled() {
    let record = Record::default();
    let (address, spec) = worker(roomy(), &record);
    let running = run(vec![spec]).await;
    address.try_send(Job::Retry(1, Break::Panic, Times::new(u32::MAX))).unwrap();
    for n in 2..102 {
        address.try_send(Job::Note(n)).unwrap();
    }
    eventually("the rest is handled", || record.lines().len() == 100).await;
    let rest: Vec<String> = (2..102).map(|n| format!("4 note {n}")).collect();
    assert_eq!(record.lines(), rest);

    let events = running.events().recent();
    let poison: Vec<_> = events.iter().filter(|event| matches!(event.kind, EventKind::Poison { .. })).collect();
    let expected = EventKind::Poison { message: "Retry".into(), times: POISON_TIMES };
    assert_eq!((poison.len(), &poison[0].kind, poison[0].incarnation), (1, &expected, 3));
    let letters = running.dead_letters().recent();
    assert_eq!((letters.len(), letters[0].message.as_str(), letters[0].why), (1, "Retry", Unhandled::Poison));
    let child = running.snapshot().child("a").unwrap().clone();
    assert_eq!((child.restarts, child.dead_letters, child.state), (3, 1, ChildState::Running));
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_handled_again_is_answered_by_the_next_incarnation() {
    let (address, spec) = worker(roomy(), &Record::default());
    let running = run(vec![spec]).await;
    let ask = |times| address.ask(SOON, move |reply| Job::RetryQuestion(Times::new(times), reply));
    assert_eq!(ask(1).await, Ok(2));
    assert_eq!(ask(u32::MAX).await, Err(AskError::Crashed), "poison");
    assert_eq!(ask(0).await, Ok(5));
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn what_was_handled_is_not_handled_again() {
    let record = Record::default();
    let (address, spec) = worker(roomy(), &record);
    let running = run(vec![spec]).await;
    address.try_send(Job::Retry(1, Break::Panic, Times::new(0))).unwrap();
    address.try_send(Job::Once(Break::Panic, Times::new(1))).unwrap();
    address.try_send(Job::Once(Break::Hang, Times::new(1))).unwrap();
    address.try_send(Job::Note(2)).unwrap();
    eventually("the last is handled", || !record.with("note 2").is_empty()).await;
    assert_eq!(record.lines(), ["1 retry 1", "3 note 2"], "what may not be handled again is lost alone");
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn what_a_timer_sent_dies_with_its_incarnation() {
    let record = Record::default();
    let (address, spec) = worker(roomy(), &record);
    let running = run(vec![spec]).await;
    address.try_send(Job::SetRetryTimer(Times::new(1))).unwrap();
    eventually("it broke", || running.snapshot().child("a").unwrap().restarts == 1).await;
    address.send(Job::Note(1), SOON).await.unwrap();
    eventually("the next one serves", || !record.with("note 1").is_empty()).await;
    assert_eq!(record.lines(), ["2 note 1"]);
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn what_was_to_be_handled_again_is_a_dead_letter_when_nobody_comes_back() {
    let (address, spec) = worker(roomy(), &Record::default());
    let running = run(vec![spec.restart(Restart::Temporary)]).await;
    let asked = address.ask(SOON, |reply| Job::RetryQuestion(Times::new(9), reply)).await;
    assert_eq!(asked, Err(AskError::Stopped));
    let letters = running.dead_letters().recent();
    assert_eq!((letters.len(), letters[0].why), (1, Unhandled::Stopped));
    let _ = running.stop("test").await;
}
