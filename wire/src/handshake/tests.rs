#![allow(clippy::unwrap_used)]
//! Strangers who do not play by the rules, over real sockets.

use primitives::{Domain, SecretKey};
use tokio::net::{TcpListener, TcpStream};

use super::*;

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

/// What an acceptor with `limits` makes of a stranger.
async fn accepted<Fut: Future<Output = ()>>(limits: Limits, stranger: impl FnOnce(TcpStream) -> Fut) -> HandshakeError {
    let (near, far) = sockets().await;
    let identity = identity(2);
    let (refused, ()) = soon(async { tokio::join!(accept(far, &identity, &limits), stranger(near)) }).await;
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
async fn a_reflected_hello_is_refused() {
    let error = accepted(limits(), async |tcp| {
        let (mut tls, _) = client_tls(tcp).await;
        let theirs = read::<HELLO_BYTES, _>(&mut tls).await.unwrap();
        write(&mut tls, &theirs).await.unwrap();
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
        let recorded_proof = recorded_hello.prove(&theirs, &[6; 32], &identity(1));
        write(&mut tls, &recorded_proof).await.unwrap();
        let _ = tls.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let HandshakeError::Forged { node } = error else { panic!("{error}") };
    assert_eq!(node, identity(1).node());
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
    let handshakes = async { tokio::join!(dial(dialler, &one, expected, &limits), accept(acceptor, &two, &limits), relay) };
    let (dialled, accepted, ()) = soon(handshakes).await;
    // Whoever looks first finds the forgery and hangs up; the other may only see that.
    let names = [dialled.err().unwrap().name(), accepted.err().unwrap().name()];
    assert!(names.contains(&"forged") && names.iter().all(|name| ["forged", "closed"].contains(name)), "{names:?}");
}

#[tokio::test]
async fn a_proved_peer_still_has_to_speak_websocket() {
    let error = accepted(limits(), async |tcp| {
        let (tls, exporter) = tls_metered(tcp).await;
        let (_, mut tls) = prove(tls, Role::Dialler, &exporter, &identity(1), None, &limits()).await.unwrap();
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
