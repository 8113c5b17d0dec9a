use supervision::*;

use crate::probe::*;

fn session(record: &Record) -> (Address<Told>, ChildSpec) {
    probe("session", record)
}

async fn spawn(parent: &Address<Told>, key: u64, spec: ChildSpec) -> Result<(), SpawnError> {
    parent.ask(SOON, |reply| Told::Spawn(key, Box::new(spec), reply)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn crash_loops_of_dynamic_children_sink_nobody_else() {
    let record = Record::default();
    let (parent, parent_spec) = probe("parent", &record);
    let running = run(vec![parent_spec]).await;
    let mut sessions = Vec::new();
    for key in 0..50 {
        let (address, spec) = session(&record);
        let budget = Budget { restarts: 2, ..Budget::default() };
        spawn(&parent, key, spec.budget(budget)).await.unwrap();
        sessions.push(address);
    }
    for address in &sessions[..20] {
        for _ in 0..5 {
            address.try_send(Told::Panic).unwrap();
        }
    }
    let count = || parent.ask(SOON, Told::Count);
    while count().await != Ok(30) {
        tokio::time::sleep(ms(10)).await;
    }
    for address in &sessions[20..] {
        assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    }
    let snapshot = running.snapshot();
    assert_eq!(snapshot.children.len(), 31);
    let (child, owner) = (&snapshot.child("parent.session/20").unwrap(), &snapshot.children[0]);
    assert_eq!((child.incarnation, child.parent.as_deref()), (1, Some("parent")));
    assert_eq!(owner.incarnation, 1);
    assert_eq!(sessions[0].ask(ms(1), Told::Ask).await, Err(AskError::Stopped));
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn a_key_is_taken_until_its_child_has_gone() {
    let record = Record::default();
    let (parent, parent_spec) = probe("parent", &record);
    let running = run(vec![parent_spec]).await;
    let (ended, mut gone) = tokio::sync::mpsc::channel(1);
    let say = move |reason: &ExitReason| ended.try_send(reason.clone()).unwrap();
    spawn(&parent, 1, session(&record).1.when_ended(say)).await.unwrap();
    assert_eq!(spawn(&parent, 1, session(&record).1).await, Err(SpawnError::Taken));
    parent.try_send(Told::StopChild(1)).unwrap();
    assert_eq!(gone.recv().await, Some(ExitReason::Stopped));
    assert_eq!(spawn(&parent, 1, session(&record).1).await, Ok(()));
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn dynamic_children_end_with_the_incarnation_that_made_them() {
    let record = Record::default();
    let (parent, parent_spec) = probe("parent", &record);
    let running = run(vec![parent_spec]).await;
    let (address, spec) = session(&record);
    spawn(&parent, 1, spec).await.unwrap();
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    parent.try_send(Told::Panic).unwrap();
    eventually("the child has gone", || running.snapshot().children.len() == 1).await;
    assert_eq!(address.ask(SOON, Told::Ask).await, Err(AskError::Stopped));
    assert_eq!(parent.ask(SOON, Told::Count).await, Ok(0));
    let _ = running.stop("test").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_children_stop_before_their_parent() {
    let record = Record::default();
    let (parent, parent_spec) = probe("parent", &record);
    let running = run(vec![parent_spec]).await;
    for key in 0..2000 {
        spawn(&parent, key, session(&record).1).await.unwrap();
    }
    eventually("all run", || running.snapshot().count(ChildState::Running) == 2001).await;
    let report = running.stop("test").await;
    assert_eq!(report.children.len(), 2001);
    assert!(report.is_clean());
    assert_eq!(report.children.last().map(|line| line.child.as_str()), Some("parent"));
    assert_eq!(record.with("session stopping").len(), 2000);
}

#[tokio::test]
async fn a_child_made_from_something_that_exists_once_is_made_once() {
    let record = Record::default();
    let (parent, parent_spec) = probe("parent", &record);
    let running = run(vec![parent_spec]).await;
    let address = Address::new("session", MailboxLimits::each(10));
    let probe = Probe::new("session", Incarnation(1), &record);
    spawn(&parent, 1, ChildSpec::once("session", address.clone(), move |_| async move { Ok(probe) })).await.unwrap();
    assert_eq!(address.ask(SOON, Told::PanicAsked).await, Err(AskError::Crashed));
    assert_eq!(address.ask(SOON, Told::Ask).await, Err(AskError::Stopped));
    let _ = running.stop("test").await;
}
