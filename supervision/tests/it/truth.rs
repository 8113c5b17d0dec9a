use std::sync::mpsc;

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use supervision::*;

use crate::probe::*;

fn inject(child: &str, kind: FaultKind, on: Strike) -> FaultInjection {
    FaultInjection { child: child.to_owned(), kind, on }
}

#[test]
fn a_snapshot_answers_while_the_runtime_is_blocked() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (snapshots, seen) = mpsc::channel::<Snapshots>();
    let (done, wait) = mpsc::channel();
    let outside = std::thread::spawn(move || {
        let snapshots = seen.recv().unwrap();
        let snapshot = snapshots.take();
        done.send(()).unwrap();
        snapshot
    });
    runtime.block_on(async {
        let (address, spec) = probe("a", &Record::default());
        let running = run(vec![spec]).await;
        address.try_send(Told::Note(1)).unwrap();
        snapshots.send(running.snapshots()).unwrap();
        // Nothing else can run on this runtime until the snapshot was taken.
        wait.recv_timeout(SOON).unwrap();
    });
    let snapshot = outside.join().unwrap();
    let child = snapshot.child("a").unwrap();
    assert_eq!((child.state, child.mailbox_depth, child.mailbox_capacity), (ChildState::Running, 1, 6000));
    let text = serde_json::to_string(&snapshot).unwrap();
    assert!(text.contains(r#""state":"running""#), "{text}");
}

#[tokio::test]
async fn an_injected_panic_strikes_the_message_it_was_meant_for() {
    let record = Record::default();
    let (address, spec) = probe("a", &record);
    let running = run(vec![spec]).await;
    running.inject(inject("a", FaultKind::Panic, Strike::Named("Ask".into()))).unwrap();
    address.try_send(Told::Note(1)).unwrap();
    assert_eq!(address.ask(SOON, Told::Ask).await, Err(AskError::Crashed));
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    let child = running.snapshot().child("a").unwrap().clone();
    assert_eq!((child.restarts, child.handled), (1, 2));
    assert!(child.last_exit.unwrap().contains("panic in Ask: injected panic"));
    assert_eq!(record.with("note"), ["a 1 note 1"]);
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn faults_are_refused_unless_enabled() {
    let tree = Tree::build("test", vec![probe("a", &Record::default()).1], Config { chaos: false, ..config() }).unwrap();
    let running = tree.start().await;
    let fault = || inject("a", FaultKind::Error, Strike::NextMessage);
    assert_eq!(running.inject(fault()), Err(InjectError::Disabled));
    let _ = running.stop("test").await;

    let running = run(vec![probe("a", &Record::default()).1]).await;
    let nobody = FaultInjection { child: "z".into(), ..fault() };
    assert_eq!(running.inject(nobody), Err(InjectError::Unknown("z".into())));
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn the_same_message_killing_again_and_again_is_named_and_not_retried() {
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec]).await;
    for _ in 0..3 {
        address.try_send(Told::Panic).unwrap();
    }
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    let child = running.snapshot().child("a").unwrap().clone();
    assert_eq!(child.restarts, 3);
    assert!(child.last_exit.unwrap().contains("3 times in a row"));
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn dropping_a_tree_kills_everybody() {
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec]).await;
    let fence = address.fence();
    assert!(fence.is_current(Incarnation(1)));
    drop(running);
    eventually("its mailbox is closed", || address.try_send(Told::Note(1)).is_err()).await;
    assert_eq!(address.ask(SOON, Told::Ask).await, Err(AskError::Stopped));
    assert!(!fence.is_current(Incarnation(1)));
}

#[tokio::test]
async fn what_is_counted_is_described_and_counts() {
    let registry = prometheus::Registry::new();
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .without_units()
        .without_counter_suffixes()
        .with_resource_selector(opentelemetry_prometheus::ResourceSelector::None);
    let provider = SdkMeterProvider::builder().with_reader(exporter.build().unwrap()).build();
    let (address, spec) = probe("a", &Record::default());
    let tree = Tree::build("test", vec![spec], Config { meter: provider.meter("test"), ..config() }).unwrap();
    let running = tree.start().await;
    address.try_send(Told::Panic).unwrap();
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));

    let families: Vec<_> = registry.gather().into_iter().filter(|family| family.name().starts_with("supervision")).collect();
    let names: Vec<&str> = families.iter().map(|family| family.name()).collect();
    let expected = [
        "supervision_dead_letters_total",
        "supervision_handling_time_seconds",
        "supervision_hangs_total",
        "supervision_mailbox_depth_messages",
        "supervision_messages_handled_total",
        "supervision_queue_time_seconds",
        "supervision_restarts_total",
    ];
    assert_eq!(names, expected);
    assert!(families.iter().all(|family| !family.help().is_empty()));
    let counted = |name: &str| families.iter().find(|family| family.name() == name).unwrap().get_metric()[0].get_counter().get_value();
    assert_eq!((counted("supervision_restarts_total"), counted("supervision_messages_handled_total")), (1.0, 1.0));
    let _ = running.stop("test").await;
}

#[tokio::test(start_paused = true)]
async fn who_is_busy_for_two_seconds_is_called_slow_before_it_is_called_hung() {
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec.hang_limit(ms(10_000))]).await;
    address.try_send(Told::Hang).unwrap();
    tokio::time::sleep(ms(1900)).await;
    assert!(running.snapshot().is_healthy());
    tokio::time::sleep(ms(200)).await;
    let child = running.snapshot().child("a").unwrap().clone();
    assert_eq!((child.slow, child.state, child.busy_with.as_deref()), (true, ChildState::Running, Some("Hang")));
    assert!(!running.snapshot().is_healthy());
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn a_panic_tells_its_place_where_the_process_notes_it() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        note_panic(info);
        default(info);
    }));
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec]).await;
    address.try_send(Told::Panic).unwrap();
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    let exit = running.snapshot().child("a").unwrap().last_exit.clone().unwrap();
    assert!(exit.contains("told to panic at ") && exit.contains("probe.rs:"), "{exit}");
    let _ = running.stop("test").await;
}

#[tokio::test]
async fn a_fault_that_was_cleared_strikes_nobody() {
    let (address, spec) = probe("a", &Record::default());
    let running = run(vec![spec]).await;
    let faults = running.faults();
    faults.inject(inject("a", FaultKind::Error, Strike::Probability { per_mille: 1000, seed: 1 })).unwrap();
    assert_eq!(address.ask(SOON, Told::Ask).await, Err(AskError::Crashed));
    assert!(faults.clear("a") && !faults.clear("z"));
    assert_eq!(address.ask(SOON, Told::Ask).await, Ok(0));
    let _ = running.stop("test").await;
}
