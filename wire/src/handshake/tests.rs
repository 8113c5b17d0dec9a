#![allow(clippy::unwrap_used)]
//! Strangers who do not play by the rules, over real sockets.

use primitives::{Domain, SecretKey};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{
    Role,
    hello::{HELLO_BYTES, Hello, PROOF_BYTES},
    introduction::{read, write},
    stamp::{Challenge, MAX_STAMP_BITS},
};

const DOMAIN: Domain = Domain { chain_id: 1337, genesis_hash: B256::repeat_byte(9) };

fn identity(byte: u8) -> Identity {
    Identity::new(SecretKey::from_bytes([byte; 32]).unwrap(), DOMAIN).unwrap()
}

fn limits() -> Limits {
    Limits::standard(vec![Codec::Msgpack])
}

/// Patient enough for a machine that is busy with other tests, and short enough to wait for.
fn impatient() -> Limits {
    Limits { tls: Duration::from_millis(400), hello: Duration::from_millis(400), ..limits() }
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    prompt(near.unwrap(), far.unwrap().0)
}

/// Demands nothing.
fn free(_: NodeId) -> u8 {
    0
}

/// What an acceptor with `limits` makes of a stranger.
async fn accepted<Fut: Future<Output = ()>>(limits: Limits, stranger: impl FnOnce(TcpStream) -> Fut) -> HandshakeError {
    accepted_for(0, limits, stranger).await
}

/// The same when it demands so many bits of work.
async fn accepted_for<Fut: Future<Output = ()>>(bits: u8, limits: Limits, stranger: impl FnOnce(TcpStream) -> Fut) -> HandshakeError {
    let (near, far) = sockets().await;
    let identity = identity(2);
    let demand = move |_| bits;
    let (refused, ()) = soon(async { tokio::join!(accept(far, &identity, &limits, &demand), stranger(near)) }).await;
    refused.err().unwrap()
}

/// What a dialler makes of a stranger who answers.
async fn dialled<Fut: Future<Output = ()>>(stranger: impl FnOnce(TcpStream) -> Fut) -> HandshakeError {
    let (near, far) = sockets().await;
    let (identity, limits) = (identity(1), limits());
    let (refused, ()) = soon(async { tokio::join!(dial(near, &identity, None, &limits), stranger(far)) }).await;
    refused.err().unwrap()
}

/// A stranger who gets in must fail a test, not keep it waiting.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("a stranger was let in, or nobody decided")
}

type ClientTls = tokio_rustls::client::TlsStream<TcpStream>;

/// A stranger who speaks TLS, with the exporter of the connection.
async fn client_tls(tcp: TcpStream) -> (ClientTls, [u8; 32]) {
    let name = ServerName::try_from(ANY_NAME).unwrap();
    let tls = TlsConnector::from(identity(9).tls().client.clone()).connect(name, tcp).await.unwrap();
    let exporter = tls::exporter(tls.get_ref().1).unwrap();
    (tls, exporter)
}

async fn server_tls(tcp: TcpStream) -> tokio_rustls::server::TlsStream<TcpStream> {
    TlsAcceptor::from(identity(9).tls().server.clone()).accept(tcp).await.unwrap()
}

#[tokio::test]
async fn garbage_instead_of_tls_is_refused() {
    let error = accepted(limits(), async |mut tcp| tcp.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap()).await;
    assert!(matches!(error, HandshakeError::Io { stage: Stage::Tls, .. }), "{error}");
}

#[tokio::test]
async fn an_endless_tls_hello_is_refused_after_four_kibibytes() {
    // The head of a TLS record that promises 16 KiB of handshake, then of a ClientHello that promises as much.
    let error = accepted(limits(), async |mut tcp| {
        tcp.write_all(&[0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc, 3, 3]).await.unwrap();
        // The other side may close before all of it was taken.
        let _ = tcp.write_all(&[7; 16 << 10]).await;
    })
    .await;
    assert!(matches!(error, HandshakeError::TooManyBytes { stage: Stage::Tls, max_bytes: 4096 }), "{error}");
}

#[tokio::test]
async fn a_stranger_who_drips_bytes_is_left_in_time() {
    let silent = accepted(impatient(), async |tcp| {
        tokio::time::sleep(Duration::from_millis(600)).await;
        drop(tcp);
    })
    .await;
    assert!(matches!(silent, HandshakeError::Late { stage: Stage::Tls, .. }), "{silent}");
    let dripping = accepted(impatient(), async |mut tcp| {
        for byte in [0x16, 3, 1, 0, 200, 1, 0, 0] {
            let _ = tcp.write_all(&[byte]).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    assert!(matches!(dripping, HandshakeError::Late { stage: Stage::Tls, .. }), "{dripping}");
    let no_hello = accepted(impatient(), async |tcp| {
        let (mut tls, _) = client_tls(tcp).await;
        let _ = tls.write_all(b"AXO").await;
        let _ = tls.flush().await;
        let _ = tls.read_to_end(&mut Vec::new()).await;
    })
    .await;
    assert!(matches!(no_hello, HandshakeError::Late { stage: Stage::Hello, .. }), "{no_hello}");
}

#[tokio::test]
async fn garbage_instead_of_a_hello_is_refused() {
    let error = accepted(limits(), async |tcp| {
        let (mut tls, _) = client_tls(tcp).await;
        tls.write_all(&[b'x'; 300]).await.unwrap();
        tls.flush().await.unwrap();
    })
    .await;
    assert!(matches!(error, HandshakeError::Malformed(_)), "{error}");
}

#[tokio::test]
async fn an_acceptors_hello_is_no_diallers() {
    // What node 2 says on another connection, brought back to it.
    let said = Hello::of(&identity(2), Role::Acceptor, [5; 32]);
    let error = accepted(limits(), async |tcp| {
        let (mut tls, _) = client_tls(tcp).await;
        write(&mut tls, &said.encode()).await.unwrap();
        let _ = tls.read_to_end(&mut Vec::new()).await;
    })
    .await;
    assert!(matches!(error, HandshakeError::Reflected), "{error}");
}

#[tokio::test]
async fn a_diallers_own_words_sent_back_are_refused() {
    let error = dialled(async |tcp| {
        let mut tls = server_tls(tcp).await;
        let said = read::<HELLO_BYTES, _>(&mut tls).await.unwrap();
        write(&mut tls, &said).await.unwrap();
        let _ = tls.read_to_end(&mut Vec::new()).await;
    })
    .await;
    assert!(matches!(error, HandshakeError::Reflected), "{error}");
}

#[tokio::test]
async fn a_hello_and_proof_from_another_connection_are_worthless() {
    // Node 1 once talked to node 2, and its words were recorded.
    let recorded_hello = Hello::of(&identity(1), Role::Dialler, [5; 32]);
    let error = accepted(limits(), async |tcp| {
        let (mut tls, _) = client_tls(tcp).await;
        write(&mut tls, &recorded_hello.encode()).await.unwrap();
        let theirs = Hello::decode(&read(&mut tls).await.unwrap()).unwrap();
        let recorded_proof = recorded_hello.prove(&theirs, &[6; 32], &identity(1), 0);
        write(&mut tls, &recorded_proof).await.unwrap();
        let _ = tls.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let HandshakeError::Forged { node } = error else { panic!("{error}") };
    assert_eq!(node, identity(1).node());
}

#[tokio::test]
async fn a_web_server_at_the_peers_address_is_named() {
    let error = dialled(async |tcp| {
        let mut tls = server_tls(tcp).await;
        let page = "<html><body>The plain HTTP request was sent to HTTPS port, or something else that is long enough</body></html>";
        let answer = format!("HTTP/1.1 400 Bad Request\r\nServer: proxy\r\nContent-Length: {}\r\n\r\n{page}", page.len());
        write(&mut tls, answer.as_bytes()).await.unwrap();
        let _ = tls.read_to_end(&mut Vec::new()).await;
    })
    .await;
    assert!(error.to_string().contains("a proxy that ends TLS"), "{error}");
}

#[tokio::test]
async fn whoever_does_not_work_gets_no_signature() {
    let error = accepted_for(10, limits(), async |tcp| {
        let (mut tls, exporter) = client_tls(tcp).await;
        let ours = Hello::of(&identity(1), Role::Dialler, [5; 32]);
        write(&mut tls, &ours.encode()).await.unwrap();
        let theirs = Hello::decode(&read(&mut tls).await.unwrap()).unwrap();
        assert_eq!(theirs.bits, 10);
        let challenge = Challenge::new(DOMAIN.chain_id, identity(1).node(), &theirs.nonce, theirs.bits);
        let idle = (0..).find(|stamp| !challenge.is_met_by(*stamp)).unwrap();
        write(&mut tls, &ours.prove(&theirs, &exporter, &identity(1), idle)).await.unwrap();
        let mut heard = Vec::new();
        let _ = tls.read_to_end(&mut heard).await;
        assert!(heard.is_empty(), "{} bytes after the hello", heard.len());
    })
    .await;
    let HandshakeError::Unstamped { node, bits: 10 } = error else { panic!("{error}") };
    assert_eq!(node, identity(1).node());
}

#[tokio::test]
async fn a_stamp_of_another_connection_is_worthless() {
    let error = accepted_for(16, limits(), async |tcp| {
        let (mut tls, exporter) = client_tls(tcp).await;
        let ours = Hello::of(&identity(1), Role::Dialler, [5; 32]);
        let stamp = Challenge::new(DOMAIN.chain_id, identity(1).node(), &[7; 32], 16).work().await;
        write(&mut tls, &ours.encode()).await.unwrap();
        let theirs = Hello::decode(&read(&mut tls).await.unwrap()).unwrap();
        write(&mut tls, &ours.prove(&theirs, &exporter, &identity(1), stamp)).await.unwrap();
        let _ = tls.read_to_end(&mut Vec::new()).await;
    })
    .await;
    assert!(matches!(error, HandshakeError::Unstamped { bits: 16, .. }), "{error}");
}

#[tokio::test]
async fn an_absurd_demand_is_refused_without_work() {
    let error = dialled(async |tcp| {
        let mut tls = server_tls(tcp).await;
        let greedy = Hello { bits: MAX_STAMP_BITS + 1, ..Hello::of(&identity(2), Role::Acceptor, [5; 32]) };
        write(&mut tls, &greedy.encode()).await.unwrap();
        let _ = read::<HELLO_BYTES, _>(&mut tls).await.unwrap();
        assert!(read::<PROOF_BYTES, _>(&mut tls).await.is_err());
    })
    .await;
    assert!(matches!(error, HandshakeError::TooMuchWork { bits: 21, max: MAX_STAMP_BITS }), "{error}");
}

#[tokio::test]
async fn a_dialler_that_works_comes_in() {
    let (near, far) = sockets().await;
    let (one, two, limits) = (identity(1), identity(2), limits());
    let demand = |node: NodeId| if node == identity(1).node() { 12 } else { 0 };
    let both = async { tokio::join!(dial(near, &one, Some(two.node()), &limits), accept(far, &two, &limits, &demand)) };
    let (dialled, accepted) = soon(both).await;
    assert_eq!(dialled.unwrap().peer, two.public_key());
    assert_eq!(accepted.unwrap().peer, one.public_key());
}

#[tokio::test]
async fn a_man_in_the_middle_with_a_tls_leg_to_each_side_convinces_neither() {
    let (dialler, middle_far) = sockets().await;
    let (middle_near, acceptor) = sockets().await;
    let (one, two, limits) = (identity(1), identity(2), limits());
    let relay = async {
        let (mut towards_dialler, (mut towards_acceptor, _)) = tokio::join!(server_tls(middle_far), client_tls(middle_near));
        let _ = tokio::io::copy_bidirectional(&mut towards_dialler, &mut towards_acceptor).await;
    };
    let expected = Some(two.node());
    let handshakes = async { tokio::join!(dial(dialler, &one, expected, &limits), accept(acceptor, &two, &limits, &free), relay) };
    let (dialled, accepted, ()) = soon(handshakes).await;
    // Whoever looks first finds the forgery and hangs up; the other may only see that.
    let names = [dialled.err().unwrap().name(), accepted.err().unwrap().name()];
    assert!(names.contains(&"forged") && names.iter().all(|name| ["forged", "closed"].contains(name)), "{names:?}");
}

/// The one difference to a man in the middle is what the operator should do about it.
#[tokio::test]
async fn a_proxy_that_ends_tls_is_named_as_the_likely_cause() {
    let error = accepted(limits(), async |tcp| {
        let (mut towards_acceptor, _) = client_tls(tcp).await;
        let (dialler, far) = sockets().await;
        let (one, limits) = (identity(1), limits());
        let proxy = async {
            let mut towards_dialler = server_tls(far).await;
            let _ = tokio::io::copy_bidirectional(&mut towards_dialler, &mut towards_acceptor).await;
        };
        let _ = tokio::join!(dial(dialler, &one, None, &limits), proxy);
    })
    .await;
    // Whoever looks first finds it and hangs up.
    if let HandshakeError::Forged { .. } = error {
        assert!(error.to_string().contains("let the proxy pass TCP through to the P2P port"), "{error}");
    } else {
        assert_eq!(error.name(), "closed", "{error}");
    }
}

#[tokio::test]
async fn a_proved_peer_still_has_to_speak_websocket() {
    let error = accepted(limits(), async |tcp| {
        let (tls, exporter) = tls_metered(tcp).await;
        let (_, mut tls) = prove(tls, &exporter, &identity(1), Side::Dialler(None), &limits()).await.unwrap();
        let _ = tls.write_all(b"no HTTP at all\r\n\r\n").await;
        let _ = tls.flush().await;
    })
    .await;
    assert!(matches!(error, HandshakeError::Upgrade(_)), "{error}");
}

async fn tls_metered(tcp: TcpStream) -> (TlsStream<Metered<TcpStream>>, [u8; 32]) {
    let name = ServerName::try_from(ANY_NAME).unwrap();
    let stream = Metered::new(tcp, limits().handshake_bytes);
    let tls = TlsConnector::from(identity(1).tls().client.clone()).connect(name, stream).await.unwrap();
    let exporter = tls::exporter(tls.get_ref().1).unwrap();
    (TlsStream::Client(tls), exporter)
}

/// Without this the kernel waits for more to send.
fn prompt(near: TcpStream, far: TcpStream) -> (TcpStream, TcpStream) {
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    (near, far)
}
