//! What breaks comes back.

use std::time::Duration;

use wire::Limits;

use super::{
    super::Config,
    support::{Net4, Node, config, count, limits, until, vote},
};

#[tokio::test(flavor = "multi_thread")]
async fn sessions_survive_a_crash_of_the_listener_and_the_port_stays() {
    let net = Net4::default();
    let one = Node::start(&net, 1, &[]).await;
    let two = Node::start(&net, 2, &[1]).await;
    one.has_peers(1).await;
    let (session, address) = (one.session(&two), one.door.address());
    one.panic_at("p2p.listener", "Probe");
    until(|| one.restarts("p2p.listener") == 1 && one.door.is_self_dial_ok(), || "the listener is back".into()).await;
    assert_eq!(one.door.address(), address);
    assert_eq!(one.session(&two), session);
    let three = Node::start(&net, 3, &[1]).await;
    one.has_peers(2).await;
    assert_eq!(one.session(&two), session);
    for node in [one, two, three] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sessions_come_back_after_a_crash_of_gossip() {
    let net = Net4::default();
    let one = Node::start(&net, 1, &[2]).await;
    let two = Node::start(&net, 2, &[1]).await;
    one.has_peers(1).await;
    let before = one.session(&two);
    one.panic_at("p2p.gossip", "Sweep");
    until(|| one.restarts("p2p.gossip") == 1 && one.is_connected(&two) && one.session(&two) != before, || "a new session".into()).await;
    until(|| two.peers.broadcast(&two.peers.encode(vote()).unwrap()) == 1, || "a session on the other side".into()).await;
    until(|| 0 < count(&one.heard.consensus), || "a vote".into()).await;
    let events = one.heard.events.lock().clone();
    assert!(events.starts_with(&["up".to_owned(), "down".to_owned(), "up".to_owned()]), "{events:?}");
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashed_dialer_goes_on_dialling() {
    let net = Net4::default();
    let one = Node::start(&net, 1, &[2]).await;
    one.panic_at("p2p.dialer", "Tick");
    until(|| one.restarts("p2p.dialer") == 1, || "the dialer is back".into()).await;
    let two = Node::start(&net, 2, &[]).await;
    one.has_peers(1).await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_killed_and_came_back_elsewhere_is_found_again() {
    let net = Net4::default();
    let one = Node::start(&net, 1, &[2]).await;
    let two = Node::start(&net, 2, &[]).await;
    one.has_peers(1).await;
    // No goodbye: the tree is killed with all that it holds.
    drop(two);
    one.has_peers(0).await;
    let two = Node::start(&net, 2, &[]).await;
    one.has_peers(1).await;
    two.has_peers(1).await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_stopped_accepting_is_found_and_opened_again() {
    let net = Net4::default();
    let limits = Limits { tls: Duration::from_millis(500), ..limits() };
    let one = Node::start_with(&net, 1, Config { limits, ..config(1, &[]) }).await;
    until(|| one.door.is_self_dial_ok(), || "the first look".into()).await;
    let address = one.door.address();
    net.jam();
    until(|| one.restarts("p2p.listener") == 1 && one.door.is_self_dial_ok(), || "the door is open again".into()).await;
    assert_eq!(one.door.address(), address);
    let two = Node::start(&net, 2, &[1]).await;
    one.has_peers(1).await;
    one.stop().await;
    two.stop().await;
}
