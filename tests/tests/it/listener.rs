//! The door of a running node: whether it is open, and what happens when its socket is dead.

use rustix::{
    net::Shutdown,
    process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};
use serde_json::Value;

use crate::testnet::{Testnet, Validator, eventually, secs};

/// Shuts down the socket by which `validator` accepts peers, behind its back.
fn kill_socket(validator: &Validator) {
    let listening = format!(":{:04X} 00000000:0000 0A ", validator.p2p);
    let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", validator.pid())).unwrap();
    let line = table.lines().find(|line| line.contains(&listening)).unwrap();
    let inode = line.split_whitespace().nth(9).unwrap();
    let socket = format!("socket:[{inode}]");
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", validator.pid())).unwrap();
    let is_it = |path: &std::path::PathBuf| std::fs::read_link(path).is_ok_and(|target| target.to_str() == Some(&socket));
    let path = descriptors.map(|entry| entry.unwrap().path()).find(is_it).unwrap();
    let number = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let process = pidfd_open(Pid::from_raw(validator.pid() as i32).unwrap(), PidfdFlags::empty()).unwrap();
    let own = pidfd_getfd(process, number, PidfdGetfdFlags::empty()).unwrap();
    rustix::net::shutdown(own, Shutdown::Both).unwrap();
}

async fn is_open(net: &Testnet, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually("the door of a validator", secs(60), async || net.running().next()?.health().await.map(|health| health["p2p"].clone()).filter(&is_so))
        .await
}

#[tokio::test]
async fn a_listener_whose_socket_is_dead_gets_another_and_peers_come_in_again() {
    let mut net = Testnet::of(2).start().await;
    let open = is_open(&net, |p2p| p2p["self_dial_ok"] == true).await;
    assert_eq!((&open["listening"], &open["peers"]), (&true.into(), &1.into()));
    kill_socket(net.validator(0));
    eventually("it says so", secs(60), async || net.running().next()?.log().contains("P2P server stopped unexpectedly").then_some(())).await;
    is_open(&net, |p2p| p2p["listening"] == true && p2p["self_dial_ok"] == true).await;
    assert!(1.0 <= net.validator(0).metric_of("supervision_restarts_total", "p2p.listener").await);
    // Somebody gets in by the new socket.
    let visitor = std::net::TcpStream::connect(("127.0.0.1", net.validator(0).p2p));
    assert!(visitor.is_ok(), "{visitor:?}");
    let height = net.height().await;
    net.reach(height + 3).within(secs(30)).await;
    net.validator(1).kill();
    net.validator(1).start();
    let height = net.height().await;
    net.reach(height + 3).within(secs(60)).await;
}
