//! Peers that do not behave.

use std::{net::SocketAddr, sync::atomic::Ordering::SeqCst, time::Duration};

use primitives::{NodeId, Validator, ValidatorSet};
use tokio::{io::AsyncReadExt, net::TcpStream, task::JoinSet};
use wire::{Connection, Encoded, Farewell, Inbound, Message, Net, Outbound, Tcp, ValidatorProof};

use super::{
    super::Config,
    support::{DOMAIN, Net4, Node, config, count, current, identity, key, limits, soon, until, vote},
};

pub async fn dial(node: &Node, index: u16) -> Connection<TcpStream> {
    let tcp = Tcp::VALIDATOR.connect("127.0.0.1", node.door.address().unwrap().port()).await.unwrap();
    soon(wire::dial(tcp, &identity(index), Some(node.identity.node()), &limits())).await.unwrap()
}

/// The reason of the goodbye that ends this link.
pub async fn farewell(inbound: &mut Inbound<TcpStream>) -> Farewell {
    loop {
        if let Message::Goodbye(goodbye) = soon(inbound.next()).await.unwrap().message {
            return goodbye.reason;
        }
    }
}

fn of_another_chain(message: Message) -> Encoded {
    Encoded::new(DOMAIN.chain_id + 1, message, None).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_answers_pings_is_dead_after_three() {
    let net = Net4::default();
    let node = Node::start(&net, 1, &[]).await;
    let mut mute = dial(&node, 2).await;
    node.has_peers(1).await;
    assert_eq!(farewell(&mut mute.inbound).await, Farewell::Silent);
    node.has_peers(0).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_reads_is_dead_after_three_pings_too() {
    let net = Net4::default();
    let node = Node::start(&net, 1, &[]).await;
    let deaf = dial(&node, 2).await;
    node.has_peers(1).await;
    let big = node.peers.encode(super::support::part()).unwrap();
    until(|| node.peers.broadcast(&big) == 0, || "the session is still there".into()).await;
    node.has_peers(0).await;
    drop(deaf);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_nonsense_ends_a_session_and_a_little_does_not() {
    let net = Net4::default();
    let node = Node::start(&net, 1, &[]).await;
    // Before the other, which must not be silent for long.
    let spare = dial(&node, 3).await.writer;
    let mut peer = dial(&node, 2).await;
    node.has_peers(2).await;
    let nonsense = of_another_chain(vote());
    (0..15).for_each(|_| peer.outbound.try_send(&nonsense).unwrap());
    peer.outbound.try_send(&Encoded::new(DOMAIN.chain_id, current(), None).unwrap()).unwrap();
    let outbound = peer.outbound.clone();
    let writer = std::mem::replace(&mut peer.writer, spare);
    let writing = tokio::spawn(writer.run());
    until(|| node.heard.other.load(SeqCst) == 1, || "the good message".into()).await;
    outbound.try_send(&nonsense).unwrap();
    assert_eq!(farewell(&mut peer.inbound).await, Farewell::Nonsense);
    writing.abort();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_a_limited_number_of_connections() {
    let net = Net4::default();
    // The self-dial needs a place too.
    let config = Config { max_per_ip: 2, self_dial: Duration::from_secs(3_600), ..config(1, &[]) };
    let node = Node::start_with(&net, 1, config).await;
    let address: SocketAddr = node.door.address().unwrap();
    let (first, second) = (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
    let mut third = TcpStream::connect(address).await.unwrap();
    assert_eq!(soon(third.read(&mut [0; 1])).await.unwrap_or(0), 0, "the third connection is dropped");
    drop((first, second));
    let _peer = soon(async {
        loop {
            let tcp = TcpStream::connect(address).await.unwrap();
            if let Ok(connection) = wire::dial(tcp, &identity(2), None, &limits()).await {
                return connection;
            }
        }
    })
    .await;
    node.has_peers(1).await;
    node.stop().await;
}

/// A node with a seat for one stranger, in a set of which validator 101 is all.
pub fn with_one_seat(peers: &[u16]) -> Config {
    let (address, public_key) = (key(101).address(), key(101).public_key());
    let validators = ValidatorSet::new(vec![Validator { address, public_key, power: 1 }]).unwrap();
    Config { max_strangers: 1, validators: Some(validators), ping: Duration::from_secs(60), keepalive: Duration::from_secs(60), ..config(1, peers) }
}

/// A peer that says these messages, in one breath, and listens.
pub struct Talker {
    pub node: NodeId,
    pub inbound: Inbound<TcpStream>,
    _outbound: Outbound,
    _writing: JoinSet<()>,
}

impl Talker {
    pub async fn dial(node: &Node, index: u16, messages: impl IntoIterator<Item = Message>) -> Self {
        let Connection { inbound, outbound, writer, .. } = dial(node, index).await;
        for message in messages {
            outbound.try_send(&Encoded::new(DOMAIN.chain_id, message, None).unwrap()).unwrap();
        }
        let mut writing = JoinSet::new();
        writing.spawn(async { drop(writer.run().await) });
        Self { node: identity(index).node(), inbound, _outbound: outbound, _writing: writing }
    }

    /// One that proves to speak for this validator.
    pub async fn validator(node: &Node, index: u16, validator: u16) -> Self {
        let proof = ValidatorProof::new(&key(validator), &DOMAIN, identity(index).node());
        let talker = Self::dial(node, index, [Message::ValidatorProof(proof), current()]).await;
        until(|| node.peers.get(&talker.node).is_some() && 0 < count(&node.heard.other), || "the proof is judged".into()).await;
        node.heard.other.store(0, SeqCst);
        talker
    }

    pub fn is_connected(&self, to: &Node) -> bool {
        to.peers.is_connected(&self.node)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_makes_room_for_the_next_one_and_hears_why() {
    let net = Net4::default();
    let node = Node::start_with(&net, 1, with_one_seat(&[])).await;
    let mut first = Talker::dial(&node, 2, []).await;
    until(|| first.is_connected(&node), || "the first stranger".into()).await;
    let second = Talker::dial(&node, 3, []).await;
    assert_eq!(farewell(&mut first.inbound).await, Farewell::TooMany);
    until(|| second.is_connected(&node) && !first.is_connected(&node), || format!("{:?}", node.peers.list())).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_strangers_locks_neither_validators_nor_configured_peers_out() {
    let net = Net4::default();
    let node = Node::start_with(&net, 1, with_one_seat(&[9])).await;
    let _stranger = Talker::dial(&node, 2, []).await;
    let validator = Talker::validator(&node, 3, 101).await;
    let configured = Node::start(&net, 9, &[]).await;
    until(|| node.is_connected(&configured), || "the configured peer".into()).await;
    let session = node.session(&configured);
    let mut crowd = Vec::new();
    for index in 20..40 {
        let stranger = Talker::dial(&node, index, []).await;
        until(|| stranger.is_connected(&node), || format!("stranger {index}")).await;
        crowd.push(stranger);
    }
    assert!(validator.is_connected(&node));
    assert_eq!(node.session(&configured), session);
    assert_eq!(node.peers.list().len(), 3);
    node.stop().await;
    configured.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_for_a_key_outside_the_set_makes_no_validator() {
    let net = Net4::default();
    let node = Node::start_with(&net, 1, with_one_seat(&[])).await;
    let mut pretender = Talker::validator(&node, 2, 102).await;
    assert_eq!(node.peers.get(&pretender.node).unwrap().validator(), None);
    let _next = Talker::dial(&node, 3, []).await;
    assert_eq!(farewell(&mut pretender.inbound).await, Farewell::TooMany);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_votes_ends_the_session_of_the_flooder_alone() {
    let net = Net4::default();
    let node = Node::start_with(&net, 1, with_one_seat(&[])).await;
    let validator = Talker::validator(&node, 2, 101).await;
    let mut flooder = Talker::dial(&node, 3, std::iter::repeat_with(vote).take(5_000)).await;
    assert_eq!(farewell(&mut flooder.inbound).await, Farewell::Overflow);
    assert!(count(&node.heard.consensus) < 4_000, "{} arrived", count(&node.heard.consensus));
    assert!(validator.is_connected(&node));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_may_say_more_than_a_stranger() {
    let net = Net4::default();
    let node = Node::start_with(&net, 1, with_one_seat(&[])).await;
    let proof = ValidatorProof::new(&key(101), &DOMAIN, identity(2).node());
    let votes = std::iter::repeat_with(vote).take(1_200);
    let validator = Talker::dial(&node, 2, std::iter::once(Message::ValidatorProof(proof)).chain(votes)).await;
    until(|| count(&node.heard.consensus) == 1_200, || format!("{} arrived", count(&node.heard.consensus))).await;
    assert!(validator.is_connected(&node));
    node.stop().await;
}

/// Sockets of this machine at local port `port` that somebody still holds open.
fn held(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let is_held = |line: &&str| {
        let mut columns = line.split_whitespace().skip(1);
        let (local, state) = (columns.next().unwrap(), columns.nth(1).unwrap());
        // Established, or closed by the other side only.
        local.ends_with(&format!(":{port:04X}")) && matches!(state, "01" | "08")
    };
    table.lines().skip(1).filter(is_held).count()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn links_that_came_and_went_leave_no_socket_behind() {
    let net = Net4::default();
    let node = Node::start_with(&net, 1, Config { self_dial: Duration::from_secs(3_600), ..config(1, &[]) }).await;
    let port = node.door.address().unwrap().port();
    for index in 0..200 {
        drop(dial(&node, 2 + index % 100).await);
        // One that leaves before the handshake, too.
        drop(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    node.has_peers(0).await;
    until(|| held(port) == 0, || format!("{} sockets are held", held(port))).await;
    node.stop().await;
}
