#![allow(clippy::unwrap_used)]
use std::{
    io::{Read, Write},
    net::SocketAddr,
};

use actors::p2p::Tap;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use primitives::SystemClock;
use supervision::{Actor, Address, ChildSpec, ChildState, Context, Event, EventKind, Fault, MailboxLimits, Message, Running, Tree};

use super::*;
use crate::{
    admin::{AdminClient, AdminError, Order, Provocation, Wish},
    home::Home,
};

struct Work;

impl Message for Work {
    fn name(&self) -> &'static str {
        "Work"
    }
}

struct Worker;

impl Actor for Worker {
    type Message = Work;

    async fn handle(&mut self, _: Work, _: &mut Context<Work>) -> Result<(), Fault> {
        Ok(())
    }
}

struct Open {
    door: AdminDoor,
    running: Running,
    worker: Address<Work>,
    token: Token,
    listen: SocketAddr,
    home: tempfile::TempDir,
}

/// A tree of two actors behind an open door.
async fn open(chaos: bool) -> Open {
    let worker = Address::new("worker", MailboxLimits::each(16));
    let children = [("worker", worker.clone()), ("clerk", Address::new("clerk", MailboxLimits::each(16)))];
    let specs = children.map(|(name, address)| ChildSpec::new(name, address, |_| async { Ok::<_, Fault>(Worker) }));
    let mut config = supervision::Config::new(SdkMeterProvider::default().meter("test"));
    config.chaos = chaos;
    let running = Tree::build("validator-0", specs, config).unwrap().start().await;
    running.ready(Duration::from_secs(20)).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let token = Token::ensure(&home.path().join("admin.token")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let listen = listener.local_addr().unwrap();
    let place = Place::of("validator-0", &Home::at(home.path()), listen);
    let door = AdminDoor::open(listener, token.clone(), Desk::of(&running, chaos, Tap::new(Arc::new(SystemClock::new()))), place).unwrap();
    Open { door, running, worker, token, listen, home }
}

impl Open {
    fn client(&self) -> AdminClient {
        AdminClient::new(&format!("http://{}", self.listen), self.token.clone()).unwrap()
    }

    /// One request by hand, on this thread, which waits for the answer: its first line and its body.
    fn raw(&self, head: &str, body: &str) -> (String, String) {
        let mut stream = std::net::TcpStream::connect(self.listen).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let head = head.replace("TOKEN", self.token.expose());
        write!(stream, "{head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, AdminError>) -> (u16, String) {
    match answer.unwrap_err() {
        AdminError::Refused { status, message, .. } => (status, message),
        other => panic!("{other}"),
    }
}

/// Waits until an event of the worker is as wanted.
async fn seen(client: &AdminClient, mut after: u64, wanted: impl Fn(&EventKind) -> bool) -> Event {
    loop {
        let events = client.events(after, Duration::from_secs(5)).await.unwrap();
        after = events.last().map_or(after, |event| event.sequence);
        if let Some(event) = events.into_iter().find(|event| event.child == "worker" && wanted(&event.kind)) {
            return event;
        }
    }
}

#[tokio::test]
async fn a_killed_actor_is_seen_to_come_back() {
    let open = open(true).await;
    let client = open.client();
    assert!(client.tree().await.unwrap().tree.is_healthy());
    client.order("worker", Order::Kill).await.unwrap();
    let end = seen(&client, 0, |kind| matches!(kind, EventKind::Exited { .. })).await;
    seen(&client, end.sequence, |kind| *kind == EventKind::Ready).await;
    let page = client.actor("worker").await.unwrap();
    assert_eq!((page.actor.state, page.actor.restarts), (ChildState::Running, 1));
    assert!(page.actor.last_exit.unwrap().contains("killed by the operator") && page.events.iter().all(|event| event.child == "worker"));
    open.door.stop().await;
}

#[tokio::test]
async fn a_fault_strikes_the_message_that_was_named_or_is_taken_back() {
    let open = open(true).await;
    let client = open.client();
    let wish = Wish { message: Some("Work".into()), ..Wish::default() };
    client.provoke("worker", Provocation::Panic, &wish).await.unwrap();
    client.clear("worker").await.unwrap();
    client.provoke("worker", Provocation::Error, &wish).await.unwrap();
    open.worker.try_send(Work).unwrap();
    let end = seen(&client, 0, |kind| matches!(kind, EventKind::Exited { .. })).await;
    assert!(format!("{:?}", end.kind).contains("injected fault"), "{end:?}");
}

#[tokio::test]
async fn a_suspended_actor_handles_nothing_until_it_is_resumed() {
    let open = open(false).await;
    let client = open.client();
    client.order("worker", Order::Suspend).await.unwrap();
    let held = client.actor("worker").await.unwrap().actor;
    assert_eq!((held.state, held.suspended_by.as_deref()), (ChildState::Suspended, Some("the operator")));
    client.order("worker", Order::Resume).await.unwrap();
    assert_eq!(client.actor("worker").await.unwrap().actor.state, ChildState::Running);
    let (status, message) = refused(client.order("worker", Order::Resume).await);
    assert_eq!((status, message.as_str()), (409, "worker was not suspended by an operator"));
}

#[tokio::test]
async fn without_chaos_faults_are_refused_with_the_key_and_restarts_are_not() {
    let open = open(false).await;
    let client = open.client();
    let fault = Provocation::Panic.fault("worker", &Wish::default());
    for answer in [
        client.order("worker", Order::Kill).await.map(drop),
        client.provoke("worker", Provocation::Hang, &Wish::default()).await.map(drop),
        client.inject(&fault).await,
    ] {
        let (status, message) = refused(answer);
        assert!(status == 403 && message.contains("chaos.enabled = true"), "{message}");
    }
    client.order("worker", Order::Restart).await.unwrap();
    seen(&client, 0, |kind| format!("{kind:?}").contains("Restarted")).await;
    assert!(!client.tree().await.unwrap().chaos_enabled);
}

#[tokio::test]
async fn an_unknown_actor_is_answered_with_what_was_meant() {
    let open = open(true).await;
    let client = open.client();
    for answer in [client.order("wroker", Order::Restart).await.map(drop), client.actor("wroker").await.map(drop), client.clear("wroker").await] {
        assert_eq!(refused(answer), (404, "there is no actor \"wroker\"; did you mean worker?".to_owned()));
    }
}

#[tokio::test]
async fn another_token_a_rebound_name_and_oversized_bodies_are_refused() {
    let open = open(true).await;
    let other = tempfile::tempdir().unwrap();
    let stranger = AdminClient::new(&format!("http://{}", open.listen), Token::ensure(&other.path().join("t")).unwrap()).unwrap();
    assert_eq!(refused(stranger.tree().await).0, 401);
    let status = |head: &str, body: &str| open.raw(head, body).0;
    assert_eq!(status("GET /actors HTTP/1.1\r\nhost: localhost", ""), "HTTP/1.1 401 Unauthorized");
    assert_eq!(status("GET /actors HTTP/1.1\r\nhost: evil.example\r\nauthorization: Bearer TOKEN", ""), "HTTP/1.1 403 Forbidden");
    let post = "POST /faults HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer TOKEN";
    assert_eq!(status(post, &" ".repeat(MAX_BODY_BYTES + 1)), "HTTP/1.1 413 Payload Too Large");
    let (_, told) = open.raw(post, "{\"child\":\"worker\"}");
    assert!(told.contains("malformed") && told.contains("kind"), "{told}");
}

#[tokio::test]
async fn the_door_answers_while_every_thread_of_the_runtime_is_blocked() {
    let open = open(true).await;
    // This test's runtime has one thread, and that is here: nothing else of it can run until the answer has come.
    let (status, tree) = open.raw("GET /actors HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer TOKEN", "");
    assert!(status.contains("200") && tree.contains("\"worker\""), "{status} {tree}");
}

#[tokio::test]
async fn events_are_resumed_after_a_number_and_a_question_that_waits_does_not_delay_the_stop() {
    let open = open(true).await;
    let client = open.client();
    let all = client.events(0, Duration::ZERO).await.unwrap();
    let last = all.last().unwrap().sequence;
    assert_eq!(client.events(last - 1, Duration::ZERO).await.unwrap(), all[all.len() - 1..]);
    assert_eq!(client.events(last, Duration::from_millis(1)).await.unwrap(), []);
    let waiting = tokio::spawn(async move { client.events(last, Duration::from_secs(9)).await });
    let file = Home::at(open.home.path()).admin_file();
    assert!(file.exists());
    tokio::time::timeout(Duration::from_secs(8), open.door.stop()).await.unwrap();
    assert!(!file.exists());
    // Asked in time, it was answered with what there was; asked too late, nobody was there. It is over either way.
    drop(waiting.await.unwrap());
    drop(open.running);
}
