//! Attacks on a link: WebSocket frames and lines that no honest peer sends.

use std::time::Duration;

use anyhow::Result;
use primitives::{Height, SecretKey};
use wire::{Codec, Encoded, GetBlocks, Message, Pong, cobs};

use super::attack::Trace;
use crate::stranger::{Raw, STEP_LIMIT, Target, frame, fresh_key};

const NEST: usize = 10_000;
/// A peer that never reads is left once a turn of writing has taken 10 s.
const STALL_LIMIT: Duration = Duration::from_secs(60);

/// A peer that answers no ping is left after two of them, which may be half a minute apart.
const SILENCE_LIMIT: Duration = Duration::from_secs(110);

const FINAL_BINARY: u8 = 0x82;
const FINAL_TEXT: u8 = 0x81;
const BINARY: u8 = 2;
const CONTINUATION: u8 = 0;

async fn session(target: &Target, codec: Codec) -> Result<(Raw, SecretKey)> {
    let key = fresh_key();
    let (raw, _) = Raw::session(target, &key, codec, "").await?;
    Ok((raw, key))
}

/// A frame that announces a gigabyte, and what follows of it.
pub async fn oversize(target: Target) -> Result<Trace> {
    let (mut raw, key) = session(&target, Codec::Msgpack).await?;
    raw.say(&frame(FINAL_BINARY, 1 << 30, b"")).await?;
    raw.pours(STEP_LIMIT, || vec![0; 16 << 10]).await?;
    Ok(Trace::of(&key))
}

/// A message that never ends, a kilobyte at a time.
pub async fn endless_continuation(target: Target) -> Result<Trace> {
    let (mut raw, key) = session(&target, Codec::Msgpack).await?;
    raw.say(&frame(BINARY, 1_024, &[1; 1_024])).await?;
    raw.pours(STEP_LIMIT, || frame(CONTINUATION, 1_024, &[1; 1_024])).await?;
    Ok(Trace::of(&key))
}

/// The same with nothing in it, which is never too much. Nobody can answer a ping amid a message.
pub async fn empty_continuation(target: Target) -> Result<Trace> {
    let (mut raw, key) = session(&target, Codec::Msgpack).await?;
    raw.say(&frame(BINARY, 0, b"")).await?;
    raw.pours(SILENCE_LIMIT, || frame(CONTINUATION, 0, b"").repeat(64)).await?;
    Ok(Trace::of(&key))
}

/// Good WebSocket messages without a newline.
pub async fn endless_line(target: Target) -> Result<Trace> {
    let (raw, key) = session(&target, Codec::Msgpack).await?;
    raw.pours(STEP_LIMIT, || frame(FINAL_BINARY, 8 << 10, &[7; 8 << 10])).await?;
    Ok(Trace::of(&key))
}

/// Lists in lists, where a payload belongs.
pub async fn nested_msgpack(target: Target) -> Result<Trace> {
    let (raw, key) = session(&target, Codec::Msgpack).await?;
    let mut plain = vec![0x94, 1, 0xa4];
    plain.extend(b"ping");
    plain.push(0xcf);
    plain.extend(target.domain.chain_id.to_be_bytes());
    plain.push(0xc0);
    plain.extend([0x91; NEST]);
    let mut line = Vec::new();
    cobs::encode(&plain, &mut line);
    line.push(b'\n');
    raw.pours(STEP_LIMIT, || frame(FINAL_BINARY, line.len() as u64, &line)).await?;
    Ok(Trace::of(&key))
}

/// The same for people: in the payload, in a field that does not exist, and with nothing around it.
pub async fn nested_json(target: Target) -> Result<Trace> {
    let (raw, key) = session(&target, Codec::Json).await?;
    let nest = "[".repeat(NEST);
    let chain = target.domain.chain_id;
    let lines = [
        format!("{{\"v\":1,\"kind\":\"ping\",\"chain\":{chain},\"payload\":{nest}\n"),
        format!("{{\"v\":1,\"x\":{nest}{},\"kind\":\"ping\",\"chain\":{chain},\"payload\":{{\"nonce\":1,\"sent_ms\":1}}}}\n", "]".repeat(NEST)),
        format!("{}\n", "{\"a\":".repeat(NEST)),
    ];
    let mut next = lines.iter().cycle().map(|line| frame(FINAL_TEXT, line.len() as u64, line.as_bytes()));
    raw.pours(STEP_LIMIT, move || next.next().unwrap_or_default()).await?;
    Ok(Trace::of(&key))
}

/// Asks for blocks for ever, answers pings that it has not read, and reads nothing at all.
pub async fn never_reads(target: Target) -> Result<Trace> {
    let (raw, key) = session(&target, Codec::Msgpack).await?;
    let chain = target.domain.chain_id;
    let line = move |message: Message| Encoded::new(chain, message, None).and_then(|encoded| encoded.frame(Codec::Msgpack)).unwrap_or_default();
    let wanted = line(Message::GetBlocks(GetBlocks { from: Height(1), count: 32 }));
    let mut nonce = 0;
    let next = move || {
        nonce += 1;
        let pong = line(Message::Pong(Pong { nonce: nonce % 64, received_ms: 0 }));
        let both = [&wanted[..], &pong[..]].concat();
        frame(FINAL_BINARY, both.len() as u64, &both)
    };
    raw.never_reads(STALL_LIMIT, next, Duration::from_millis(5)).await?;
    Ok(Trace::of(&key))
}
