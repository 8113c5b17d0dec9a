use supervision::*;

use crate::probe::*;

/// Position of the first event of `child` for which `wanted` holds, after position `from`.
fn position(events: &[Event], from: usize, child: &str, wanted: impl Fn(&EventKind) -> bool) -> usize {
    let found = events.iter().skip(from).position(|event| event.child == child && wanted(&event.kind));
    from + found.unwrap_or_else(|| panic!("no such event of {child} in {events:#?}"))
}

#[tokio::test]
async fn children_start_along_their_edges_and_stop_in_reverse_doors_first() {
    let record = Record::default();
    let spec = |name| probe(name, &record).1;
    let specs = vec![
        spec("consensus").needs(&["signer"]).after(&["mempool", "p2p"]),
        spec("storage"),
        spec("signer"),
        spec("p2p").after(&["storage"]).stops_first(),
        spec("execution").needs(&["storage"]),
        spec("mempool").needs(&["storage", "execution"]),
    ];
    let running = run(specs).await;
    // Siblings without an edge between them start together; what has an edge is in order.
    let started = record.with("started");
    let at = |name: &str| started.iter().position(|line| *line == format!("{name} started")).unwrap();
    for (first, then) in [("storage", "p2p"), ("storage", "execution"), ("execution", "mempool"), ("mempool", "consensus"), ("signer", "consensus")] {
        assert!(at(first) < at(then), "{first} before {then} in {started:?}");
    }
    let report = running.stop("test").await;
    let order = ["p2p", "consensus", "mempool", "execution", "signer", "storage"];
    assert_eq!(record.with("stopping"), order.map(|name| format!("{name} stopping")));
    assert_eq!(report.children.iter().map(|line| line.child.as_str()).collect::<Vec<_>>(), order);
    assert!(report.is_clean());
}

#[tokio::test(start_paused = true)]
async fn those_that_need_it_suspend_at_once_and_come_back_after_it() {
    let record = Record::default();
    let ((base, base_spec), (user, user_spec)) = (probe("base", &record), probe("user", &record));
    let (_, third) = probe("third", &record);
    let specs = vec![base_spec, user_spec.needs(&["base"]).suspend_when_needs_are_down(), third.needs(&["user"]).suspend_when_needs_are_down()];
    let running = run(specs).await;
    // The second crash backs off, so that "before the backoff" can be seen.
    base.try_send(Told::Panic).unwrap();
    base.try_send(Told::Panic).unwrap();
    eventually("base backs off", || running.snapshot().child("base").unwrap().state == ChildState::Restarting).await;
    eventually("the suspension carries on", || running.snapshot().child("third").unwrap().state == ChildState::Suspended).await;
    assert_eq!(running.snapshot().child("user").unwrap().state, ChildState::Suspended);
    assert!(running.snapshot().child("base").unwrap().backoff_ms > 0);
    assert_eq!(user.ask(ms(10), Told::Ask).await, Err(AskError::Restarting));
    assert_eq!(user.ask(SOON, Told::Ask).await, Ok(0));

    let snapshot = running.snapshot();
    assert_eq!(snapshot.child("user").unwrap().incarnation, 1, "it lived on");
    eventually("all run", || running.snapshot().is_healthy()).await;
    let events = running.events().recent();
    let backing_off = |kind: &EventKind| matches!(kind, EventKind::BackingOff { delay_ms } if *delay_ms > 0);
    let down = position(&events, 0, "base", backing_off);

    let suspended = position(&events, 0, "user", |kind| matches!(kind, EventKind::Suspended { .. }));
    let ready = position(&events, down, "base", |kind| *kind == EventKind::Ready);
    let resumed = position(&events, down, "user", |kind| *kind == EventKind::Resumed);
    assert!(suspended < down && ready < resumed, "before the backoff begins, and back after it");
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn those_that_need_it_stop_at_once_and_are_made_anew_after_it() {
    let record = Record::default();
    let ((base, base_spec), (user, user_spec)) = (probe("base", &record), probe("user", &record));
    let running = run(vec![base_spec, user_spec.needs(&["base"])]).await;
    base.try_send(Told::Panic).unwrap();
    base.try_send(Told::Panic).unwrap();
    eventually("base backs off", || running.snapshot().child("base").unwrap().backoff_ms > 0).await;
    eventually("user has left", || running.snapshot().child("user").unwrap().state == ChildState::Waiting).await;
    assert_eq!(running.snapshot().child("base").unwrap().state, ChildState::Restarting);
    user.try_send(Told::Note(1)).expect("its mailbox takes messages meanwhile");
    eventually("user is back and has handled it", || record.with("user").iter().any(|line| line.ends_with("note 1"))).await;
    let child = running.snapshot().child("user").unwrap().clone();
    assert!(child.incarnation >= 2);
    assert_eq!(child.restarts, 0, "it is not to blame");
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn order_alone_does_not_bind() {
    let record = Record::default();
    let ((first, first_spec), (_, second_spec)) = (probe("first", &record), probe("second", &record));
    let running = run(vec![first_spec, second_spec.after(&["first"])]).await;
    first.try_send(Told::Panic).unwrap();
    assert_eq!(first.ask(SOON, Told::Ask).await, Ok(0));
    assert_eq!(running.snapshot().child("second").unwrap().incarnation, 1);
    let _ = running.stop("test").await;
}

#[test]
fn a_tree_that_cannot_be_ordered_is_refused() {
    let spec = |name| probe(name, &Record::default()).1;
    let refused = |specs| Tree::build("test", specs, config()).err();
    let cycle = refused(vec![spec("a").needs(&["b"]), spec("b").after(&["a"])]);
    assert_eq!(cycle, Some(TreeError::Cycle { names: vec!["a".into(), "b".into()] }));
    let unknown = refused(vec![spec("a").needs(&["z"])]);
    assert_eq!(unknown, Some(TreeError::Unknown { child: "a".into(), missing: "z".into() }));
}

/// Takes its time to let go of what it holds.
struct Reluctant;

impl Actor for Reluctant {
    type Message = Told;

    async fn handle(&mut self, _: Told, _: &mut Context<Told>) -> Result<(), Fault> {
        Err(Fault::new("told to fail"))
    }
}

impl Drop for Reluctant {
    fn drop(&mut self) {
        std::thread::sleep(ms(100));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_that_need_it_hear_of_its_end_while_it_still_lets_go_of_what_it_held() {
    let (record, base) = (Record::default(), Address::new("base", MailboxLimits::each(8)));
    let base_spec = ChildSpec::new("base", base.clone(), |_| async { Ok(Reluctant) });
    let (_, user) = probe("user", &record);
    let running = run(vec![base_spec, user.needs(&["base"])]).await;
    base.try_send(Told::Fail).unwrap();
    eventually("the user is back", || running.snapshot().is_healthy() && running.snapshot().child("user").unwrap().incarnation == 2).await;
    let events = running.events().recent();
    let leaves = position(&events, 0, "user", |kind| matches!(kind, EventKind::Leaving));
    let gone = position(&events, 0, "base", |kind| matches!(kind, EventKind::Exited { .. }));
    assert!(leaves < gone, "{events:#?}");
    assert_eq!(running.snapshot().child("user").unwrap().restarts, 0, "it is not to blame");
}
