//! Nodes that learn of each other.

use std::time::Duration;

use super::{
    super::{Config, Culprit},
    support::{Net4, Node, config, until},
};

/// Node `index`, which dials `peers` and whom it learns of.
fn curious(index: u16, peers: &[u16]) -> Config {
    Config { max_outbound: 16, ..config(index, peers) }
}

async fn start(net: &Net4, index: u16, peers: &[u16]) -> Node {
    Node::start_with(net, index, curious(index, peers)).await
}

fn knows(node: &Node, other: &Node) -> bool {
    node.book.with(|book| book.get(&other.identity.node()).is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn address_exchange_teaches_new_peers() {
    let net = Net4::default();
    let one = start(&net, 1, &[]).await;
    let two = start(&net, 2, &[1]).await;
    one.has_peers(1).await;
    // Only node 2 is told of node 3, after it has met node 1.
    let three = start(&net, 3, &[2]).await;
    until(|| knows(&one, &three) && knows(&three, &one), || "one and three have not heard of each other".into()).await;
    until(|| one.is_connected(&three) && three.is_connected(&one), || "one and three know each other and do not talk".into()).await;
    let (there, told) = (three.door.address(), one.book.with(|book| book.get(&three.identity.node()).map(|entry| entry.record.address)));
    assert_eq!(told, there);
    // One that comes later hears of all who are there, by asking.
    let four = start(&net, 4, &[1]).await;
    four.has_peers(3).await;
    for node in [one, two, three, four] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_node_says_nothing_and_its_sentry_tells_nobody_of_it() {
    let net = Net4::default();
    let hidden = Node::start_with(&net, 1, Config { is_private: true, ..curious(1, &[]) }).await;
    let private_peers = [hidden.identity.node()].into();
    let sentry = Node::start_with(&net, 2, Config { private_peers, ..curious(2, &[1]) }).await;
    let other = start(&net, 3, &[2]).await;
    until(|| knows(&sentry, &other) && knows(&other, &sentry), || "sentry and other have not heard of each other".into()).await;
    // Even if its record got out, the sentry keeps it to itself.
    let leaked =
        hidden.identity.record(wire::Whereabouts { address: hidden.door.address().unwrap(), issued_ms: 1, services: wire::Services::BLOCKS });
    sentry.book.with(|book| book.give(leaked, 0));
    let late = start(&net, 4, &[2]).await;
    until(|| knows(&late, &other) && knows(&late, &sentry), || "the latecomer has not been told".into()).await;
    assert!([&other, &late].iter().all(|node| !knows(node, &hidden)));
    assert_eq!(hidden.book.with(|book| book.entries().count()), 0);
    assert_eq!(hidden.peers.list().len(), 1);
    for node in [late, other, sentry, hidden] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banned_peer_is_neither_kept_nor_dialled_nor_accepted_until_its_time_is_over() {
    let net = Net4::default();
    let one = start(&net, 1, &[]).await;
    let two = start(&net, 2, &[1]).await;
    one.has_peers(1).await;
    let banned = Culprit::Node(two.identity.node());
    one.peers.ban(banned, Duration::from_secs(3_600), "by hand");
    one.has_peers(0).await;
    // Node 2 goes on dialling, and its every attempt ends at the door.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!one.is_connected(&two));
    assert!(one.peers.unban(&banned));
    until(|| one.is_connected(&two) && two.is_connected(&one), || "it may come back".into()).await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_the_operator_adds_is_dialled_at_once_and_for_ever() {
    let net = Net4::default();
    let one = Node::start(&net, 1, &[]).await;
    let two = Node::start(&net, 2, &[]).await;
    two.book.add("node:1".parse().unwrap()).unwrap();
    two.has_peers(1).await;
    two.panic_at("p2p.dialer", "Tick");
    until(|| two.restarts("p2p.dialer") == 1, || "the dialer did not fall".into()).await;
    one.stop().await;
    let again = Node::start(&net, 1, &[]).await;
    until(|| two.is_connected(&again), || "the added address is not dialled again".into()).await;
    again.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_store_forgets_nobody_and_it_learns_on() {
    let net = Net4::default();
    let one = start(&net, 1, &[]).await;
    let two = start(&net, 2, &[1]).await;
    until(|| knows(&one, &two), || "one has not heard of two".into()).await;
    one.panic_at("p2p.store", "Tick");
    until(|| one.restarts("p2p.store") == 1, || "the store did not fall".into()).await;
    assert!(knows(&one, &two) && one.is_connected(&two));
    let three = start(&net, 3, &[2]).await;
    until(|| knows(&one, &three), || "one has not heard of three".into()).await;
    for node in [one, two, three] {
        node.stop().await;
    }
}
