#![allow(clippy::unwrap_used)]
use std::os::{
    linux::net::SocketAddrExt,
    unix::net::{SocketAddr, UnixDatagram},
};

use super::*;

const SOON: Duration = Duration::from_secs(20);

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A manager that listens on an abstract name, and the service that tells it.
fn managed(name: &str, more: &[(&str, &str)]) -> (UnixDatagram, Service) {
    let name = format!("axolotl-test-{name}-{}", std::process::id());
    let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    manager.set_read_timeout(Some(SOON)).unwrap();
    let mut pairs = environment(&[("NOTIFY_SOCKET", &format!("@{name}"))]);
    pairs.extend(environment(more));
    (manager, Service::of(&pairs))
}

fn heard(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 4_096];
    let length = manager.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

fn is_silent(manager: &UnixDatagram) -> bool {
    manager.set_nonblocking(true).unwrap();
    let is_silent = manager.recv(&mut [0; 64]).is_err();
    manager.set_nonblocking(false).unwrap();
    is_silent
}

fn standing(height: u64) -> Standing {
    Standing { nodes: 1, height, round: 0, peers: 3, signing: None }
}

#[test]
fn ready_comes_with_the_first_status_and_a_status_only_when_it_is_new() {
    let (manager, service) = managed("bulletin", &[]);
    let mut bulletin = service.bulletin();
    bulletin.renew(&standing(1));
    bulletin.renew(&standing(1));
    bulletin.renew(&standing(2));
    assert_eq!(heard(&manager), "READY=1\nSTATUS=height 1 round 0, 3 peers\n");
    assert_eq!(heard(&manager), "STATUS=height 2 round 0, 3 peers\n");
    assert!(is_silent(&manager));
}

#[test]
fn a_manager_that_did_not_hear_is_told_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let service = Service::of(&environment(&[("NOTIFY_SOCKET", path.to_str().unwrap())]));
    let mut bulletin = service.bulletin();
    bulletin.renew(&standing(1));
    let manager = UnixDatagram::bind(&path).unwrap();
    bulletin.renew(&standing(1));
    assert_eq!(heard(&manager), "READY=1\nSTATUS=height 1 round 0, 3 peers\n");
}

#[test]
fn a_manager_that_does_not_read_stops_nobody() {
    let (_manager, service) = managed("full", &[]);
    let unheard = (0..100_000).find(|_| !service.say(&[Watchdog]));
    assert!(unheard.is_some(), "its queue has an end");
}

#[tokio::test(start_paused = true)]
async fn a_long_stop_is_said_at_once_and_extends_the_limit_as_long_as_it_lasts() {
    let (manager, service) = managed("stop", &[]);
    service.stopping("terminate\nREADY=1", tokio::time::sleep(EXTEND_EVERY * 2 + Duration::from_secs(1))).await;
    for _ in 0..3 {
        assert_eq!(heard(&manager), "STOPPING=1\nSTATUS=stopping: terminate READY=1\nEXTEND_TIMEOUT_USEC=30000000\n");
    }
    assert!(is_silent(&manager));
}

#[tokio::test]
async fn even_the_shortest_start_is_said() {
    let (manager, service) = managed("start", &[]);
    assert_eq!(service.starting(async { 7 }).await, 7);
    assert_eq!(heard(&manager), "STATUS=starting\nEXTEND_TIMEOUT_USEC=30000000\n");
}

#[test]
fn the_watchdog_is_fed_at_half_of_its_time_however_often_we_are_alive() {
    let (manager, service) = managed("feed", &[("WATCHDOG_USEC", "400000")]);
    let mut feed = service.feeder();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1_000) {
        feed();
        std::thread::sleep(Duration::from_millis(5));
    }
    let fed = std::iter::from_fn(|| (!is_silent(&manager)).then_some(())).count();
    assert!((2..=6).contains(&fed), "{fed}");
}

#[test]
fn nothing_is_said_where_nobody_listens_or_another_process_is_meant() {
    let me = std::process::id().to_string();
    let watchdog = |pairs: &[(&str, &str)]| Service::of(&environment(pairs)).watchdog();
    let at = ("NOTIFY_SOCKET", "@nobody");
    assert_eq!(watchdog(&[at, ("WATCHDOG_USEC", "5000000")]), Some(Duration::from_secs(5)));
    assert_eq!(watchdog(&[at, ("WATCHDOG_USEC", "5000000"), ("WATCHDOG_PID", &me)]), Some(Duration::from_secs(5)));
    assert_eq!(watchdog(&[at, ("WATCHDOG_USEC", "5000000"), ("WATCHDOG_PID", "1")]), None);
    assert_eq!(watchdog(&[at, ("WATCHDOG_USEC", "0")]), None);
    assert_eq!(watchdog(&[("WATCHDOG_USEC", "5000000")]), None);
    assert!(!Service::of(&environment(&[("NOTIFY_SOCKET", "")])).listens());
    assert!(!Service::of(&environment(&[("NOTIFY_SOCKET", &"x".repeat(200))])).listens());
}
