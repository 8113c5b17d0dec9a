//! Who falls with whom.

use supervision::*;

use crate::probe::*;

/// Three probes in a group, and one beside it.
async fn three(strategy: Strategy, record: &Record) -> ([Address<Told>; 4], Running) {
    let [(a, a_spec), (b, b_spec), (c, c_spec), (d, d_spec)] = ["a", "b", "c", "d"].map(|name| probe(name, record));
    let group = Group::new("g").strategy(strategy).with(a_spec).with(b_spec.needs(&["a"])).with(c_spec);
    let running = run(vec![Member::from(group), d_spec.into()]).await;
    ([a, b, c, d], running)
}

/// What happened after everybody was ready, in order.
fn news(running: &Running) -> Vec<String> {
    let line = |event: Event| match event.kind {
        EventKind::Exited { .. } => Some(format!("{} down", event.child)),
        EventKind::Ready => Some(format!("{} up", event.child)),
        _ => None,
    };
    running.events().recent().into_iter().filter_map(line).skip(4).collect()
}

async fn after_a_crash_of_b(strategy: Strategy) -> Vec<String> {
    let record = Record::default();
    let ([_, b, ..], running) = three(strategy, &record).await;
    b.try_send(Told::Panic).unwrap();
    eventually("it crashed", || running.snapshot().child("b").unwrap().incarnation == 2).await;
    running.ready(SOON).await.unwrap();
    let news = news(&running);
    let _ = running.stop("test").await;
    news
}

#[tokio::test(start_paused = true)]
async fn each_strategy_knows_who_falls_and_in_which_order() {
    assert_eq!(after_a_crash_of_b(Strategy::Graph).await, ["b down", "b up"]);
    assert_eq!(after_a_crash_of_b(Strategy::OneForOne).await, ["b down", "b up"]);
    assert_eq!(after_a_crash_of_b(Strategy::RestForOne).await, ["b down", "c down", "b up", "c up"]);
    assert_eq!(after_a_crash_of_b(Strategy::OneForAll).await, ["b down", "c down", "a down", "a up", "b up", "c up"]);
}

#[tokio::test(start_paused = true)]
async fn in_one_for_one_a_need_is_order_only() {
    for (strategy, lives_of_b) in [(Strategy::Graph, 2), (Strategy::OneForOne, 1)] {
        let record = Record::default();
        let ([a, ..], running) = three(strategy, &record).await;
        a.try_send(Told::Panic).unwrap();
        eventually("it crashed", || running.snapshot().child("a").unwrap().incarnation == 2).await;
        running.ready(SOON).await.unwrap();
        assert_eq!(running.snapshot().child("b").unwrap().incarnation, lives_of_b, "{strategy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_waits_for_the_backoff_of_the_one_that_crashes() {
    let record = Record::default();
    let ([_, b, ..], running) = three(Strategy::OneForAll, &record).await;
    b.try_send(Told::Panic).unwrap();
    b.try_send(Told::Panic).unwrap();
    let delay = |event: &Event| matches!(event.kind, EventKind::BackingOff { delay_ms } if delay_ms > 0).then_some(());
    event(&running, delay).await;
    tokio::time::sleep(ms(60)).await;
    let states = running.snapshot().children.into_iter().map(|child| child.state).collect::<Vec<_>>();
    use ChildState::{Restarting, Running as Up, Waiting};
    assert_eq!(states, [Waiting, Restarting, Waiting, Up]);
    running.ready(SOON).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_takes_the_group_then_the_group_around_it_and_at_last_the_tree() {
    let record = Record::default();
    let [(a, a_spec), (b, b_spec), (_, c_spec)] = ["a", "b", "c"].map(|name| probe(name, &record));
    let once = Budget { restarts: 1, window: SOON };
    let inner = Group::new("inner").budget(once).with(a_spec.budget(once)).with(b_spec);
    let outer = Group::new("outer").budget(once).with(inner).with(c_spec);
    let running = run(vec![outer]).await;
    for _ in 0..8 {
        a.try_send(Told::Panic).unwrap();
    }
    let escalation = tokio::time::timeout(SOON, running.ended()).await.unwrap();
    assert_eq!((escalation.child.as_str(), escalation.exit_code), ("a", EXIT_ESCALATED));
    let fallen = running.events().recent().into_iter().filter_map(|event| match event.kind {
        EventKind::GroupFell { group, .. } => Some(group),
        _ => None,
    });
    assert_eq!(fallen.collect::<Vec<_>>(), ["inner", "outer", "inner"]);
    let lives = |name: &str| running.snapshot().child(name).unwrap().incarnation;
    assert_eq!((lives("b"), lives("c")), (4, 2), "b fell with both groups, c with the outer one");
    assert_eq!(b.ask(SOON, Told::Ask).await, Ok(0));
    // Each level starts those beneath it afresh: 2 lives in each of 2 lives of the inner group, in each of 2 of the outer.
    assert_eq!(lives("a"), 8);
}

#[tokio::test(start_paused = true)]
async fn a_name_occurs_once_among_children_and_groups() {
    let record = Record::default();
    let group = Group::new("a").with(probe("b", &record).1);
    let refused = Tree::build("test", [Member::from(probe("a", &record).1), group.into()], config());
    assert_eq!(refused.err(), Some(TreeError::Twice { name: "a".into() }));
}

/// A parent with dynamic children that all crash `times` times; whether the parent had to be restarted.
async fn parent_falls(children: u64, crashes: u64) -> bool {
    let record = Record::default();
    let (parent, spec) = probe("parent", &record);
    let running = run(vec![spec]).await;
    let addresses: Vec<_> = (0..children).map(|_| Address::new("child", MailboxLimits::each(64))).collect();
    for (key, address) in addresses.iter().enumerate() {
        let child = Box::new(crate::probe::spec("child", address.clone(), &record));
        parent.ask(SOON, |reply| Told::Spawn(key as u64, child, reply)).await.unwrap().unwrap();
    }
    for address in &addresses {
        (0..crashes).for_each(|_| address.try_send(Told::Panic).unwrap());
    }
    tokio::time::sleep(ms(50_000)).await;
    let fell = running.snapshot().child("parent").unwrap().incarnation > 1;
    let _ = running.stop("test").await;
    fell
}

#[tokio::test(start_paused = true)]
async fn fifty_peers_that_crash_once_each_leave_their_group_alive() {
    assert!(!parent_falls(50, 1).await);
}

#[tokio::test(start_paused = true)]
async fn the_budget_of_a_group_grows_with_it_and_most_of_many_failing_is_the_parents_fault() {
    assert!(!parent_falls(2, 20).await, "two that crash in a loop spend their own budgets");
    assert!(!parent_falls(30, 5).await, "five each are within the budget");
    assert!(parent_falls(30, 8).await, "all of thirty in a loop are not");
}
