//! The event stream: in order, resumable, honest about what was missed, and nobody waits for a slow reader.

use std::{net::SocketAddr, time::Duration};

use api::{Config, Drained, Offer};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::{
    client::{exchange, get},
    schemas::Schemas,
    server::{Server, config},
    tree::KEPT,
};

const SOON: Duration = Duration::from_secs(20);

/// A client that follows.
struct Follower {
    stream: TcpStream,
    text: String,
}

/// One event as a client reads it.
#[derive(Debug, PartialEq)]
struct Told {
    id: u64,
    event: String,
    data: Value,
}

impl Follower {
    async fn at(server: SocketAddr, query: &str, headers: &str) -> Self {
        Self::on(TcpStream::connect(server).await.unwrap(), query, headers).await
    }

    /// HTTP/1.0, so that the body comes as it is.
    async fn on(mut stream: TcpStream, query: &str, headers: &str) -> Self {
        stream.write_all(format!("GET /v1/events{query} HTTP/1.0\r\n{headers}\r\n").as_bytes()).await.unwrap();
        let mut follower = Self { stream, text: String::new() };
        let head = follower.until("\r\n\r\n").await.unwrap();
        assert!(head.starts_with("HTTP/1.0 200 ") && head.contains("text/event-stream"), "{head}");
        follower
    }

    /// What comes before the next `end`; none when the server closes before.
    async fn until(&mut self, end: &str) -> Option<String> {
        loop {
            if let Some((piece, rest)) = self.text.split_once(end) {
                let (piece, rest) = (piece.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(piece);
            }
            let mut bytes = [0; 1 << 14];
            match timeout(SOON, self.stream.read(&mut bytes)).await.expect("something is told") {
                Ok(read) if 0 < read => self.text.push_str(std::str::from_utf8(&bytes[..read]).unwrap()),
                _ => return None,
            }
        }
    }

    async fn next(&mut self) -> Option<Told> {
        let frame = self.until("\n\n").await?;
        let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_else(|| panic!("{frame}"));
        Some(Told { id: field("id").parse().unwrap(), event: field("event").to_owned(), data: serde_json::from_str(field("data")).unwrap() })
    }

    async fn sequence(&mut self) -> u64 {
        let told = self.next().await.unwrap();
        assert_eq!(json!(told.id), told.data["sequence"], "{told:?}");
        told.id
    }
}

#[tokio::test]
async fn events_come_in_order_from_the_first_that_is_kept_and_then_as_they_happen() {
    let server = Server::start().await;
    let tree = &server.node.tree;
    let before = tree.latest();
    let mut follower = Follower::at(server.address, "", "").await;
    for expected in 1..=before {
        assert_eq!(follower.sequence().await, expected);
    }
    tree.happens("storage", "later");
    let told = follower.next().await.unwrap();
    assert_eq!((told.id, told.event.as_str(), &told.data["child"]), (before + 1, "injected", &json!("storage")));
    assert!(told.data["time"].as_str().is_some_and(|time| time.ends_with('Z') && time.contains('.')), "{told:?}");
    assert_eq!(told.data["kind"]["event"], "injected");
}

#[tokio::test]
async fn a_reader_that_comes_back_goes_on_behind_the_last_event_it_read() {
    let server = Server::start().await;
    let before = server.node.tree.latest();
    server.node.tree.happens("storage", "while it was away");
    for (query, header) in [(format!("?after={before}"), String::new()), ("?after=1".to_owned(), format!("Last-Event-ID: {before}\r\n"))] {
        assert_eq!(Follower::at(server.address, &query, &header).await.sequence().await, before + 1);
    }
    let mut now = Follower::at(server.address, "?after=now", "").await;
    server.node.tree.happens("storage", "from now on");
    assert_eq!(now.sequence().await, before + 2);
}

#[tokio::test]
async fn what_was_missed_is_counted_and_the_next_event_is_the_oldest_that_is_kept() {
    let server = Server::start().await;
    for _ in 0..2 * KEPT {
        server.node.tree.happens("storage", "more");
    }
    let oldest = server.node.tree.latest() - KEPT as u64 + 1;
    let mut follower = Follower::at(server.address, "?after=3", "").await;
    let told = follower.next().await.unwrap();
    let expected = json!({ "missed": oldest - 4, "first": 4, "last": oldest - 1 });
    assert_eq!(told, Told { id: oldest - 1, event: "missed".to_owned(), data: expected });
    assert_eq!(follower.sequence().await, oldest);
}

#[tokio::test]
async fn a_reader_of_an_earlier_process_is_told_that_counting_began_anew() {
    let server = Server::start().await;
    let latest = server.node.tree.latest();
    let mut follower = Follower::at(server.address, "?after=1000000", "").await;
    let told = follower.next().await.unwrap();
    assert_eq!((told.id, told.event.as_str(), told.data), (0, "restarted", json!({ "after": 1_000_000, "latest": latest })));
    assert_eq!(follower.sequence().await, 1);
}

#[tokio::test]
async fn a_reader_hears_of_the_children_and_kinds_it_asked_for_alone() {
    let server = Server::start().await;
    let mut follower = Follower::at(server.address, "?child=p2p&kind=ready,injected", "").await;
    let mut heard = Vec::new();
    server.node.tree.happens("storage", "somebody else");
    server.node.tree.happens("p2p.session/ab/c", "below");
    while heard.last().is_none_or(|(_, kind)| kind != "injected") {
        let told = follower.next().await.unwrap();
        heard.push((told.data["child"].as_str().unwrap().to_owned(), told.event));
    }
    heard.sort();
    let expected = [("p2p", "ready"), ("p2p.session/ab/c", "injected"), ("p2p.session/ab/c", "ready")];
    assert_eq!(heard, expected.map(|(child, kind)| (child.to_owned(), kind.to_owned())));
}

/// Events of 64 KiB: more than all buffers on the way, told in less than the time that a client has to read something.
const FLOOD: u64 = 400;

/// More text than all buffers between us and a client that does not read, told to `follower` all along.
async fn flood(server: &Server, follower: &mut Follower) -> u64 {
    let long = "x".repeat(64 << 10);
    for _ in 0..FLOOD {
        server.node.tree.happens("storage", &long);
        follower.sequence().await;
    }
    server.node.tree.latest()
}

async fn lazy(server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    socket.connect(server.address).await.unwrap()
}

#[tokio::test]
async fn a_slow_reader_lags_alone_and_learns_what_it_missed() {
    let server = Server::start().await;
    let after_now = format!("?after={}", server.node.tree.latest());
    let mut slow = Follower::on(lazy(&server).await, &after_now, "").await;
    let mut quick = Follower::at(server.address, &after_now, "").await;
    // `flood` fails when the quick one misses anything.
    let latest = flood(&server, &mut quick).await;
    let (mut at, mut missed) = (0, 0);
    while at < latest {
        let told = slow.next().await.unwrap();
        assert!(at < told.id, "{} after {at}", told.id);
        at = told.id;
        missed += told.data["missed"].as_u64().unwrap_or_default();
    }
    assert!(0 < missed && missed < FLOOD, "{missed}");
}

#[tokio::test]
async fn a_reader_that_never_reads_is_cut_and_its_place_is_free_again() {
    let server = Server::start().await;
    let after_now = format!("?after={}", server.node.tree.latest());
    let mut lazy = Follower::on(lazy(&server).await, &after_now, "").await;
    let mut others = Vec::new();
    for _ in 2..16 {
        others.push(Follower::at(server.address, "?after=now&child=p2p", "").await);
    }
    let mut quick = Follower::at(server.address, &after_now, "").await;
    flood(&server, &mut quick).await;
    let asked = Schemas::of(server.address).await;
    let full = asked.get("/v1/events", "/v1/events").await;
    let reason = "16 clients follow the events already; end one of them, or ask for /v1/actors instead";
    assert_eq!((full.status, &full.json()["error"]["message"]), (503, &json!(reason)));
    // Nothing waits for the others, so only the one that does not read is given up.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    let mut successor = loop {
        let mut probe = TcpStream::connect(server.address).await.unwrap();
        probe.write_all(b"GET /v1/events?after=now HTTP/1.0\r\n\r\n").await.unwrap();
        let mut head = [0; 12];
        probe.read_exact(&mut head).await.unwrap();
        if head.ends_with(b"200") {
            break probe;
        }
    };
    successor.shutdown().await.unwrap();
    while lazy.next().await.is_some() {}
}

#[tokio::test]
async fn followers_are_let_go_when_the_api_stops() {
    let server = Server::start().await;
    let mut follower = Follower::at(server.address, "?after=now", "").await;
    let stopping = server.stop();
    assert_eq!(follower.next().await, None);
    assert_eq!(stopping.ended().await, Drained { finished: 1, cut: 0 });
}

#[tokio::test]
async fn what_is_asked_in_the_wrong_form_is_refused_and_nothing_is_told_in_public() {
    let server = Server::start().await;
    let schemas = Schemas::of(server.address).await;
    for query in ["?after=-1", "?after=yesterday", "?kind=Exited", "?kind="] {
        assert_eq!(schemas.get("/v1/events", &format!("/v1/events{query}")).await.status, 400, "{query}");
    }
    let answer = exchange(server.address, "GET", "/v1/events", &[("last-event-id", "x")], b"").await;
    assert_eq!(answer.status, 400);
    let public = Server::with(Config { offer: Offer::USUAL, ..config() }).await;
    for page in ["/v1/events", "/v1/actors/storage"] {
        assert_eq!(get(public.address, page).await.status, 404);
    }
}
