#![allow(clippy::unwrap_used)]
//! A proved peer that writes WebSocket messages by hand.

use futures_util::SinkExt;
use primitives::{B256, Domain, SecretKey};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::{Encoded, Identity, Limits, handshake, message::Ping};

const CHAIN: u64 = 1337;

fn identity(byte: u8) -> Identity {
    let domain = Domain { chain_id: CHAIN, genesis_hash: B256::ZERO };
    Identity::new(SecretKey::from_bytes([byte; 32]).unwrap(), domain).unwrap()
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    prompt(near.unwrap(), far.unwrap().0)
}

/// What is heard when a peer sends these and closes: nonces of pings, or what is wrong, up to the end of the link.
async fn heard(codec: Codec, messages: Vec<Frame>) -> Vec<Result<u64, String>> {
    let (near, far) = sockets().await;
    let (one, two, limits) = (identity(1), identity(2), Limits::standard(vec![codec]));
    let (near, far) = tokio::join!(handshake::dial(near, &one, None, &limits), crate::accept(far, &two, &limits));
    let (mut peer, mut inbound) = (near.unwrap().socket, far.unwrap().inbound);
    let speaking = async {
        for message in messages {
            // The other side may hang up on us.
            let _ = peer.send(message).await;
        }
        let _ = peer.send(Frame::Close(None)).await;
    };
    let hearing = async {
        let mut heard = Vec::new();
        loop {
            match inbound.next().await {
                Ok(Received { message: Message::Ping(ping), .. }) => heard.push(Ok(ping.nonce)),
                Ok(received) => panic!("{received:?}"),
                Err(InboundError::Closed) => return heard,
                Err(error) => {
                    heard.push(Err(error.to_string()));
                    if error.is_fatal() {
                        return heard;
                    }
                }
            }
        }
    };
    tokio::join!(speaking, hearing).1
}

fn ping(nonce: u64, codec: Codec) -> Vec<u8> {
    Encoded::new(CHAIN, Message::Ping(Ping { nonce, sent_ms: 0 }), None).unwrap().frame(codec).unwrap().to_vec()
}

fn binary(bytes: &[u8]) -> Frame {
    Frame::Binary(Bytes::copy_from_slice(bytes))
}

#[tokio::test]
async fn frames_concatenated_and_split() {
    let all = [ping(1, Codec::Msgpack), ping(10, Codec::Msgpack), b"\n".to_vec(), ping(3, Codec::Msgpack)].concat();
    for size in [1, 7, 30, all.len()] {
        let messages = all.chunks(size).map(binary).collect();
        assert_eq!(heard(Codec::Msgpack, messages).await, [Ok(1), Ok(10), Ok(3)], "in pieces of {size}");
    }
}

#[tokio::test]
async fn json_may_have_carriage_returns_and_empty_lines() {
    let line = String::from_utf8(ping(1, Codec::Json)).unwrap().replace('\n', "\r\n");
    let (head, tail) = line.split_at(9);
    let messages = [&format!("\r\n\n{line}{head}"), tail].map(|text| Frame::Text(text.into()));
    assert_eq!(heard(Codec::Json, messages.into()).await, [Ok(1), Ok(1)]);
}

#[tokio::test]
async fn nonsense_costs_one_frame_and_not_the_link() {
    let elsewhere = Encoded::new(5, Message::Ping(Ping { nonce: 9, sent_ms: 0 }), None).unwrap().frame(Codec::Msgpack).unwrap();
    let messages = vec![binary(b"nonsense\n"), binary(&elsewhere), binary(&ping(2, Codec::Msgpack))];
    let heard = heard(Codec::Msgpack, messages).await;
    assert!(heard[0].is_err() && heard[2] == Ok(2), "{heard:?}");
    assert_eq!(heard[1], Err("the message is for chain 5; this is chain 1337".into()));
}

#[tokio::test]
async fn an_endless_line_ends_the_link_before_it_ends_itself() {
    let messages = vec![binary(&[b'x'; 100 << 10]), binary(&[b'x'; 100 << 10])];
    assert_eq!(heard(Codec::Msgpack, messages).await, [Err("a frame is longer than 131072 bytes".into())]);
}

#[tokio::test]
async fn a_websocket_message_beyond_its_limit_ends_the_link() {
    let heard = heard(Codec::Msgpack, vec![binary(&[b'\n'; 300 << 10])]).await;
    assert!(matches!(&heard[..], [Err(error)] if error.contains("broke the WebSocket protocol")), "{heard:?}");
}

#[tokio::test]
async fn a_message_of_the_other_kind_ends_the_link() {
    let expected = "a text WebSocket message came on a link that speaks axolotl.v1.msgpack";
    assert_eq!(heard(Codec::Msgpack, vec![Frame::Text("{}\n".into())]).await, [Err(expected.into())]);
    let expected = "a binary WebSocket message came on a link that speaks axolotl.v1.json";
    assert_eq!(heard(Codec::Json, vec![binary(b"x\n")]).await, [Err(expected.into())]);
}

#[tokio::test]
async fn text_that_is_no_utf8_ends_the_link() {
    use tokio_tungstenite::tungstenite::protocol::frame::{
        Frame as RawFrame,
        coding::{Data, OpCode},
    };
    let raw = RawFrame::message(Bytes::from_static(b"\xff\xfe\n"), OpCode::Data(Data::Text), true);
    let heard = heard(Codec::Json, vec![Frame::Frame(raw)]).await;
    assert!(matches!(&heard[..], [Err(error)] if error.contains("broke the WebSocket protocol")), "{heard:?}");
}

#[tokio::test]
async fn unknown_kinds_are_counted_and_ignored() {
    let (near, far) = sockets().await;
    let (one, two, limits) = (identity(1), identity(2), Limits::standard(vec![Codec::Json]));
    let (near, far) = tokio::join!(handshake::dial(near, &one, None, &limits), crate::accept(far, &two, &limits));
    let (mut peer, mut inbound) = (near.unwrap().socket, far.unwrap().inbound);
    let haiku = r#"{"v":1,"kind":"haiku","chain":1337,"payload":["old pond"]}"#;
    let lines = format!("{haiku}\n{haiku}\n{}", String::from_utf8(ping(4, Codec::Json)).unwrap());
    peer.send(Frame::Text(lines.into())).await.unwrap();
    assert_eq!(inbound.next().await.unwrap().message.kind(), "ping");
    assert_eq!(inbound.unknown(), 2);
}

/// Without this the kernel waits for more to send.
fn prompt(near: TcpStream, far: TcpStream) -> (TcpStream, TcpStream) {
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    (near, far)
}
