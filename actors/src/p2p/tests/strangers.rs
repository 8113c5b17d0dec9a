//! Peers that do not behave.

use std::{net::SocketAddr, time::Duration};

use tokio::{io::AsyncReadExt, net::TcpStream};
use wire::{Connection, Encoded, Farewell, Message, Net, Tcp};

use super::{
    super::{Config, Peers},
    support::{DOMAIN, Net4, Node, config, current, identity, limits, soon, until, vote},
};

pub async fn dial(node: &Node, index: u16) -> Connection<TcpStream> {
    let tcp = Tcp::VALIDATOR.connect("127.0.0.1", node.door.address().unwrap().port()).await.unwrap();
    soon(wire::dial(tcp, &identity(index), Some(node.identity.node()), &limits())).await.unwrap()
}

/// The reason of the goodbye that ends this link.
async fn farewell(connection: &mut Connection<TcpStream>) -> Farewell {
    loop {
        if let Message::Goodbye(goodbye) = soon(connection.inbound.next()).await.unwrap().message {
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
    assert_eq!(farewell(&mut mute).await, Farewell::Silent);
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
    let mut peer = dial(&node, 2).await;
    node.has_peers(1).await;
    let nonsense = of_another_chain(vote());
    (0..15).for_each(|_| peer.outbound.try_send(&nonsense).unwrap());
    peer.outbound.try_send(&Encoded::new(DOMAIN.chain_id, current(), None).unwrap()).unwrap();
    let outbound = peer.outbound.clone();
    let writer = std::mem::replace(&mut peer.writer, dial(&node, 3).await.writer);
    let writing = tokio::spawn(writer.run());
    until(|| node.heard.other.load(std::sync::atomic::Ordering::SeqCst) == 1, || "the good message".into()).await;
    outbound.try_send(&nonsense).unwrap();
    assert_eq!(farewell(&mut peer).await, Farewell::Nonsense);
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

#[tokio::test(flavor = "multi_thread")]
async fn more_sessions_than_there_is_room_for_are_turned_away_with_a_word() {
    let net = Net4::default();
    let node = Node::start_with(&net, 1, Config { max_sessions: 1, ping: Duration::from_secs(60), ..config(1, &[]) }).await;
    let _first = dial(&node, 2).await;
    node.has_peers(1).await;
    let mut second = dial(&node, 3).await;
    assert_eq!(farewell(&mut second).await, Farewell::TooMany);
    let peers: &Peers = &node.peers;
    assert!(peers.is_connected(&identity(2).node()) && !peers.is_connected(&identity(3).node()));
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
