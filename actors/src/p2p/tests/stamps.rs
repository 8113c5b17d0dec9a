//! Work at the door.

use primitives::{NodeId, Validator, ValidatorSet};
use tokio::net::TcpStream;
use wire::{Connection, Encoded, HandshakeError, MAX_STAMP_BITS, Message, Net, Tcp, ValidatorProof};

use super::{
    super::Config,
    strangers::dial,
    support::{DOMAIN, Net4, Node, config, identity, key, limits, soon, until},
};

async fn try_dial(node: &Node, index: u16) -> Result<Connection<TcpStream>, HandshakeError> {
    let tcp = Tcp::VALIDATOR.connect("127.0.0.1", node.door.address().unwrap().port()).await.unwrap();
    soon(wire::dial(tcp, &identity(index), Some(node.identity.node()), &limits())).await
}

/// More than anybody would do, so whoever gets in was asked for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_asked_for_work_and_configured_peers_are_not() {
    let net = Net4::default();
    let named: NodeId = identity(2).node();
    let peers = vec![format!("{named}@node:77").parse().unwrap(), "node:3".parse().unwrap()];
    let node = Node::start_with(&net, 1, Config { stamp_bits: MAX_STAMP_BITS + 1, peers, ..config(1, &[]) }).await;
    let refused = try_dial(&node, 9).await;
    assert!(matches!(refused, Err(HandshakeError::TooMuchWork { .. })), "{refused:?}");
    assert!(try_dial(&node, 2).await.is_ok());
    // Configured by its address alone: known once we have reached it.
    assert!(matches!(try_dial(&node, 3).await, Err(HandshakeError::TooMuchWork { .. })));
    let third = Node::start(&net, 3, &[]).await;
    until(|| node.is_connected(&third), || "node 3 is dialled".into()).await;
    assert!(try_dial(&node, 3).await.is_ok());
    third.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_proved_to_be_a_validators_is_not_asked_again() {
    let net = Net4::default();
    let set = ValidatorSet::new(vec![Validator { address: key(101).address(), public_key: key(101).public_key(), power: 1 }]).unwrap();
    let node = Node::start_with(&net, 1, Config { stamp_bits: 8, validators: Some(set), ..config(1, &[]) }).await;
    let peer = dial(&node, 5).await;
    assert!(!node.peers.exempt().has(&peer_node(5)));
    let proof = ValidatorProof::new(&key(101), &DOMAIN, peer_node(5));
    peer.outbound.try_send(&Encoded::new(DOMAIN.chain_id, Message::ValidatorProof(proof), None).unwrap()).unwrap();
    let writing = tokio::spawn(peer.writer.run());
    until(|| node.peers.exempt().has(&peer_node(5)), || "the proof is believed".into()).await;
    writing.abort();
    node.stop().await;
}

fn peer_node(index: u16) -> NodeId {
    identity(index).node()
}
