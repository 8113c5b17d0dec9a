use supervision::*;
use tokio::time::Instant;

use crate::probe::*;

fn rings(running: &Running) -> Vec<Vec<String>> {
    let ring = |event: Event| match event.kind {
        EventKind::AskCycle { children } => Some(children),
        _ => None,
    };
    running.events().recent().into_iter().filter_map(ring).collect()
}

#[tokio::test(start_paused = true)]
async fn an_ask_cycle_is_shown_and_ends_at_its_deadline() {
    let record = Record::default();
    let ((a, a_spec), (b, b_spec), (c, c_spec)) = (probe("a", &record), probe("b", &record), probe("c", &record));
    let running = run(vec![a_spec, b_spec, c_spec]).await;
    let began = Instant::now();
    a.try_send(Told::AskOther(b.clone(), ms(1000))).unwrap();
    b.try_send(Told::AskOther(c.clone(), ms(2000))).unwrap();
    c.try_send(Told::AskOther(a.clone(), ms(2000))).unwrap();
    tokio::time::sleep(ms(100)).await;
    let waits = |name: &str| running.snapshot().child(name).unwrap().waiting_for.clone().unwrap();
    assert_eq!(["a", "b", "c"].map(waits), ["b", "c", "a"]);
    assert_eq!(rings(&running), [["a", "b", "c"]]);

    assert_eq!(a.ask(SOON, Told::Ask).await, Ok(0));
    assert!((ms(1000)..=ms(1005)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(record.with("asked")[0], "a asked Err(Deadline)");
    eventually("nobody waits", || running.snapshot().children.iter().all(|child| !child.waiting && child.waiting_for.is_none())).await;
    assert_eq!(rings(&running).len(), 1, "it was told once");
    assert!(running.snapshot().children.iter().all(|child| child.incarnation == 1));
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_itself_waits_for_itself_and_a_chain_is_no_cycle() {
    let record = Record::default();
    let ((a, a_spec), (b, b_spec), (c, c_spec)) = (probe("a", &record), probe("b", &record), probe("c", &record));
    let running = run(vec![a_spec, b_spec, c_spec]).await;
    a.try_send(Told::AskOther(b.clone(), ms(300))).unwrap();
    b.try_send(Told::AskOther(c.clone(), ms(300))).unwrap();
    tokio::time::sleep(ms(200)).await;
    assert_eq!(rings(&running), Vec::<Vec<String>>::new());
    c.try_send(Told::AskOther(c.clone(), ms(300))).unwrap();
    eventually("it is shown", || rings(&running) == [["c"]]).await;
    assert_eq!(running.snapshot().child("c").unwrap().waiting_for.as_deref(), Some("c"));
    assert_eq!(c.ask(SOON, Told::Ask).await, Ok(0));
    let _ = running.stop("test").await;
}
