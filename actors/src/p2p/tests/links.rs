//! Nodes that find each other and talk.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use wire::{Role, ValidatorProof};

use super::{
    super::Peer,
    support::{DOMAIN, Net4, Node, count, current, key, part, until, vote},
};

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_connect_and_hear_each_other() {
    let net = Net4::default();
    let one = Node::start(&net, 1, &[]).await;
    let two = Node::start(&net, 2, &[1]).await;
    one.has_peers(1).await;
    two.has_peers(1).await;
    for (speaker, hearer) in [(&one, &two), (&two, &one)] {
        for message in [vote(), part(), current()] {
            assert_eq!(speaker.peers.broadcast(&speaker.peers.encode(message).unwrap()), 1);
        }
        let heard = || [&hearer.heard.consensus, &hearer.heard.parts, &hearer.heard.other].map(count);
        until(|| heard() == [1, 1, 1], || format!("{:?}", heard())).await;
    }
    let link = one.peers.list()[0].clone();
    until(|| link.round_trip().is_some() && link.clock_offset_ms().is_some(), || format!("{link:?} was never measured")).await;
    until(|| 0 < count(&one.heard.measured), || "nobody is told of the measurement".into()).await;
    assert_eq!(two.peers.list()[0].remote(), one.door.address());
    assert_eq!(link.remote().map(|remote| remote.ip()), one.door.address().map(|address| address.ip()));
    assert!(Duration::ZERO < link.since());
    one.stop().await;
    two.has_peers(0).await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_nodes_that_all_dial_each_other_end_with_one_session_for_each_pair() {
    let net = Net4::default();
    let mut nodes = Vec::new();
    for index in 1..=4 {
        nodes.push(Node::start(&net, index, &[1, 2, 3, 4]).await);
    }
    let both_agree = |a: &Node, b: &Node| {
        let (there, back) = (a.peers.get(&b.identity.node()), b.peers.get(&a.identity.node()));
        matches!((there, back), (Some(there), Some(back)) if there.role() != back.role())
    };
    let all_agree = || nodes.iter().all(|a| nodes.iter().all(|b| a.identity.node() == b.identity.node() || both_agree(a, b)));
    until(all_agree, || format!("{:?}", nodes.iter().map(|node| node.peers.list()).collect::<Vec<_>>())).await;
    // Every vote of every node arrives at the three others.
    for node in &nodes {
        assert_eq!(node.peers.broadcast(&node.peers.encode(vote()).unwrap()), 3);
    }
    until(|| nodes.iter().all(|node| count(&node.heard.consensus) == 3), || "votes are missing".into()).await;
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_is_known_by_its_proof_whether_given_before_or_after_the_link() {
    let net = Net4::default();
    let one = Node::start(&net, 1, &[]).await;
    let proof = |node: &Node, validator: u16| ValidatorProof::new(&key(validator), &DOMAIN, node.identity.node());
    one.peers.introduce(proof(&one, 101)).unwrap();
    let two = Node::start(&net, 2, &[1]).await;
    let found = |node: &Node, validator: u16| {
        let peers = node.peers.list();
        peers.iter().find(|peer| peer.validator() == Some(key(validator).address())).map(Peer::node)
    };
    until(|| found(&two, 101) == Some(one.identity.node()), || "the proof given before".into()).await;
    two.peers.introduce(proof(&two, 102)).unwrap();
    until(|| found(&one, 102) == Some(two.identity.node()), || "the proof given after".into()).await;
    assert!(one.heard.events.lock().contains(&"validator".to_owned()));
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_without_room_is_dropped_and_a_vote_without_room_begins_a_new_session() {
    let net = Net4::default();
    let one = Node::start(&net, 1, &[]).await;
    let two = Node::start(&net, 2, &[1]).await;
    two.has_peers(1).await;
    one.has_peers(1).await;
    let say = |message| two.peers.broadcast(&two.peers.encode(message).unwrap());
    let first = one.session(&two);

    one.heard.refuse.store(1, SeqCst);
    say(part());
    say(part());
    until(|| count(&one.heard.parts) == 1, || "the second part".into()).await;
    assert_eq!(one.session(&two), first);

    one.heard.refuse.store(1, SeqCst);
    say(vote());
    until(|| one.is_connected(&two) && one.session(&two) != first, || "a new session".into()).await;
    until(|| two.is_connected(&one) && say(vote()) == 1 && 0 < count(&one.heard.consensus), || "a vote on the new session".into()).await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lists_itself_dials_itself_once() {
    let net = Net4::default();
    let one = Node::start(&net, 1, &[1, 2]).await;
    let two = Node::start(&net, 2, &[]).await;
    one.has_peers(1).await;
    assert_eq!(one.peers.list()[0].role(), Role::Dialler);
    one.stop().await;
    two.stop().await;
}
