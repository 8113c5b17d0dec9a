//! Peers that are cut, banned, or kept.

use std::time::Duration;

use tokio::{io::AsyncReadExt, net::TcpStream};
use wire::{
    Farewell, Limits, Message, ValidatorProof,
    message::{GetBlocks, Part},
};

use super::{
    super::{Config, Culprit, Offence},
    strangers::{Talker, dial, farewell, with_one_seat},
    support::{DOMAIN, Net4, Node, config, count, identity, key, limits, soon, until, vote},
};

/// A proof that was made for another node.
fn stolen() -> Message {
    Message::ValidatorProof(ValidatorProof::new(&key(101), &DOMAIN, identity(99).node()))
}

/// Configuration of a node on whose links nobody is silent for too long.
fn patient(index: u16, peers: &[u16]) -> Config {
    Config { ping: Duration::from_secs(60), keepalive: Duration::from_secs(60), ..config(index, peers) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_with_a_forged_proof_is_banned_until_somebody_forgives_it() {
    let net = Net4::default();
    let node = Node::start_with(&net, 1, patient(1, &[])).await;
    let mut forger = Talker::dial(&node, 3, [stolen()]).await;
    assert_eq!(farewell(&mut forger.inbound).await, Farewell::Nonsense);
    node.has_peers(0).await;
    let mut again = Talker::dial(&node, 3, []).await;
    assert_eq!(farewell(&mut again.inbound).await, Farewell::Banned);
    let honest = Talker::dial(&node, 4, []).await;
    until(|| honest.is_connected(&node), || "another node of the same address".into()).await;
    assert!(!forger.is_connected(&node));
    assert!(node.peers.unban(&Culprit::Node(forger.node)));
    let forgiven = Talker::dial(&node, 3, []).await;
    until(|| forgiven.is_connected(&node), || "the one that is forgiven".into()).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_peer_is_cut_for_the_worst_and_comes_back_at_once() {
    let net = Net4::default();
    let one = Node::start_with(&net, 1, patient(1, &[2])).await;
    let two = Node::start_with(&net, 2, patient(2, &[])).await;
    one.has_peers(1).await;
    two.has_peers(1).await;
    let (node, session) = (two.identity.node(), one.session(&two));
    for _ in 0..1_000 {
        one.peers.offence(&node, Offence::Excess, "load");
    }
    assert_eq!(one.session(&two), session, "load costs it nothing");
    assert!(one.peers.offence(&node, Offence::BadBlock, "a test"));
    until(|| one.is_connected(&two) && one.session(&two) != session, || "a new session".into()).await;
    assert!(one.peers.conduct().bans().is_empty());
    assert_eq!(one.peers.conduct().record(&node).offences()[&Offence::BadBlock], 1);
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_operator_bans_is_gone_and_stays_away_though_it_is_configured() {
    let net = Net4::default();
    let one = Node::start_with(&net, 1, patient(1, &[2])).await;
    let two = Node::start_with(&net, 2, patient(2, &[1])).await;
    one.has_peers(1).await;
    let culprit = Culprit::Node(two.identity.node());
    one.peers.ban(culprit, Duration::from_secs(3_600), "by hand");
    one.has_peers(0).await;
    // Both go on dialling; whoever is another peer comes in meanwhile.
    let other = Talker::dial(&one, 4, []).await;
    until(|| other.is_connected(&one), || "another peer".into()).await;
    assert!(!one.is_connected(&two));
    one.peers.unban(&culprit);
    until(|| one.is_connected(&two), || "the one that is forgiven".into()).await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_banned_address_no_handshake_begins_and_who_is_there_already_leaves() {
    let net = Net4::default();
    // Its look at its own door comes from that address.
    let node = Node::start_with(&net, 1, Config { self_dial: Duration::from_secs(3_600), ..patient(1, &[]) }).await;
    let mut present = Talker::dial(&node, 2, []).await;
    node.has_peers(1).await;
    let address = node.door.address().unwrap();
    let here = Culprit::at(address.ip());
    node.peers.ban(here, Duration::from_secs(3_600), "by hand");
    assert_eq!(farewell(&mut present.inbound).await, Farewell::Banned);
    let mut barred = TcpStream::connect(address).await.unwrap();
    assert_eq!(soon(barred.read(&mut [0; 1])).await.unwrap_or(0), 0, "the connection is dropped");
    assert!(node.peers.unban(&here));
    let forgiven = Talker::dial(&node, 2, []).await;
    until(|| forgiven.is_connected(&node), || "the one that is forgiven".into()).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_peer_says_after_it_was_cut_is_not_heard() {
    let net = Net4::default();
    let node = Node::start_with(&net, 1, patient(1, &[])).await;
    let mut peer = dial(&node, 2).await;
    node.has_peers(1).await;
    node.peers.offence(&identity(2).node(), Offence::BadStream, "a test");
    (0..10).for_each(|_| peer.outbound.try_send(&node.peers.encode(vote()).unwrap()).unwrap());
    let writing = tokio::spawn(peer.writer.run());
    assert_eq!(farewell(&mut peer.inbound).await, Farewell::Nonsense);
    node.has_peers(0).await;
    assert_eq!(count(&node.heard.consensus), 0);
    writing.abort();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_reads_nothing_is_cut_as_slow_and_holds_nobody_up() {
    let net = Net4::default();
    let limits = Limits { flush: Duration::from_millis(300), farewell: Duration::from_millis(300), ..limits() };
    let node = Node::start_with(&net, 1, Config { limits, ..patient(1, &[]) }).await;
    let deaf = dial(&node, 2).await;
    let reads = Talker::dial(&node, 3, []).await;
    node.has_peers(2).await;
    let part =
        Part { height: primitives::Height(1), round: primitives::Round(0), value: primitives::B256::ZERO, index: 0, bytes: vec![7; 60 << 10].into() };
    let part = node.peers.encode(Message::Part(part)).unwrap();
    let name = identity(2).node();
    let fill = || {
        // Far more than sockets keep for it.
        (0..64).for_each(|_| drop(node.peers.send_to(&name, &part)));
        !node.peers.is_connected(&name)
    };
    until(fill, || "the session is still there".into()).await;
    assert_eq!(node.peers.conduct().record(&name).offences().get(&Offence::Slow), Some(&1));
    assert!(reads.is_connected(&node));
    drop(deaf);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_says_goodbye_and_waits_for_nobody_who_does_not_read() {
    let net = Net4::default();
    let node = Node::start_with(&net, 1, patient(1, &[])).await;
    let deaf = dial(&node, 2).await;
    let mut reads = Talker::dial(&node, 3, []).await;
    node.has_peers(2).await;
    let part =
        Part { height: primitives::Height(1), round: primitives::Round(0), value: primitives::B256::ZERO, index: 0, bytes: vec![7; 60 << 10].into() };
    let part = node.peers.encode(Message::Part(part)).unwrap();
    (0..512).for_each(|_| drop(node.peers.send_to(&identity(2).node(), &part)));
    let stopping = tokio::spawn(soon(node.stop()));
    assert_eq!(farewell(&mut reads.inbound).await, Farewell::Stopping);
    stopping.await.unwrap();
    drop(deaf);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_questions_is_dropped_first_and_then_ends_the_session() {
    let net = Net4::default();
    let node = Node::start_with(&net, 1, patient(1, &[])).await;
    let question = || Message::GetBlocks(GetBlocks { from: primitives::Height(1), count: 32 });
    let mut flooder = Talker::dial(&node, 2, std::iter::repeat_with(question).take(5_000)).await;
    assert_eq!(farewell(&mut flooder.inbound).await, Farewell::Overflow);
    let heard = count(&node.heard.other);
    assert!((512..4_000).contains(&heard), "{heard} arrived");
    assert_eq!(node.peers.conduct().record(&flooder.node).offences().get(&Offence::Flood), Some(&1));
    assert!(node.peers.conduct().bans().is_empty(), "once is not enough for a ban");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_validator_is_found_at_once_and_a_silent_stranger_is_left_in_peace() {
    let net = Net4::default();
    let quick = Config { ping: Duration::from_millis(100), max_strangers: 8, ..with_one_seat(&[]) };
    let node = Node::start_with(&net, 1, quick).await;
    node.peers.introduce(ValidatorProof::new(&key(101), &DOMAIN, node.identity.node())).unwrap();
    let stranger = Talker::dial(&node, 2, []).await;
    let mut validator = Talker::validator(&node, 3, 101).await;
    assert_eq!(farewell(&mut validator.inbound).await, Farewell::Silent);
    assert!(stranger.is_connected(&node), "it has answered as little");
    node.stop().await;
}
