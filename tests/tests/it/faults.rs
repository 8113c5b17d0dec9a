//! Faults injected into a validator: four complete nodes in this process, and one of them is made to fail, actor by actor.

use std::time::{Duration, Instant};

use node::{boot::Node, client::Client};
use primitives::Height;
use supervision::{ChildState, FaultInjection, FaultKind, Strike};

use crate::testnet::{Load, eventually, fragile, secs};

const VICTIM: usize = 3;

fn tip(node: &Node) -> Height {
    node.seen().ledger.tip().unwrap_or_default()
}

/// Longest time within which node 0 did not move, until `is_over`.
async fn longest_gap(node: &Node, mut is_over: impl FnMut() -> bool) -> Duration {
    let (mut at, mut moved, mut longest, started) = (tip(node), Instant::now(), Duration::ZERO, Instant::now());
    while !is_over() {
        assert!(started.elapsed() < secs(20), "the fault is not over");
        tokio::time::sleep(Duration::from_millis(1)).await;
        if at < tip(node) {
            longest = longest.max(moved.elapsed());
            (at, moved) = (tip(node), Instant::now());
        }
    }
    longest.max(moved.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 16)]
async fn a_panic_in_any_actor_under_load_restarts_it_and_the_chain_goes_on() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        supervision::note_panic(info);
        usual(info);
    }));
    let directory = tempfile::tempdir().unwrap();
    let net = fragile(directory.path());
    let clients = net.nodes.iter().map(|launch| Client::new(&format!("http://{}", launch.config.rpc.listen)).unwrap()).collect();
    let mut nodes = Vec::new();
    for launch in net.nodes {
        nodes.push(Node::start(launch).await.unwrap());
    }
    for node in &nodes {
        node.ready().await.unwrap();
        eventually("a chain", secs(20), async || (Height(12) < tip(node)).then_some(())).await;
    }
    let load = Load::on(clients);
    let victim = &nodes[VICTIM];
    let names: Vec<String> = victim.snapshots().take().children.into_iter().map(|child| child.name).filter(|name| !name.contains('/')).collect();
    assert_eq!(names.len(), 13, "{names:?}");
    for name in &names {
        // The API hears of nothing but its own end, and nobody contradicts himself here.
        if ["api", "evidence"].contains(&name.as_str()) {
            continue;
        }
        let child = || victim.snapshots().take().children.into_iter().find(|child| child.name == *name).unwrap();
        victim.inject(FaultInjection { child: name.clone(), kind: FaultKind::Panic, on: Strike::NextMessage }).unwrap();
        let before = tip(&nodes[0]);
        let mut restarted_at = None;
        let gap = longest_gap(&nodes[0], || {
            let child = child();
            if 1 <= child.restarts && child.state == ChildState::Running {
                restarted_at.get_or_insert(tip(victim));
            }
            restarted_at.is_some_and(|at| Height(at.0 + 5) < tip(victim)) && Height(before.0 + 5) < tip(&nodes[0])
        })
        .await;
        println!("a panic in {name}: longest time without a block {gap:?}");
        let after = child();
        assert!(1 <= after.restarts && after.last_exit.is_some_and(|exit| format!("{exit:?}").contains("anic")), "{name}");
    }
    for node in &nodes {
        assert_eq!(node.snapshots().take().count(ChildState::Failed), 0, "{}", node.name);
    }
    drop(load);
    for node in nodes {
        let receipt = node.stop("the test is over").await;
        assert!(receipt.lock_released && receipt.leases_left == 0, "{receipt:?}");
    }
}
