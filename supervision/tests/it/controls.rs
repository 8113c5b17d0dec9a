//! What an operator may tell a tree.

use supervision::*;

use crate::probe::*;

fn look(running: &Running, name: &str) -> ChildSnapshot {
    running.snapshot().child(name).unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_restart_on_request_finishes_the_message_in_hand_and_loses_nothing() {
    let record = Record::default();
    let (a, spec) = probe("a", &record);
    let running = run(vec![spec.budget(Budget { restarts: 0, window: SOON })]).await;
    for n in 0..3 {
        a.try_send(Told::Sleep(ms(10), n)).unwrap();
    }
    eventually("it is busy", || look(&running, "a").busy_ms > 0).await;
    running.controls().restart("a", "an operator").await.unwrap();
    eventually("all is done", || record.with("note").len() == 3).await;
    assert_eq!(record.with("note"), ["a 1 note 0", "a 2 note 1", "a 2 note 2"]);
    let child = look(&running, "a");
    assert_eq!((child.last_exit.as_deref(), child.restarts), (Some("restarted by an operator"), 0));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_waits_out_its_backoff_can_be_hurried() {
    let record = Record::default();
    let (a, spec) = probe("a", &record);
    let backoff = Backoff { base: SOON, cap: SOON, stable_after: SOON };
    let running = run(vec![spec.backoff(backoff)]).await;
    a.try_send(Told::Panic).unwrap();
    a.try_send(Told::Panic).unwrap();
    eventually("it waits", || look(&running, "a").backoff_ms > 1000).await;
    running.controls().restart("a", "an operator").await.unwrap();
    assert_eq!(a.ask(ms(100), Told::Ask).await, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn a_suspended_child_keeps_its_messages_through_crashes_until_it_is_resumed() {
    let record = Record::default();
    let ((a, a_spec), (_, b_spec)) = (probe("a", &record), probe("b", &record));
    let running = run(vec![a_spec, b_spec.needs(&["a"]).suspend_when_needs_are_down()]).await;
    let controls = running.controls();
    controls.suspend("a", "an operator").await.unwrap();
    a.try_send(Told::Note(1)).unwrap();
    assert_eq!(a.ask(ms(100), Told::Ask).await, Err(AskError::Restarting));
    assert_eq!((look(&running, "a").state, look(&running, "b").state), (ChildState::Suspended, ChildState::Suspended));
    assert_eq!(look(&running, "a").suspended_by.as_deref(), Some("an operator"));
    controls.kill("a", "a test").await.unwrap();
    eventually("it is down and stays there", || look(&running, "a").state == ChildState::Waiting).await;
    controls.resume("a").await.unwrap();
    running.ready(SOON).await.unwrap();
    assert_eq!(a.ask(SOON, Told::Ask).await, Ok(1));
    assert_eq!(look(&running, "a").suspended_by, None);
}

#[tokio::test(start_paused = true)]
async fn a_killed_child_says_by_whom_and_comes_back_even_if_transient() {
    let record = Record::default();
    let (a, spec) = probe("a", &record);
    let running = run(vec![spec.restart(Restart::Transient)]).await;
    running.controls().kill("a", "a test").await.unwrap();
    eventually("it is back", || look(&running, "a").incarnation == 2).await;
    running.ready(SOON).await.unwrap();
    assert_eq!(look(&running, "a").last_exit.as_deref(), Some("killed by a test"));
    assert_eq!((look(&running, "a").restarts, a.ask(SOON, Told::Ask).await), (1, Ok(0)));
}

#[tokio::test(start_paused = true)]
async fn an_order_that_cannot_be_carried_out_is_refused_with_its_reason() {
    let (_, spec) = probe("a", &Record::default());
    let (_, waits) = probe("b", &Record::default());
    let running = run(vec![spec]).await;
    let controls = running.controls();
    assert_eq!(controls.restart("x", "me").await, Err(ControlError::Unknown("x".into())));
    let refused = controls.resume("a").await.unwrap_err();
    assert_eq!(refused.to_string(), "a was not suspended by an operator");
    let calm = Tree::build("calm", [waits], Config { chaos: false, ..config() }).unwrap().start().await;
    assert_eq!(calm.controls().kill("b", "me").await, Err(ControlError::Disabled));
    let _ = running.stop("test").await;
    assert_eq!(controls.restart("a", "me").await, Err(ControlError::Stopped));
}

#[tokio::test(start_paused = true)]
async fn controls_and_addresses_outlive_a_thousand_restarts() {
    let record = Record::default();
    let (a, spec) = probe("a", &record);
    let at_once = Backoff { base: ms(0), cap: ms(0), stable_after: ms(0) };
    let running = run(vec![spec.backoff(at_once).budget(Budget { restarts: usize::MAX, window: SOON })]).await;
    let controls = running.controls();
    let old = a.clone();
    for _ in 0..1000 {
        a.send(Told::Panic, SOON).await.unwrap();
    }
    assert_eq!(old.ask(SOON, Told::Ask).await, Ok(0));
    assert_eq!(look(&running, "a").incarnation, 1001);
    controls.restart("a", "an old clone").await.unwrap();
    assert_eq!(old.ask(SOON, Told::Ask).await, Ok(0));
    assert_eq!(look(&running, "a").incarnation, 1002);
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_child_removed_during_its_backoff_never_returns() {
    let record = Record::default();
    let (parent, spec) = probe("parent", &record);
    let running = run(vec![spec]).await;
    let address = Address::new("child", MailboxLimits::each(8));
    let child = crate::probe::spec("child", address.clone(), &record).backoff(Backoff { base: ms(200), cap: ms(200), stable_after: SOON });
    parent.ask(SOON, |reply| Told::Spawn(1, Box::new(child), reply)).await.unwrap().unwrap();
    address.try_send(Told::Panic).unwrap();
    address.try_send(Told::Panic).unwrap();
    eventually("it backs off", || running.snapshot().count(ChildState::Restarting) == 1 && record.with("child started").len() == 2).await;
    parent.try_send(Told::StopChild(1)).unwrap();
    tokio::time::sleep(ms(1000)).await;
    assert_eq!(record.with("child started").len(), 2);
    assert_eq!(running.snapshot().children.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn declared_work_has_its_own_limit_while_its_actor_leaves() {
    let record = Record::default();
    let (a, spec) = probe("a", &record);
    let running = run(vec![spec.exclusive().stop_limit(ms(20)).drain_limit(ms(20))]).await;
    a.try_send(Told::Declared(ms(1500), SOON)).unwrap();
    eventually("it works", || look(&running, "a").busy_with.as_deref() == Some("declared")).await;
    running.controls().restart("a", "an operator").await.unwrap();
    eventually("it is back", || look(&running, "a").incarnation == 2).await;
    assert_eq!((record.with("note").len(), look(&running, "a").last_exit.as_deref()), (1, Some("restarted by an operator")));
    assert!(running.stop("test").await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_is_made_once_is_not_restarted_on_request() {
    let record = Record::default();
    let (a, spec) = probe("a", &record);
    let running = run(vec![spec.restart(Restart::Temporary)]).await;
    let refused = running.controls().restart("a", "an operator").await.unwrap_err();
    assert_eq!(refused.to_string(), "a is temporary and would not come back");
    assert_eq!(a.ask(SOON, Told::Ask).await, Ok(0));
}
